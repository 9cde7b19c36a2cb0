"""What approvals say is called otherwise; whom codes go to is kept apart."""

from odoo.tools.sql import column_exists, rename_column


def migrate(cr, version):
    if column_exists(cr, 'refill_card_approval', 'details'):
        rename_column(cr, 'refill_card_approval', 'details', 'facts')
