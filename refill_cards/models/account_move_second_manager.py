from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_date

from ..refusals import RefillCardWaits
from ..wording import format_count

KINDS = ('sale_on_account', 'generation')


class AccountMove(models.Model):
    """Cards are sold on account once a second manager has approved it, above a limit.

    On account are cards that work before their invoice is paid, or although it asks for less than
    half of what they are worth. Cards that are made to order count as generated, too.
    """

    _inherit = 'account.move'

    refill_card_left_by_id = fields.Many2one(
        comodel_name='res.users',
        copy=False,
        groups=fields.NO_ACCESS,
        help="Who left it to Odoo to confirm the invoice.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        moves = super().create(vals_list)
        moves.filtered(lambda move: move.auto_post != 'no')._note_left_to_odoo()
        return moves

    def write(self, vals):
        res = super().write(vals)
        if vals.get('auto_post', 'no') != 'no':
            self._note_left_to_odoo()
        return res

    def _note_left_to_odoo(self):
        if self.env.uid != SUPERUSER_ID:
            # sudo: nobody writes it by hand
            self.sudo().refill_card_left_by_id = self.env.uid

    def _get_fields_to_copy_recurring_entries(self, values):
        left_by = self.sudo().refill_card_left_by_id  # sudo: a job copies it
        values = super()._get_fields_to_copy_recurring_entries(values)
        if self.env.su:  # a person who confirms it leaves the next one to Odoo
            values['refill_card_left_by_id'] = left_by.id
        return values

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
            lines_sudo._keep_refill_cards_asked_for()
            approval, action = self.env['refill.card.approval']._try(super().action_post)
            return approval._get_window_action() if approval else action

    def _drop_refill_cards_asked_for(self):
        """Let go the cards that were kept because an approval was asked for."""
        lines = self.line_ids.filtered('refill_cards_asked_for')
        self.env['refill.card']._free(lines)
        lines.refill_cards_asked_for = False

    def _may_wait_for_a_second_manager(self):
        company = self.sudo().company_id  # sudo: whoever is judged
        return self.env['refill.card.approval']._concerns(company, *KINDS)

    def _prepare_refill_cards(self, is_automatic):
        for move in self:
            if move.is_sale_document(include_receipts=True) and move.move_type != 'out_refund':
                if not is_automatic:  # the superuser changes the cards, for a person
                    move.sudo(False)._require_to_sell_refill_cards()
                elif move.auto_post != 'no':  # a job confirms what somebody left to it
                    # Where nobody known did, as nobody, who has the limits of anybody.
                    judged = move.refill_card_left_by_id or self.env.ref('base.public_user')
                    move.with_user(judged)._require_to_sell_refill_cards()
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
        recipient = move._get_refill_card_recipient_to_approve(lines)
        details.append(cards._name_ranges(reserved))
        if recipient and move.refill_card_send_on:
            day = format_date(self.env, move.refill_card_send_on)
            details.append(self.env._("Send Cards on: %(day)s", day=day))
        for kind, amounts in zip(KINDS, (lines._sum_on_account(), lines._sum_made()), strict=True):
            if amounts and self.env['refill.card.approval']._require(
                kind,
                'post',
                move.company_id,
                amounts,
                move._describe_for_approval(),
                self.env._("Sell %(count)s cards on account", count=count),
                details='\n'.join(details),
                recipients=recipient,
                cards=reserved,
                record=self,
            ):
                break  # of the invoice as a whole

    def _check_may_address_refill_cards(self):
        """Sold cards that go to somebody else, or now, count as exported by whoever says so."""
        res = super()._check_may_address_refill_cards()
        cards = self.env['refill.card']
        lines = self.sudo().line_ids  # sudo: whoever may see the cards
        unsent = Domain('invoice_line_id', 'in', lines.ids) & cards._get_unsent_domain()
        amounts, companies = cards.sudo()._get_at_stake(unsent)  # sudo: the same
        if self.env['refill.card.approval']._exceeds('export', companies, amounts):
            raise UserError(
                self.env._(
                    "Another manager has to approve who gets the codes of so many sold cards."
                    " Send these cards by e-mail from their list, and you can ask for that."
                )
            )
        return res

    def _describe_for_approval(self):
        """Return all of the invoice that decides what is sold to whom.

        :rtype: dict
        """
        recipient = self._get_refill_card_recipient()
        return {
            'move_id': self.id,
            'partner_id': self.partner_id.id,
            'total': self.amount_total,
            'currency_id': self.currency_id.id,
            'payment_term_id': self.invoice_payment_term_id.id,
            'due': self._describe_due(),
            'recipient_id': recipient.id,
            'email': self.env['refill.card.key']._digest(recipient.email_normalized),
            'send_on': fields.Date.to_string(self.refill_card_send_on),
            'lines': [
                [
                    line.id,
                    line.product_id.id,
                    line.quantity,
                    line.price_unit,
                    line.discount,
                    line._get_refill_card_works(),
                    line.product_id.refill_card_by_mail,
                ]
                for line in self.invoice_line_ids.sorted('id')
            ],
        }

    def _gives_refill_cards_away(self, lines):
        """Return whether cards work once the invoice is paid, but are nearly given away by it.

        Whoever sells some for nothing, which is paid at once, has them work as on account.

        :param account.move.line lines: which sell cards.
        """
        company, worth = self.company_id, 0
        day = self.invoice_date or fields.Date.context_today(self)
        for currency, amount in lines._sum_refill_cards(_count_cards).items():
            worth += currency._convert(amount, company.currency_id, company, day)
        asked = min(self.amount_total, sum(lines.mapped('price_total')))
        return self.currency_id._convert(asked, company.currency_id, company, day) < worth / 2

    def _describe_due(self):
        """Return when it is due: a day that was chosen, else how many days after it is confirmed.

        :rtype: str | int
        """
        due, today = self.invoice_date_due, fields.Date.context_today(self)
        days = max(0, (due - (self.invoice_date or today)).days) if due else 0
        is_chosen = days > 0 and not self.invoice_payment_term_id
        return fields.Date.to_string(due) if is_chosen else days

    def _get_refill_card_recipient_to_approve(self, lines):
        """Return who gets the codes by e-mail; nobody where they do not go by e-mail.

        :param account.move.line lines: which sell cards.
        :rtype: res.partner
        """
        by_mail = lines.product_id.filtered('refill_card_by_mail')
        if not (self.refill_card_recipient_id or by_mail):
            return self.env['res.partner']
        return self._get_refill_card_recipient()


def _count_cards(line):
    return line._get_refill_card_count()


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    refill_cards_asked_for = fields.Boolean(
        copy=False,
        groups=fields.NO_ACCESS,
        help="Its cards are kept because an approval was asked for, and by nobody's choice.",
    )

    def _keep_refill_cards_asked_for(self):
        for line in self:
            if line.product_id.refill_card_source != 'made':
                is_chosen = bool(self.env['refill.card']._count_reserved(line))
                line._reserve_sold_refill_cards(is_automatic=False)
                line.refill_cards_asked_for |= not is_chosen

    def _get_refill_card_works(self):
        return self.move_id.refill_card_works or self.product_id.refill_card_works

    def _sum_on_account(self):
        """Return what cards are worth that work before they are paid, or are given away.

        :rtype: dict[res.currency, float]
        """
        paid = self.filtered(lambda line: line._get_refill_card_works() == 'paid')
        counted = self if paid and self.move_id._gives_refill_cards_away(paid) else self - paid
        return counted._sum_refill_cards(_count_cards)

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
