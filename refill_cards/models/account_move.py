from contextlib import contextmanager
from typing import Any, NamedTuple

from odoo import models
from odoo.exceptions import ValidationError

# In the cursor's cache, where Odoo's accounting keeps what is under way, too: no client gets there.
CHANGE = 'refill_cards.change_of_books'


class Booking(NamedTuple):
    """What of an entry matters to the cards."""

    state: str
    date: Any  # datetime.date
    journal_id: int
    company_id: int
    payment_id: int
    reversed_id: int
    balances: list
    bill_id: int  # the line of an invoice that bills the card to whoever owes it
    lines: list


class ChangeOfBooks:
    """What a change of the books of cards has touched since its outermost block began."""

    def __init__(self):
        self.may_correct = False  # see `_correcting_refill_card_books`
        self.may_have_deleted = False
        self.bookings = {}  # entries as they were before, None for those that were no cards'
        self.other_ids = set()  # entries that were no cards' when they were first seen
        self.states = {}  # payments' states before, None for payments that became a card's
        self.followed_ids = set()  # entries that Odoo's own actions changed


class AccountMove(models.Model):
    """The books of refill cards hold what the cards made of them, whoever changes what.

    A posted entry in a journal of refill cards is the one that a used card makes, or its only
    reversal. The payment says what its entry says, and the card follows the entry: it is given
    back in the transaction in which the entry is cancelled, deleted or reversed. This is looked at
    when the outermost change ends, because Odoo's own actions go through contradictions; a bare
    write is such a change by itself.
    """

    _inherit = 'account.move'

    # -------------------------------------------------------------------------
    # WHERE ENTRIES CHANGE
    # -------------------------------------------------------------------------

    @contextmanager
    def _check_balanced(self, container):
        # Odoo goes through here whenever an entry or a line is created, written or deleted.
        with self._changing_refill_card_books(), super()._check_balanced(container):
            yield
            (self | container['records'])._note_refill_card_books(new=True)

    def _post(self, soft=True):
        with self._changing_refill_card_books(by_action=True):
            return super()._post(soft)

    def button_draft(self):
        with self._changing_refill_card_books(by_action=True):
            return super().button_draft()

    def button_cancel(self):
        # sudo: whoever may cancel an entry need not see its payment
        payments_sudo = self.sudo().origin_payment_id.filtered(
            lambda payment: payment._counts_by_refill_card()
        )
        if payments_sudo:
            payments_sudo.action_cancel()
        others = self - payments_sudo.move_id.sudo(self.env.su)
        with others._changing_refill_card_books(by_action=True):
            return super(AccountMove, others).button_cancel()

    def unlink(self):
        # sudo: whoever may delete an entry need not see its payment
        entries_sudo = self.sudo()._get_refill_card_entries() & self.sudo()
        payments_sudo = entries_sudo.origin_payment_id
        with (self | entries_sudo.reversal_move_ids)._changing_refill_card_books(by_action=True):
            if entries_sudo:
                payments_sudo._release_before_entry_deleted()
                self._get_change_of_refill_card_books().may_have_deleted = True
            return super().unlink()

    # -------------------------------------------------------------------------
    # CHANGES OF THE BOOKS
    # -------------------------------------------------------------------------

    @contextmanager
    def _correcting_refill_card_books(self):
        """Let trusted code write bare fields of cards' entries and payments: the one way to do so.

        For code as superuser that merges customers or mends data::

            with self.env['account.move']._correcting_refill_card_books():
                payments.write({'partner_id': customer.id})
                payments.move_id.line_ids.write({'partner_id': customer.id})

        When the block ends, payments are set to what their entries say, and cards whose entries
        count no more are given back. Entries must be what their cards make, as ever.

        :raise ValidationError: at the end, when they are not.
        """
        with self._changing_refill_card_books(may_correct=True):
            yield

    @contextmanager
    def _changing_refill_card_books(self, payments=None, *, by_action=False, may_correct=False):
        """Check what is changed inside, when the outermost of these blocks ends.

        :param account.payment payments: which change beside these entries.
        :param bool by_action: whether Odoo's own action changes the states of these entries; then
            their payments follow.
        :param bool may_correct: see :meth:`_correcting_refill_card_books`.
        :raise ValidationError: when the books and the cards would no longer agree.
        """
        cache = self.env.cr.cache
        is_outermost = CHANGE not in cache
        change = cache.setdefault(CHANGE, ChangeOfBooks())
        change.may_correct |= may_correct
        change.may_have_deleted |= may_correct
        try:
            self._note_refill_card_books(by_action)
            if payments:
                payments._note_refill_card_states()
            yield
            if is_outermost:
                # sudo: whoever changes the books need not see the cards
                self.sudo()._finish_changing_refill_card_books(change)
        finally:
            if is_outermost:
                cache.pop(CHANGE, None)

    def _get_change_of_refill_card_books(self):
        return self.env.cr.cache[CHANGE]

    def _note_refill_card_books(self, by_action=False, new=False):
        """Note what the entries of cards are like before they change."""
        if not self:
            return
        change = self._get_change_of_refill_card_books()
        # sudo: whoever may change an entry need not see its journal and payment
        entries_sudo = self.sudo()._get_refill_card_entries()
        change.other_ids.update(set(self.ids).difference(entries_sudo.ids))
        for entry_sudo in entries_sudo:
            entry_id = entry_sudo.id
            if entry_id not in change.bookings:
                is_new = new or entry_id in change.other_ids
                change.bookings[entry_id] = None if is_new else entry_sudo._get_booking()
            entry_sudo.origin_payment_id._note_refill_card_states()
            if by_action:
                change.followed_ids.add(entry_id)

    def _get_refill_card_entries(self):
        """Return those of the entries that have to do with cards, and what they reverse.

        :rtype: account.move
        """
        originals = self.reversed_entry_id
        entries = self | originals | originals.reversed_entry_id
        if not any(entries.journal_id.mapped('books_refill_cards')):
            return self.browse()
        return entries.filtered(
            lambda entry: any(
                (
                    entry | entry.reversed_entry_id | entry.reversed_entry_id.reversed_entry_id
                ).journal_id.mapped('books_refill_cards')
            )
        )

    def _get_booking(self):
        return Booking(
            self.state,
            self.date,
            self.journal_id.id,
            self.company_id.id,
            self.origin_payment_id.id,
            self.reversed_entry_id.id,
            self._get_refill_card_lines_in_order().mapped('balance'),
            self.line_ids.refill_card_bill_line_id.id,
            self._get_amounts(1),
        )

    def _get_refill_card_lines_in_order(self):
        """Return the lines of an entry: the credit, an exchange difference if any, the debit.

        :rtype: account.move.line
        """
        return self.line_ids.sorted('amount_currency')

    def _get_amounts(self, sign):
        """Return what is booked where and for whom, times the sign, to compare entries."""
        return sorted(
            (
                line.account_id.id,
                line.partner_id.id,
                line.currency_id.id,
                line.currency_id.round(sign * line.amount_currency),
                line.company_currency_id.round(sign * line.balance),
                line.refill_card_series_id.id,
                line.refill_card_debtor_id.id,
            )
            for line in self.line_ids
        )

    def _pays_by_refill_card(self):
        return self.origin_payment_id._is_made_by_refill_card()

    def _get_posted_reversals(self):
        return self.reversal_move_ids.filtered(lambda move: move.state == 'posted')

    # -------------------------------------------------------------------------
    # THE RULE
    # -------------------------------------------------------------------------

    def _finish_changing_refill_card_books(self, change):
        """Let payments and cards follow what was changed, and check that all agree.

        :param ChangeOfBooks change: what was changed.
        :raise ValidationError: when they do not.
        """
        if not change.bookings and not change.states:
            return
        entries = self.browse(change.bookings)
        payments = self.env['account.payment'].browse(change.states)
        if change.may_have_deleted:
            entries, payments = entries.exists(), payments.exists()
        now = {entry.id: entry._get_booking() for entry in entries}
        changed_ids = {key for key, old in change.bookings.items() if old != now.get(key)}
        both = [change.bookings[key] for key in changed_ids] + [now.get(k) for k in changed_ids]
        reversed_ids = {booking.reversed_id for booking in both if booking}
        payment_ids = {booking.payment_id for booking in both if booking}
        changed = entries.filtered(lambda entry: entry.id in changed_ids)
        affected = changed | entries.filtered(lambda entry: entry.id in reversed_ids)
        if not change.may_correct:
            changed._check_refill_card_state_by_button(change)
            changed._check_refill_card_reversal_linked(change)
        for key in changed_ids:
            self._check_refill_card_not_billed(change.bookings[key], now.get(key))
        payments.filtered(
            lambda payment: (
                payment.state != change.states[payment.id]
                or payment.id in payment_ids
                or payment.move_id in affected
            )
        )._follow_refill_card_entries(change)
        for entry in changed | affected._get_posted_reversals():
            before = change.bookings.get(entry.id)
            if entry.state == 'posted':
                entry._check_refill_card_origin(before)
            if before and before.date != entry.date:
                entry._follow_refill_card_day()

    def _follow_refill_card_day(self):
        """Let the history of cards follow an entry that has another day now."""
        events = self.env['refill.card.event']
        events._date_movements(self.origin_payment_id, 'redeemed', self.date)
        events._date_movements(self.reversed_entry_id.origin_payment_id, 'given_back', self.date)

    def _check_refill_card_state_by_button(self, change):
        """:raise ValidationError: when somebody wrote the bare state of an entry."""
        for entry in self - self.browse(change.followed_ids):
            before = change.bookings[entry.id]
            if before and before.state != entry.state:
                raise ValidationError(
                    self.env._(
                        "%(entry)s belongs to a refill card: confirm it, reset it to draft or"
                        " cancel it with its buttons, so that its payment and the card follow.",
                        entry=entry.display_name,
                    )
                )

    def _check_refill_card_not_billed(self, before, after):
        """:raise ValidationError: when an entry would count no more that was billed to a debtor.

        :param Booking before: None for what was no entry of a card.
        :param Booking after: None for what was deleted.
        """
        if before and before.bill_id and (not after or after.state != before.state):
            bill = self.env['account.move.line'].browse(before.bill_id).move_id
            raise ValidationError(
                self.env._(
                    "This entry of a refill card was billed to whoever owes its value, by"
                    " %(invoice)s, and stays. Undo the redemption of the card instead: that makes"
                    " a reversal, and lowers the next settlement.",
                    invoice=bill.display_name,
                )
            )

    def _check_refill_card_reversal_linked(self, change):
        """:raise ValidationError: when a posted reversal no longer says what it reverses."""
        for entry in self:
            before = change.bookings[entry.id]
            if (
                before
                and before.state == 'posted'
                and before.reversed_id != entry.reversed_entry_id.id
            ):
                raise ValidationError(
                    self.env._(
                        "%(entry)s takes back the payment of a refill card and stays linked to it.",
                        entry=entry.display_name,
                    )
                )

    def _check_refill_card_origin(self, before):
        """:raise ValidationError: when the posted entry is neither a card's nor its reversal.

        :param Booking before: what the entry was before it was changed, if known.
        """
        payment = self.origin_payment_id
        original = self.reversed_entry_id
        if self._pays_by_refill_card() and payment.move_id == self:
            is_kept = before and before.state == 'posted'
            payment._check_entry_books_refill_card_only(before.balances if is_kept else None)
        elif original._pays_by_refill_card():
            self._check_reverses_refill_card_once()
        elif original.reversed_entry_id._pays_by_refill_card():
            original._check_reverses_refill_card_once()
        elif self.journal_id.books_refill_cards:
            raise ValidationError(
                self.env._(
                    "%(journal)s takes only what refill cards book there, and its reversals. Take"
                    " another journal.",
                    journal=self.journal_id.display_name,
                )
            )

    def _check_reverses_refill_card_once(self):
        """:raise ValidationError: when a payment would be taken back twice, or in part."""
        original = self.reversed_entry_id
        if (
            original.state != 'posted'
            or original._get_posted_reversals() != self
            or self._get_posted_reversals()
            or original._get_amounts(-1) != self._get_amounts(1)
        ):
            raise ValidationError(
                self.env._(
                    "The payment of a refill card is taken back once, as a whole, and for good:"
                    " this entry would change that."
                )
            )
