"""What outlives the addon, so that installing it again goes on where it was.

Entries in the books need the payment method, and serial numbers must not begin again with those of
cards that were redeemed. Odoo deletes a module's records by their external ids: while the addon is
not installed, these records have theirs under another name.
"""

MODULE = 'refill_cards'
KEPT_AS = '__refill_cards__'
KEPT = (
    'account_payment_method_refill_card',
    'sequence_refill_card_series',
    'sequence_refill_card_event',
    'partner_customer',  # of the demo data
)


def pre_init_hook(env):
    """Take up again what an earlier installation left."""
    _rename(env, KEPT_AS, MODULE)


def uninstall_hook(env):
    """Keep what must not go with the addon."""
    _rename(env, MODULE, KEPT_AS)


def _rename(env, old, new):
    records = env['ir.model.data'].search([('module', '=', old), ('name', 'in', KEPT)])
    records.module = new
