from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_amount

from .account_move import CHANGE

MADE_BY_CARD = {
    'amount',
    'company_id',
    'currency_id',
    'journal_id',
    'move_id',
    'outstanding_account_id',
    'partner_id',
    'partner_type',
    'payment_method_id',
    'payment_method_line_id',
    'payment_type',
}


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    refill_card_ids = fields.One2many(
        comodel_name='refill.card',
        inverse_name='payment_id',
        groups='refill_cards.group_refill_card_user',
    )

    # -------------------------------------------------------------------------
    # WHERE PAYMENTS CHANGE
    # -------------------------------------------------------------------------

    def write(self, vals):
        """:raise ValidationError: when a payment is no longer what its card and its entry say."""
        self._check_refill_card_payment_unchanged(vals)
        with self.move_id._changing_refill_card_books(self):
            res = super().write(vals)
            if 'journal_id' in vals or 'payment_method_line_id' in vals:
                self._note_refill_card_states(new=True)
        return res

    def action_post(self):
        with self.move_id._changing_refill_card_books(self, by_action=True):
            # At once, as Odoo would first wait for a bank statement, which will never come.
            self.filtered(lambda payment: payment._is_settled_by_refill_card()).state = 'paid'
            return super().action_post()

    def _is_settled_by_refill_card(self):
        return (
            self._is_made_by_refill_card()
            and self.state in ('draft', 'in_process')
            and self.outstanding_account_id
            and not self.outstanding_account_id.reconcile
        )

    def action_draft(self):
        with self.move_id._changing_refill_card_books(self, by_action=True):
            return super().action_draft()

    def action_cancel(self):
        """Take back what cards have made by a reversal of today: the past stays as it was."""
        posted = self.filtered(lambda payment: payment._counts_by_refill_card())
        posted._reverse_refill_card_entries()
        with self.move_id._changing_refill_card_books(self, by_action=True):
            return super(AccountPayment, self - posted).action_cancel()

    def _note_refill_card_states(self, new=False):
        """Note what payments in a journal of cards say before they change."""
        # sudo: whoever may change a payment need not see its journal
        for payment in self.sudo().filtered('journal_id.books_refill_cards'):
            states = payment.move_id._get_change_of_refill_card_books().states
            states.setdefault(payment.id, None if new else payment.state)

    # -------------------------------------------------------------------------
    # WHAT A CARD MADE
    # -------------------------------------------------------------------------

    def _is_made_by_refill_card(self):
        return self.payment_method_code == 'refill_card'

    @api.constrains('destination_account_id', 'refill_card_ids')
    def _check_refill_card_credits_receivable(self):
        """:raise ValidationError: when the credit would not be where customers have theirs."""
        # sudo: whoever may touch the payment need not see the accounts
        for payment in self.sudo():
            if (
                payment._is_made_by_refill_card()
                and payment.destination_account_id.account_type != 'asset_receivable'
            ):
                raise ValidationError(
                    self.env._(
                        "A refill card is credited on a receivable account. Give the customer"
                        " %(customer)s one, in the company %(company)s.",
                        customer=payment.partner_id.display_name,
                        company=payment.company_id.display_name,
                    )
                )

    def _check_refill_card_payment_unchanged(self, vals):
        """Refuse to make something else of a payment that has an entry by a card.

        By its entry and not by its card, which a payment that was taken back has no more.

        :raise ValidationError: when the payment would change.
        """
        fnames = MADE_BY_CARD & vals.keys()
        change = self.env.cr.cache.get(CHANGE)
        if not fnames or change and change.may_correct:
            return
        # sudo: whoever may change a payment need not see its entry
        for payment in self.sudo().filtered('move_id'):
            fields_ = ((payment._fields[fname], fname) for fname in fnames)
            if payment._is_made_by_refill_card() and any(
                field.convert_to_cache(vals[fname], payment)
                != field.convert_to_cache(payment[fname], payment)
                for field, fname in fields_
            ):
                raise ValidationError(
                    self.env._(
                        "Payment %(payment)s was made by a refill card: its amount, customer,"
                        " journal and accounts stay as they are. Cancel it to take it back.",
                        payment=payment.display_name,
                    )
                )

    def _check_entry_books_refill_card_only(self, balances=None):
        """Check that the posted entry is the one that the card makes, and nothing else.

        :param list[float] balances: of the entry, see :meth:`_get_refill_card_balances`; left out,
            as the payment makes them.
        :raise ValidationError: when it is not.
        """
        self.ensure_one()
        currency, own = self.currency_id, self.company_id.currency_id
        customers = self.partner_id | self.partner_id.commercial_partner_id
        lines = self.move_id._get_refill_card_lines_in_order()
        balances = self._get_refill_card_balances() if balances is None else balances
        amounts = [-self.amount, *[0] * (len(balances) - 2), self.amount]
        if (
            len(lines) != len(balances)
            or lines[-1].account_id != self.outstanding_account_id
            or lines[0].account_id.account_type != 'asset_receivable'
            or any(
                line.account_id.internal_group not in ('income', 'expense') for line in lines[1:-1]
            )
            or lines.currency_id != currency
            or any(line.partner_id not in customers for line in lines)
            or any(map(currency.compare_amounts, lines.mapped('amount_currency'), amounts))
            or any(map(own.compare_amounts, lines.mapped('balance'), balances))
        ):
            raise ValidationError(
                self.env._(
                    "%(payment)s was made by a refill card: its entry debits %(account)s with"
                    " %(amount)s, credits a receivable account of %(customer)s with it, and books"
                    " nothing else. Cancel the payment to take it back.",
                    payment=self.display_name,
                    account=self.outstanding_account_id.display_name,
                    amount=format_amount(self.env, self.amount, currency),
                    customer=self.partner_id.display_name,
                )
            )

    def _get_refill_card_balances(self):
        """Return what the entry books in the company's currency, see :mod:`.account_move`.

        :return: the credit, the exchange difference if there is one, and the debit.
        :rtype: list[float]
        """
        company = self.company_id
        value = self.currency_id._convert(self.amount, company.currency_id, company, self.date)
        return [-value, value]

    # -------------------------------------------------------------------------
    # THE CARD FOLLOWS THE ENTRY
    # -------------------------------------------------------------------------

    def _follow_refill_card_entries(self, change):
        """Let payments say what their entries say, and give cards back whose entries ended.

        :param ChangeOfBooks change: see :mod:`.account_move`.
        :raise ValidationError: when a payment and its entry contradict each other.
        """
        for payment in self:
            if not payment._is_made_by_refill_card():
                continue
            entry = payment.move_id
            state = payment._get_state_of_entry()
            if change.may_correct or entry.id in change.followed_ids:
                if payment.state != state:
                    payment.state = state
            payment._check_refill_card_payment_agrees(state)
            if entry and state == 'canceled':
                payment._release_refill_cards()
            elif state not in ('draft', 'canceled'):
                payment._check_has_used_refill_card()

    def _get_state_of_entry(self):
        """Return the state that the payment has by its entry."""
        entry = self.move_id
        if not entry:
            return self.state if self.state == 'canceled' else 'draft'
        if entry.state == 'draft':
            return 'draft'
        if entry.state == 'cancel' or entry._get_posted_reversals():
            return 'canceled'
        # Nothing is waited for: the money came with the card.
        return 'in_process' if self.outstanding_account_id.reconcile else 'paid'

    def _check_refill_card_payment_agrees(self, state):
        """:raise ValidationError: when the payment and its entry contradict each other."""
        entry = self.move_id
        links = (self, self.journal_id, self.company_id)
        if entry and (entry.origin_payment_id, entry.journal_id, entry.company_id) != links:
            raise ValidationError(
                self.env._(
                    "%(entry)s belongs to the payment of a refill card and stays linked to it, in"
                    " its journal.",
                    entry=entry.display_name,
                )
            )
        if self.state != state:
            raise ValidationError(
                self.env._(
                    "Payment %(payment)s was made by a refill card and says what its entry says."
                    " Confirm it, cancel it or reset it to draft with its buttons instead.",
                    payment=self.display_name,
                )
            )

    def _check_has_used_refill_card(self):
        """:raise ValidationError: when no used card stands behind what is in the books."""
        card = self.refill_card_ids
        if (
            len(card) != 1
            or card.state != 'used'
            or card.currency_id != self.currency_id
            or self.currency_id.compare_amounts(card.price, self.amount)
        ):
            raise ValidationError(
                self.env._(
                    "A payment by refill card is made by redeeming a card, and is not confirmed"
                    " again once its card was given back."
                )
            )

    def _release_before_entry_deleted(self):
        """Give back the cards of payments whose entry is about to be deleted."""
        for payment in self.filtered(lambda payment: payment._is_made_by_refill_card()):
            payment.state = 'canceled'
            payment._release_refill_cards()

    def _release_refill_cards(self):
        """Disable the cards of payments that no longer count; running it again changes nothing."""
        for payment in self.filtered('refill_card_ids'):
            payment.refill_card_ids._release(payment._get_refill_card_day_taken_back())

    def _get_refill_card_day_taken_back(self):
        """Return on which day the payment counts no more: what was reversed counted till then.

        :rtype: datetime.date
        """
        return (self.move_id._get_posted_reversals()[:1] or self.move_id or self).date

    def _take_back(self, reason):
        """Take back the payment of a card.

        :param str reason: goes into the chatter.
        """
        for payment in self:
            payment.action_cancel()
            payment.message_post(body=reason)

    def _counts_by_refill_card(self):
        """Return whether a card's payment is in the books, and was not taken back."""
        return self._is_made_by_refill_card() and self._get_state_of_entry() in (
            'in_process',
            'paid',
        )

    def _reverse_refill_card_entries(self):
        """Reverse the entries of cards today, for good."""
        for payment in self:
            # Back to where it came from, even if that account was archived meanwhile.
            entry = payment.move_id.with_context(skip_account_deprecation_check=True)
            entry._reverse_moves([payment._prepare_reversal_values()], cancel=True)

    def _prepare_reversal_values(self):
        return {
            'date': self.company_id._get_refill_card_day(),
            'ref': self.env._("Reversal of: %(payment)s", payment=self.display_name),
        }
