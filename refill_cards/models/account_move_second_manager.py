from odoo import models

from ..refusals import RefillCardWaits
from ..wording import format_count

KINDS = ('sale_on_account', 'generation')


class AccountMove(models.Model):
    """Cards are sold on account once a second manager has approved it, above a limit.

    On account are cards that work before their invoice is paid. Cards that are made to order count
    as generated, too.
    """

    _inherit = 'account.move'

    def action_post(self):
        """Confirm it, or ask another manager first, with the cards kept for the draft."""
        if len(self) != 1 or not self._may_wait_for_a_second_manager():
            return super().action_post()
        try:
            with self.env.cr.savepoint():
                return super().action_post()
        except RefillCardWaits:
            # Those that are approved, and no others, are sold then.
            move_sudo = self.sudo()  # sudo: as when it is confirmed
            move_sudo._check_refill_card_day()
            lines_sudo = move_sudo._get_refill_card_lines('sale')
            lines_sudo._check_refill_card_sale()
            for line in lines_sudo:
                if line.product_id.refill_card_source != 'made':
                    line._reserve_sold_refill_cards(is_automatic=False)
            approval, action = self.env['refill.card.approval']._try(super().action_post)
            return approval._get_window_action() if approval else action

    def _may_wait_for_a_second_manager(self):
        return self.env['refill.card.approval']._concerns(self.company_id, *KINDS)

    def _prepare_refill_cards(self, is_automatic):
        for move in self:
            if move.is_sale_document(include_receipts=True) and move.move_type != 'out_refund':
                if not is_automatic:  # the superuser changes the cards, for a person
                    move.sudo(False)._require_to_sell_refill_cards()
                elif move.auto_post != 'no':  # a job confirms what somebody left to it
                    maker = (move.auto_post_origin_id or move).create_uid
                    move.with_user(maker)._require_to_sell_refill_cards()
        return super()._prepare_refill_cards(is_automatic)

    def _require_to_sell_refill_cards(self):
        """:raise RefillCardWaits: when another manager has to approve that."""
        if not self._may_wait_for_a_second_manager():
            return
        move = self.sudo()  # sudo: whoever confirms it
        lines = move._get_refill_card_lines('sale')
        if not lines:
            return
        cards = self.env['refill.card'].sudo()  # sudo: the same
        reserved = cards._get_reserved_domain(lines)
        count = format_count(self.env, round(sum(map(_count_cards, lines))))
        details = [line._describe_refill_cards(_count_cards(line)) for line in lines]
        details.append(cards._name_ranges(reserved))
        for kind, amounts in zip(KINDS, (lines._sum_on_account(), lines._sum_made()), strict=True):
            if amounts and self.env['refill.card.approval']._require(
                kind,
                'post',
                move.company_id,
                amounts,
                move._describe_for_approval(),
                self.env._("Sell %(count)s cards on account", count=count),
                details='\n'.join(details),
                cards=reserved,
                record=self,
            ):
                break  # of the invoice as a whole

    def _describe_for_approval(self):
        """Return all of the invoice that decides what is sold to whom.

        :rtype: dict
        """
        return {
            'move_id': self.id,
            'partner_id': self.partner_id.id,
            'works': self.refill_card_works,
            'total': self.amount_total,
            'currency_id': self.currency_id.id,
            'payment_term_id': self.invoice_payment_term_id.id,
            'recipient_id': self.refill_card_recipient_id.id,
            'lines': [
                [line.id, line.product_id.id, line.quantity, line.price_unit, line.discount]
                for line in self.invoice_line_ids.sorted('id')
            ],
        }


def _count_cards(line):
    return line._get_refill_card_count()


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    def _sum_on_account(self):
        """Return what cards are worth that work before they are paid.

        :rtype: dict[res.currency, float]
        """
        return self._sum_refill_cards(
            lambda line: (
                (line.move_id.refill_card_works or line.product_id.refill_card_works) != 'paid'
                and line._get_refill_card_count()
            )
        )

    def _sum_made(self):
        """Return what cards are worth that are made to order.

        :rtype: dict[res.currency, float]
        """
        cards = self.env['refill.card']
        return self._sum_refill_cards(
            lambda line: (
                line.product_id.refill_card_source == 'made'
                and line._get_refill_card_count() - cards._count_reserved(line)
            )
        )

    def _sum_refill_cards(self, count):
        amounts = {}
        for line in self:
            if number := count(line):
                currency = line.product_id.refill_card_currency_id
                value = number * line.product_id.refill_card_price
                amounts[currency] = amounts.get(currency, 0) + value
        return amounts
