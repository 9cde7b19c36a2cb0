from odoo import models


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _pay_open_invoices(self):
        """Let the customer's credit, with these payments', pay what is open, oldest due first."""
        customer = self.partner_id
        if not (self.company_id.refill_card_pay_invoices and customer.refill_card_pay_invoices):
            return
        lines = self.env['account.move.line']
        if debts := lines._find_refill_card_debts(customer):
            lines._use_refill_card_credit(lines._find_refill_card_credits(customer), debts)
        if not all(self.mapped('is_reconciled')):
            lines._use_refill_card_credit_on_commit(customer)

    def _get_paid_by_refill_card(self):
        """Return what the card paid, also where its credit went to another account first.

        :rtype: account.partial.reconcile
        """
        partials = self.move_id.line_ids.matched_debit_ids
        transferred = partials.filtered(
            lambda partial: partial.debit_move_id.move_id == partial.refill_card_move_id
        )
        return partials - transferred + transferred.refill_card_move_id.line_ids.matched_debit_ids

    def _prepare_refill_card_result(self):
        """Return what is told to whoever redeemed; see ``refill.card.redeem_code``."""
        self.ensure_one()
        company = self.company_id
        return {
            'serial': self.memo,
            'amount': self.amount,
            'currency': self.currency_id.name,
            'payment': self.name,
            'payment_id': self.id,
            'balance': self.partner_id._get_refill_card_balance(company),
            'balance_currency': company.currency_id.name,
            'invoices': [
                {
                    'name': partial.debit_move_id.move_id.name,
                    'amount': partial.debit_amount_currency,
                    'currency': partial.debit_currency_id.name,
                }
                for partial in self._get_paid_by_refill_card()
            ],
        }
