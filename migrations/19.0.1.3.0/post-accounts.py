"""Companies of before have not all the accounts for cards that are sold, settled or given away."""

from odoo.api import SUPERUSER_ID, Environment


def migrate(cr, version):
    env = Environment(cr, SUPERUSER_ID, {})
    env['res.company'].search([])._setup_refill_cards()
