from odoo import models
from odoo.exceptions import UserError, ValidationError


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted.origin_payment_id._check_refill_card_entry()
        reversals = posted.filtered('reversed_entry_id')
        reversals._check_refill_card_reversal()
        # However and whenever a payment is reversed, its card no longer counts.
        reversals.reversed_entry_id.origin_payment_id._release_refill_cards()
        return posted

    def write(self, vals):
        if vals.get('state') in ('draft', 'cancel'):
            self._check_refill_card_stays_reversed()
        self._check_refill_card_links(vals)
        return super().write(vals)

    def _check_refill_card_links(self, vals):
        """Refuse to make an entry forget the payment of a card, or the entry that it reverses.

        :raise UserError: when a link changes by which the payment of a card is known.
        """
        # sudo: whoever may change the entry need not see the payment
        for fname in {'origin_payment_id', 'reversed_entry_id'} & vals.keys():
            for move in self.sudo().filtered(fname):
                original = move.reversed_entry_id if fname == 'reversed_entry_id' else move
                if original._pays_by_refill_card() and move[fname].id != vals[fname]:
                    raise UserError(
                        self.env._(
                            "Entry %(name)s belongs to the payment of a refill card and stays"
                            " linked to it.",
                            name=move.name,
                        )
                    )

    def _check_refill_card_reversal(self):
        """Refuse to take the payment of a card back twice, in part, or to bring it back.

        :raise ValidationError: before it gets into the books.
        """
        # sudo: whoever may post the entry need not see the payment
        for move in self.sudo():
            original = move.reversed_entry_id
            if original.reversed_entry_id._pays_by_refill_card() or (
                original._pays_by_refill_card()
                and (
                    original.state != 'posted'
                    or original._get_posted_reversals() != move
                    or original._get_amounts(-1) != move._get_amounts(1)
                )
            ):
                raise ValidationError(
                    self.env._(
                        "The payment of a refill card is taken back once, as a whole, and for good:"
                        " this entry would change that."
                    )
                )

    def _check_refill_card_stays_reversed(self):
        """:raise UserError: when the entry is half of a payment and its reversal."""
        # sudo: whoever may change the entry need not see the payment
        for move in self.sudo().filtered(lambda move: move.state == 'posted'):
            original = move.reversed_entry_id or move
            if original._pays_by_refill_card() and original._get_posted_reversals():
                raise UserError(
                    self.env._(
                        "Entry %(name)s belongs to the payment of a refill card that was reversed:"
                        " both entries stay as they are.",
                        name=move.name,
                    )
                )

    def _pays_by_refill_card(self):
        return self.origin_payment_id.payment_method_code == 'refill_card'

    def _get_posted_reversals(self):
        return self.reversal_move_ids.filtered(lambda move: move.state == 'posted')

    def _get_amounts(self, sign):
        """Return what is booked where and for whom, times the sign, to compare entries."""
        return sorted(
            (
                line.account_id.id,
                line.partner_id.commercial_partner_id.id,
                line.currency_id.id,
                line.currency_id.round(sign * line.amount_currency),
                line.company_currency_id.round(sign * line.balance),
            )
            for line in self.line_ids
        )
