from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from ..wording import format_count


class AccountMoveLine(models.Model):
    """The cards that a line sells, or takes back in a credit note."""

    _inherit = 'account.move.line'

    def _reserve_sold_refill_cards(self, is_automatic):
        """Keep for the draft line the cards that it sells, those that were chosen or the next ones.

        :param bool is_automatic: no person is there: what is missing is owed.
        :raise UserError: when there are too few cards, or other than the line says.
        """
        self.ensure_one()
        cards, count = self.env['refill.card'], round(self._get_refill_card_count())
        reserved = cards._count_reserved(self)
        if reserved > count:
            raise UserError(
                self.env._(
                    "%(line)s: %(reserved)s cards were chosen. Choose as many as the line sells.",
                    line=self._describe_refill_cards(count),
                    reserved=format_count(self.env, reserved),
                )
            )
        cards._check_reserved_sellable(self)
        missing = count - reserved
        if missing:
            missing -= self.env['refill.card.series']._supply(self, missing)
        if missing and not is_automatic:
            raise UserError(
                self.env._(
                    "%(line)s: cards are missing (%(missing)s). Generate cards of %(price)s for"
                    " sale, or sell fewer.",
                    line=self._describe_refill_cards(count),
                    missing=format_count(self.env, missing),
                    price=format_amount(
                        self.env,
                        self.product_id.refill_card_price,
                        self.product_id.refill_card_currency_id,
                    ),
                )
            )
        self.refill_cards_owed = missing
        if missing:  # others may only just hold them
            self.env['refill.card.series']._supply_owed_cards()
        if self._sells_refill_cards_in_another_currency():
            self.refill_card_value = self._get_refill_card_value()[1]
        series = cards._get_reserved_series(self)
        self.refill_card_series_id = series if len(series) == 1 and not missing else False

    def _reserve_returned_refill_cards(self):
        """Keep for the line of a credit note the cards that it takes back.

        Those that were chosen, else the newest unused ones of the invoice. What is owed is first.

        :raise UserError: when there are too few.
        """
        self.ensure_one()
        cards, count = self.env['refill.card'], round(self._get_refill_card_count())
        cards._check_reserved_returnable(self)
        missing, value = count - cards._count_reserved(self), 0
        invoice = self.move_id.reversed_entry_id
        buyer = invoice.partner_id.commercial_partner_id  # wherever they belong now
        sold = invoice.line_ids.filtered(
            lambda line: (
                line.refill_card_role == 'sale'
                and line.product_id == self.product_id
                and buyer in (self.move_id.partner_id.commercial_partner_id, buyer.browse())
            )
        )
        for line in sold.filtered('refill_cards_owed') if missing > 0 else ():
            taken = min(missing, line.refill_cards_owed)
            line.refill_cards_owed -= taken
            value += taken * (line._get_refill_card_unit_value() or 0)
            line.move_id._close_cards_owed()
            missing -= taken
        if missing > 0 and sold:
            missing -= cards._reserve(self, cards._get_returnable_domain(sold), missing, 'id desc')
        if missing:
            raise UserError(self._get_return_problem(count, missing, sold))
        if self._sells_refill_cards_in_another_currency():
            reserved = cards._get_historical_values(cards._get_reserved_domain(self))
            self.refill_card_value = value + sum(balance for *_others, balance in reserved.values())

    def _get_return_problem(self, count, missing, sold):
        line = self._describe_refill_cards(count)
        if missing < 0:
            return self.env._(
                "%(line)s: more cards were chosen. Choose as many as the line takes back.",
                line=line,
            )
        if not sold:
            return self.env._(
                "%(line)s: say which cards come back, with Choose Cards, or make the credit note"
                " from the invoice that sold them.",
                line=line,
            )
        return self.env._(
            "%(line)s: only %(count)s of these cards can be returned, the others were used."
            " Credit only the cards that were not used.",
            line=line,
            count=format_count(self.env, count - missing),
        )

    def _describe_refill_cards(self, count):
        """Return a number of cards of the line's product, for a sentence."""
        return self.env._(
            "%(count)s × %(product)s",
            count=format_count(self.env, count),
            product=self.product_id.name,
        )

    @api.model
    def _cron_supply_owed(self):
        """Hand out the cards that were sold when there were too few, the oldest sales first."""
        owing = [('refill_cards_owed', '>', 0), ('parent_state', '=', 'posted')]
        for line in self.search(owing, order='date, id'):
            if not (line := line.try_lock_for_update(allow_referencing=True).exists()):
                continue
            supplied = self.env['refill.card.series']._supply(line, line.refill_cards_owed)
            if supplied:
                cards = self.env['refill.card']
                day = line.company_id._get_refill_card_day()
                cards._sell_reserved(line, cards._next_reference(), day)
                line.refill_cards_owed -= supplied
                line.move_id._tell_cards_supplied(supplied)
            if not self.env['ir.cron']._commit_progress(1):
                break
