"""What outlives the addon, so that installing it again goes on where it was.

Entries in the books need the payment method, and serial numbers must not begin again with those of
cards that were redeemed. Odoo deletes a module's records by their external ids: while the addon is
not installed, these records have theirs under another name.
"""

from odoo.tools import SQL

MODULE = 'refill_cards'
KEPT_AS = '__refill_cards__'
# What these refer to cannot be deleted while they are there. Their tables go a little later.
REFERRING = ('refill.card.sending', 'refill.card.export', 'refill.card.event')
KEPT = (
    'account_payment_method_refill_card',
    'sequence_refill_card_series',
    'sequence_refill_card_event',
    # Of the demo data.
    'company_corner_shop',
    'partner_customer',
)


def pre_init_hook(env):
    """Take up again what an earlier installation left."""
    _rename(env, KEPT_AS, MODULE)


def uninstall_hook(env):
    """Keep what must not go with the addon, and let go what must."""
    _rename(env, MODULE, KEPT_AS)
    env.flush_all()
    for model in REFERRING:
        # In SQL: nobody deletes history.
        env.cr.execute(SQL("DELETE FROM %s", SQL.identifier(env[model]._table)))
    # Odoo drops the tables, and with them what calls it.
    env.cr.execute(SQL("DROP FUNCTION IF EXISTS refill_card_tally, refill_card_deleted CASCADE"))
    env.invalidate_all()


def _rename(env, old, new):
    records = env['ir.model.data'].search([('module', '=', old), ('name', 'in', KEPT)])
    records.module = new
    records.flush_recordset(['module'])  # external ids are looked up in SQL
