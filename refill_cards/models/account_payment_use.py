from typing import Any, NamedTuple

from odoo import fields, models
from odoo.exceptions import ValidationError


class Use(NamedTuple):
    """What redeeming a card debits, in the context while its payment is made.

    No client can send one.
    """

    account: Any  # account.account
    series: Any  # refill.card.series
    debtor: Any  # res.partner: who owes the value; empty where it is the company's own liability
    # Of a card that another company issued: how that company books it once it is billed.
    terms: str | bool = False
    holder: Any = None  # res.partner
    # Of a card in another currency that was sold: what the debit is in the company's currency.
    value: float | None = None

    @classmethod
    def get(cls, env):
        """Return what is under way, None when no card is being redeemed."""
        use = env.context.get('refill_card_use')
        return use if isinstance(use, cls) else None


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _compute_outstanding_account_id(self):
        by_card = self.filtered(lambda payment: payment._is_made_by_refill_card())
        # What an entry debits stays, also when the same payment method is written once more.
        booked = by_card.filtered('move_id')
        for payment in booked:
            payment.outstanding_account_id = payment.outstanding_account_id
        res = super(AccountPayment, self - booked)._compute_outstanding_account_id()
        if use := Use.get(self.env):  # not of what other addons book along
            (by_card - booked).outstanding_account_id = use.account
        return res

    def _prepare_move_line_default_vals(self, write_off_line_vals=None, force_balance=None):
        """Let the debit say of which series the card was, and who owes its value.

        It is what the card is worth in the books; the credit is at the rate of the day.
        """
        value = self._get_refill_card_debit()
        if value is not None:  # what there was is made anew
            write_off_line_vals = None
        lines = super()._prepare_move_line_default_vals(write_off_line_vals, force_balance)
        if value is not None:
            lines += self._prepare_refill_card_exchange(value - lines[0]['debit'])
            lines[0]['debit'] = value
        if (use := Use.get(self.env)) and self._is_made_by_refill_card():
            lines[0]['refill_card_series_id'] = use.series.id
            lines[0]['refill_card_debtor_id'] = use.debtor.id
            if use.terms:
                lines[0]['refill_card_terms'] = use.terms
                lines[0]['refill_card_holder_id'] = use.holder.id
        return lines

    def _get_refill_card_debit(self):
        """Return what the entry debits in the company's currency, None for the day's rate.

        :rtype: float | None
        """
        if not self._is_made_by_refill_card():
            return None
        use = Use.get(self.env)
        # sudo: whoever changes a draft need not see the card
        if not use and (card_sudo := self.sudo().refill_card_ids):
            use = card_sudo._get_use(self.company_id, self.payment_method_line_id)
        return use.value if use else None

    def _get_refill_card_balances(self):
        credit, debit = super()._get_refill_card_balances()
        value = self._get_refill_card_debit()
        if value is None or self.company_currency_id.is_zero(value - debit):
            return [credit, debit]
        return [credit, debit - value, value]

    def _prepare_refill_card_exchange(self, difference):
        """Return the line that takes what the debit is more than the credit.

        :param float difference: in the company's currency.
        :rtype: list[dict]
        """
        if self.company_currency_id.is_zero(difference):
            return []
        return [
            {
                'name': self.env._("Exchange difference of refill cards"),
                'account_id': self.company_id._get_refill_card_exchange_account(difference).id,
                'partner_id': self.partner_id.id,
                'currency_id': self.currency_id.id,
                'amount_currency': 0,
                'balance': -difference,
            }
        ]

    def _check_entry_books_refill_card_only(self, balances=None):
        """Check that the entry says of which series the card was and who owes it, too."""
        super()._check_entry_books_refill_card_only(balances)
        if not (card := self.refill_card_ids):
            return
        debit = self.move_id.line_ids.filtered(lambda line: line.amount_currency > 0)
        use = card._get_use(self.company_id, self.payment_method_line_id)
        # Cards were redeemed before companies had these accounts.
        if use.account == debit.account_id and (
            debit.refill_card_debtor_id != use.debtor
            or use.debtor
            and debit.refill_card_series_id != use.series
            or (debit.refill_card_terms or False) != use.terms
            or use.terms
            and debit.refill_card_holder_id != use.holder
        ):
            raise ValidationError(
                self.env._(
                    "%(payment)s was made by a refill card: its entry says of which series the card"
                    " was, and who owes its value. Cancel the payment to take it back.",
                    payment=self.display_name,
                )
            )


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    refill_card_series_id = fields.Many2one(
        comodel_name='refill.card.series',
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        help="Of the card that was redeemed.",
    )
    refill_card_debtor_id = fields.Many2one(
        comodel_name='res.partner',
        string="Owes the Refill Card",
        readonly=True,
        index='btree_not_null',
        ondelete='restrict',
        help="Who owes the value of a redeemed card: a reseller who had it on consignment, or the"
        " company that issued it.",
    )
    # Of a card that another company issued: none of the business of who redeemed it.
    refill_card_terms = fields.Char(readonly=True, copy=False, groups=fields.NO_ACCESS)
    refill_card_holder_id = fields.Many2one(
        comodel_name='res.partner',
        readonly=True,
        copy=False,
        groups='base.group_system',  # as Privacy Lookup looks for persons everywhere
        index='btree_not_null',
        ondelete='restrict',
    )
