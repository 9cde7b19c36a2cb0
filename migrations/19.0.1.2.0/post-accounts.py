"""Companies of before have no accounts for cards that are settled, or were given away."""

from odoo.api import SUPERUSER_ID, Environment


def migrate(cr, version):
    env = Environment(cr, SUPERUSER_ID, {})
    env['res.company'].search([])._setup_refill_cards()
