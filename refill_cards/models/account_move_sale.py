from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..wording import format_count
from .product_template import WORKS

# What stays of a confirmed invoice that cards follow, beside its lines.
FROZEN = {
    'date',
    'invoice_date',
    'move_type',
    'partner_id',
    'payment_state',
    'refill_card_works',
    'reversed_entry_id',
}


class AccountMove(models.Model):
    """Cards go with the invoice that sells them, through whatever door it changes its state."""

    _inherit = 'account.move'

    refill_card_works = fields.Selection(
        selection=WORKS,
        string="Cards Work",
        help="Left empty, as their products say.",
    )

    def write(self, vals):
        """:raise UserError: when the cards of an invoice do not allow its new values."""
        if names := FROZEN & vals.keys():
            self._check_refill_cards_allow({name: vals[name] for name in names})
        if 'state' not in vals:
            res = super().write(vals)
            if 'commercial_partner_id' in vals:  # the customer belongs to somebody else now
                self._move_refill_cards_to_customer()
            return res
        # sudo: whoever changes invoices need not see the cards
        about_cards = self.sudo().filtered(lambda move: move._is_about_refill_cards())
        posted = about_cards.filtered(lambda move: move.state == 'posted')
        others = about_cards - posted
        if vals['state'] != 'posted':
            posted._take_refill_cards_back()
        else:
            others._prepare_refill_cards(is_automatic=self.env.su)
        res = super().write(vals)
        if vals['state'] == 'posted':
            others._hand_out_refill_cards()
        elif about_cards and vals['state'] == 'cancel':
            about_cards._release_refill_card_reservations()
        return res

    def _is_about_refill_cards(self):
        return any(self.line_ids.mapped('refill_card_role'))

    def _get_refill_card_lines(self, role):
        """Return the lines that have a role, see ``account.move.line``.

        :rtype: account.move.line
        """
        return self.line_ids.filtered(lambda line: line.refill_card_role == role)

    # -------------------------------------------------------------------------
    # CARDS FOLLOW
    # -------------------------------------------------------------------------

    def _prepare_refill_cards(self, is_automatic):
        """Find the cards of invoices that are about to be confirmed, and keep them for these.

        Before anything is numbered, as this may be refused.

        :param bool is_automatic: no person is there to read a refusal: missing cards are owed.
        :raise UserError: when an invoice cannot sell cards, or take them back, as it is.
        """
        for move in self:
            lines = move._get_refill_card_lines('sale')
            if not lines:
                continue
            move._check_refill_card_day()
            lines._check_refill_card_sale()
            for line in lines:
                if move.move_type == 'out_refund':
                    line._reserve_returned_refill_cards()
                else:
                    line._reserve_sold_refill_cards(is_automatic)
            move._check_refill_card_liability(lines)

    def _hand_out_refill_cards(self):
        """Hand out the cards of confirmed invoices, or take back those of credit notes."""
        cards = self.env['refill.card']
        for move in self:
            reference = None
            for line in move._get_refill_card_lines('sale'):
                reference = reference or cards._next_reference()
                if move.move_type == 'out_refund':
                    cards._return_reserved(line, reference)
                else:
                    cards._sell_reserved(line, reference, move.date)
            move._tell_cards_owed()

    def _take_refill_cards_back(self):
        """Take back the cards of invoices that are about to count no more.

        :raise UserError: when one was used, or the invoice is a credit note.
        """
        cards = self.env['refill.card']
        for move in self:
            lines = move._get_refill_card_lines('sale')
            if not lines:
                continue
            if move.move_type == 'out_refund':
                raise UserError(
                    self.env._(
                        "%(note)s took refill cards back, which may have been sold again since. It"
                        " stays confirmed; make an invoice instead.",
                        note=move.display_name,
                    )
                )
            cards._check_sold_unused(lines)
            lines.refill_cards_owed = 0
            move._close_cards_owed()
            reference = cards._next_reference()
            for line in lines:
                cards._return_sold(line, reference)

    def _move_refill_cards_to_customer(self):
        """Let sold cards be held by the customer of their invoice, wherever that belongs now."""
        cards_sudo = self.env['refill.card'].sudo()  # sudo: whoever changes contacts
        for move in self.sudo():
            if lines := move._get_refill_card_lines('sale'):
                sold = Domain('invoice_line_id', 'in', lines.ids)
                cards_sudo._set_terms(sold, holder_id=move.commercial_partner_id.id or None)

    def _release_refill_card_reservations(self):
        self.env['refill.card']._free(self.line_ids)

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _check_refill_card_day(self):
        """:raise UserError: when cards would be handed out before the day of their invoice."""
        today = max(fields.Date.context_today(self), self.company_id._get_refill_card_day())
        if (self.invoice_date or today) > today or self.date > today:
            raise UserError(
                self.env._(
                    "Refill cards are handed out when their invoice is confirmed. Its date is in"
                    " the future: choose today, or confirm it then."
                )
            )

    def _check_refill_cards_allow(self, vals):
        """:raise UserError: when a confirmed invoice would say something else to its cards."""
        # sudo: whoever writes
        for move in self.sudo().filtered(lambda move: move.state == 'posted'):
            if move._would_change(vals):
                for line in move.line_ids.filtered('refill_card_role')[:1]:
                    raise UserError(line._get_refill_card_frozen_sentence())

    def _check_refill_card_liability(self, lines):
        """:raise UserError: when not the face value of the cards would be booked.

        :param account.move.line lines: which sell cards or take them back.
        """
        values = [line._get_refill_card_value() for line in lines]
        expected, expected_balance = (sum(each) for each in zip(*values, strict=True))
        expected_balance += sum(line._get_refill_card_exchange() for line in lines)
        booked = self.line_ids.filtered(
            lambda line: (
                line.refill_card_role == 'sale'
                or line.display_type == 'discount'
                and line.account_id in lines.account_id
            )
        )
        sign = self.direction_sign
        if self.currency_id.compare_amounts(
            sum(booked.mapped('amount_currency')), sign * expected
        ) or self.company_currency_id.compare_amounts(
            sum(booked.mapped('balance')), sign * expected_balance
        ):
            raise UserError(
                self.env._(
                    "The discount lines of %(invoice)s were changed: not the face value of its"
                    " refill cards would be booked on %(account)s. Enter the prices again.",
                    invoice=self.display_name,
                    account=lines.account_id.display_name,
                )
            )

    def _tell_cards_owed(self):
        """Leave whoever sells an activity about cards that are missing."""
        for move in self:
            owed = sum(move.line_ids.mapped('refill_cards_owed'))
            if owed:
                move._schedule_refill_card_activity(
                    self.env._("Refill cards are owed"),
                    self.env._(
                        "Cards that were sold when there were too few: %(count)s. Generate cards"
                        " for sale, and these are handed out by themselves.",
                        count=format_count(self.env, owed),
                    ),
                )

    def _schedule_refill_card_activity(self, summary, note):
        """Leave whoever sold the cards an activity on the invoice, or an accountant."""
        seller = self.invoice_user_id.filtered(lambda user: user.active and not user.share)
        # Whoever shops on the web is told nothing.
        accountants = self.company_id._get_refill_card_accountants()
        self.activity_schedule(
            'mail.mail_activity_data_warning',
            summary=summary,
            note=note,
            user_id=(seller or accountants[:1] or self.env.user).id,
        )

    def _tell_cards_supplied(self, count):
        """:param int count: how many cards that were owed were handed out now."""
        self.message_post(
            body=self.env._(
                "Cards that were owed and are handed out now: %(count)s.",
                count=format_count(self.env, count),
            )
        )
        self._close_cards_owed()

    def _close_cards_owed(self):
        """Close the activity about missing cards, once none are."""
        if not any(self.line_ids.mapped('refill_cards_owed')):
            summary = self.env._("Refill cards are owed")
            self.activity_ids.filtered(
                lambda activity: activity.summary == summary
            ).action_feedback()
