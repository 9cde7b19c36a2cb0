from odoo import fields, models

from ..wording import format_count

PAYMENTS = [
    ('open', "Not paid"),
    ('paid', "Paid"),
    ('written_off', "Written off"),
]
MONEY = ('asset_cash', 'liability_credit_card')


class AccountMove(models.Model):
    """Cards that work once their invoice is paid follow what is paid of it.

    Judged by the state of the payment, whatever changed it. The lines keep the judgement, so that
    nothing happens twice, and two who judge at the same time wait for each other.
    """

    _inherit = 'account.move'

    def write(self, vals):
        res = super().write(vals)
        if 'matched_payment_ids' in vals:  # of which some have no entry to be reconciled
            self._follow_refill_card_payment()
        return res

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted._follow_refill_card_payment()
        return posted

    def _invoice_paid_hook(self):
        res = super()._invoice_paid_hook()
        self._follow_refill_card_payment()
        return res

    def _tell_cards_supplied(self, count):
        res = super()._tell_cards_supplied(count)
        self._follow_refill_card_payment()
        return res

    def _take_refill_cards_back(self):
        res = super()._take_refill_cards_back()
        self.line_ids.filtered('refill_card_payment').refill_card_payment = False
        return res

    def _follow_refill_card_payment(self):
        """Let cards work once their invoice is paid, and no longer when it is open again.

        Of these invoices, and of those that these entries of payments pay.
        """
        invoices = self.sudo()  # sudo: whoever books payments need not see the cards
        payments = invoices.origin_payment_id
        if any(payments.company_id.mapped('refill_card_only_paid')):  # until they reach the bank
            invoices |= payments.reconciled_invoice_ids
        for invoice in invoices.filtered(
            lambda move: move.is_sale_document(include_receipts=True) and move.state == 'posted'
        ):
            lines = invoice.line_ids.filtered('refill_card_payment')
            if not lines:
                continue
            payment = invoice._judge_refill_card_payment()
            for before, changed in lines.grouped('refill_card_payment').items():
                if before != payment:
                    changed.refill_card_payment = payment
                    changed.flush_recordset(['refill_card_payment'])
                    invoice._apply_refill_card_payment(changed, payment)

    def _judge_refill_card_payment(self):
        """Return a key of ``PAYMENTS``: whether the invoice is paid, and by money.

        :rtype: str
        """
        paid = ('paid',) if self.company_id.refill_card_only_paid else ('paid', 'in_payment')
        if self.payment_state not in paid:
            return 'open'
        debts = self.line_ids.filtered(lambda line: line.account_type == 'asset_receivable')
        entries = debts.matched_credit_ids.credit_move_id.move_id
        return 'written_off' if any(entry._writes_off() for entry in entries) else 'paid'

    def _writes_off(self):
        """Return whether an entry that settles invoices does so by anything else than money.

        Money are payments, lines of bank statements, and entries on bank accounts or with what is
        owed to the customer as a vendor. Differences of exchange and early payment discounts are
        no write-offs, nor are credit notes.
        """
        if self.move_type == 'out_refund' or self.exchange_diff_partial_ids:
            return False
        company = self.company_id
        discounts = (
            company.account_journal_early_pay_discount_loss_account_id
            | company.account_journal_early_pay_discount_gain_account_id
        )
        others = self.line_ids.filtered(
            lambda line: (
                line.account_type not in ('asset_receivable', *MONEY)
                and line.account_id not in discounts
                and not line.tax_line_id
            )
        )
        if payment := self.origin_payment_id:
            return bool(others & payment._seek_for_lines()[2])
        if self.statement_line_id:
            return any(line.account_id.internal_group in ('income', 'expense') for line in others)
        if any(line.account_type != 'liability_payable' for line in others):
            return True
        return not others and not any(line.account_type in MONEY for line in self.line_ids)

    def _apply_refill_card_payment(self, lines, payment):
        """Let the cards of lines follow what was judged.

        :param account.move.line lines: of this invoice.
        :param str payment: a key of ``PAYMENTS``.
        """
        cards = self.env['refill.card'].with_company(self.company_id)
        if payment == 'paid':
            cards._work_once_paid(lines)
        elif payment == 'open':
            cards._stop_while_unpaid(lines)
            if used := cards._count_used(lines):
                self._schedule_refill_card_activity(
                    self.env._("Refill cards were used, and their invoice is not paid any more"),
                    self.env._(
                        "Cards that were used while the invoice was paid: %(count)s. The others are"
                        " disabled until it is paid again.",
                        count=format_count(self.env, used),
                    ),
                )
        else:
            self._schedule_refill_card_activity(
                self.env._("Shall these refill cards work?"),
                self.env._(
                    "The invoice was settled by a write-off, not by a payment: its cards do not"
                    " work. Activate them if they shall."
                ),
            )


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    refill_card_payment = fields.Selection(
        selection=PAYMENTS,
        string="Payment of Cards",
        readonly=True,
        copy=False,
        help="Of cards that work once their invoice is paid; empty for others.",
    )
