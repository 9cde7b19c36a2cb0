"""Companies of before have no account for the value of cards that expired."""

from odoo.api import SUPERUSER_ID, Environment


def migrate(cr, version):
    env = Environment(cr, SUPERUSER_ID, {})
    env['res.company'].search([])._setup_refill_cards()
