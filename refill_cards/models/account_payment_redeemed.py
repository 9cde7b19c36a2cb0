from odoo import api, models
from odoo.fields import Domain

from .account_payment_use import Use

# While a card is redeemed, Odoo asks at nearly each step which invoices the new payment has paid,
# which payments have paid its new entry, and which entry the payment has, with SQL before which all
# is written. As long as nothing was reconciled the answer is known. Limited to redemptions (no
# client can send a `Use`): other payments are not the business of this addon.


def _get_new_payments(model, domain, fname):
    """Return the payments of which Odoo asks what names them, while cards are redeemed.

    :param model: that is searched.
    :param domain: what for.
    :param str fname: the field that names payments.
    :rtype: account.payment
    """
    if Use.get(model.env):
        match list(Domain(domain)):
            case [(name, 'in', ids)] if name == fname:
                return model.env['account.payment'].browse(ids)
    return model.env['account.payment']


class AccountMove(models.Model):
    _inherit = 'account.move'

    @api.model
    def _search(self, domain, *args, **kwargs):
        if payments := _get_new_payments(self, domain, 'origin_payment_id'):
            return payments.move_id._as_query()
        return super()._search(domain, *args, **kwargs)

    def _search_reconciled_payment_ids(self, operator, value):
        """Find no invoices of payments that have settled nothing yet."""
        if operator in ('in', '=') and Use.get(self.env):
            payments = self.env['account.payment'].browse(value)
            if not payments.invoice_ids and payments.move_id._has_settled_nothing():
                return [('id', 'in', [])]
        return super()._search_reconciled_payment_ids(operator, value)

    def _has_settled_nothing(self):
        lines = self.line_ids
        return not (lines.matched_debit_ids or lines.matched_credit_ids)


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    @api.model
    def _search(self, domain, *args, **kwargs):
        if payments := _get_new_payments(self, domain, 'payment_id'):
            return payments.move_id.line_ids._as_query()
        return super()._search(domain, *args, **kwargs)


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _search_reconciled_invoice_ids(self, operator, value):
        """Find no payments of entries that have settled nothing yet."""
        if operator in ('in', '=') and Use.get(self.env):
            entries = self.env['account.move'].browse(value)
            if not entries.matched_payment_ids and entries._has_settled_nothing():
                return [('id', 'in', [])]
        return super()._search_reconciled_invoice_ids(operator, value)
