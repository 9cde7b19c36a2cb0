import logging

from odoo import models
from odoo.tools import format_amount
from psycopg2 import OperationalError

_logger = logging.getLogger(__name__)


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _post(self, soft=True):
        """Let prepaid credit pay the invoices that are confirmed.

        Never at the price of the confirmation: what fails stays open.
        """
        self.filtered('posted_before')._give_back_credit_of_others()
        posted = super()._post(soft)
        invoices = posted.filtered(lambda move: move.move_type in ('out_invoice', 'out_receipt'))
        if invoices:
            # As for a redemption: a context of our own, no right is needed on what other branches
            # booked, and our sentence in the chatter says what tracking would.
            context = {key: self.env.context.get(key) for key in ('lang', 'tz')}
            context['tracking_disable'] = True
            invoices.with_env(self.env(su=True, context=context))._use_refill_card_credit()
        return posted

    def _reverse_moves(self, default_values_list=None, cancel=False):
        """An entry for prepaid credit that is reversed is not reversed by what it paid, too."""
        if cancel:
            partials = self.line_ids.matched_debit_ids | self.line_ids.matched_credit_ids
            partials = partials.filtered(lambda partial: partial.refill_card_move_id in self)
            partials.refill_card_move_id = False
        return super()._reverse_moves(default_values_list, cancel)

    def _use_refill_card_credit(self):
        """Pay with the credit of the invoices' customers; see ``account.move.line``."""
        payable = self.filtered(lambda move: move.company_id.refill_card_pay_invoices)
        partners = payable.commercial_partner_id.filtered('refill_card_pay_invoices')
        if not partners:
            return
        lines = self.env['account.move.line']
        lines._use_refill_card_credit_on_commit(partners)
        try:
            with lines._all_or_nothing():
                lines._use_open_refill_card_credit(partners)
        except OperationalError:
            raise
        except Exception:
            _logger.exception("Prepaid credit was not used for invoices %s", self.ids)

    def _give_back_credit_of_others(self):
        """Free the credit that paid an invoice before it was given to another customer."""
        # sudo: whoever may confirm the invoice need not see the other customer's payment
        for move in self.sudo():
            partials = move._get_refill_card_partials()
            partials.filtered(
                lambda partial: (
                    partial.credit_move_id.partner_id.commercial_partner_id
                    != partial.debit_move_id.partner_id.commercial_partner_id
                )
            ).unlink()

    # -------------------------------------------------------------------------
    # WHAT CREDIT PAID
    # -------------------------------------------------------------------------

    def _get_refill_card_partials(self):
        """Return what prepaid credit pays of the invoice.

        :rtype: account.partial.reconcile
        """
        receivable = self.line_ids.filtered(lambda line: line.account_type == 'asset_receivable')
        return receivable.matched_credit_ids.filtered(
            lambda partial: partial.credit_move_id.move_id._gives_refill_card_credit()
        )

    def _gives_refill_card_credit(self):
        """Return whether this is the entry of a card, or took its credit to another account."""
        return self._pays_by_refill_card() or (
            self._is_refill_card_companion()
            and all(line.account_type == 'asset_receivable' for line in self.line_ids)
        )

    def _is_refill_card_companion(self):
        lines = self.line_ids
        partials = lines.matched_debit_ids + lines.matched_credit_ids
        return self in partials.refill_card_move_id

    def _get_refill_card_paid(self):
        """Return how much of the invoice prepaid credit paid, in its currency.

        :rtype: float
        """
        return sum(self._get_refill_card_partials().mapped('debit_amount_currency'))

    def _get_refill_card_sentence(self):
        """Return the sentence that says what prepaid credit paid."""
        return self.env._(
            "Paid by prepaid credit %(paid)s, open %(open)s",
            paid=format_amount(self.env, self._get_refill_card_paid(), self.currency_id),
            open=format_amount(self.env, self.amount_residual, self.currency_id),
        )
