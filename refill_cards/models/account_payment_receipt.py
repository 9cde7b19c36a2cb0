from odoo import fields, models


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _get_payment_receipt_report_values(self):
        """Add the card and the customer's new balance; leave out a table without invoices."""
        values = super()._get_payment_receipt_report_values()
        paid = self.reconciled_invoice_ids | self.reconciled_bill_ids
        values['display_invoices'] = values['display_invoices'] and bool(paid)
        if card_sudo := self.sudo().refill_card_ids[:1]:  # sudo: customers have no right on cards
            customer = self.partner_id.commercial_partner_id
            values['refill_card'] = {
                'serial': card_sudo.name,
                'balance': customer._get_refill_card_balance(self.company_id),
                'currency': self.company_id.currency_id,
                'day': fields.Date.context_today(self),
            }
        return values
