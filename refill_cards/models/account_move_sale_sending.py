from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..wording import format_count

# An e-mail with more cards is none that a mail server takes.
MAXIMUM = 500
ADDRESS = {'refill_card_recipient_id', 'refill_card_send_on'}


class AccountMove(models.Model):
    """Cards that go to the customer, or to whom they are a gift, by e-mail once they work."""

    _inherit = 'account.move'

    refill_card_recipient_id = fields.Many2one(
        comodel_name='res.partner',
        string="Send Cards to",
        copy=False,
        tracking=True,
        help="Gets the cards by e-mail, once they work. Left empty, the customer gets those whose"
        " products are sent by e-mail.",
    )
    refill_card_message = fields.Text(
        string="Message with the Cards", copy=False, help="Stands in the e-mail with the cards."
    )
    refill_card_send_on = fields.Date(
        string="Send Cards on",
        copy=False,
        tracking=True,
        index='btree_not_null',
        help="The day on which the e-mail goes out. Left empty, it goes once the cards work.",
    )

    def write(self, vals):
        if ADDRESS & vals.keys() and (posted := self.filtered(lambda m: m.state == 'posted')):
            posted._check_may_address_refill_cards()
        return super().write(vals)

    def _check_may_address_refill_cards(self):
        """:raise AccessError: when somebody without rights on cards says who gets sold ones."""
        self.env['refill.card']._check_may_hand_out()

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted._send_refill_cards()
        return posted

    def _tell_cards_supplied(self, count):
        res = super()._tell_cards_supplied(count)
        self._send_refill_cards()
        return res

    def _apply_refill_card_payment(self, lines, payment):
        res = super()._apply_refill_card_payment(lines, payment)
        if payment == 'paid':
            self._send_refill_cards()
        return res

    def _send_refill_cards(self):
        """Send the cards that work and were not sent: one e-mail an invoice, with one PDF.

        Never at the price of the sale or the payment: what fails is an activity.
        """
        for invoice in self.sudo():  # sudo: whoever sells or pays need not see the cards
            lines = invoice._get_refill_card_lines('sale')
            if not invoice.refill_card_recipient_id:
                lines = lines.filtered('product_id.refill_card_by_mail')
            if not lines or invoice.state != 'posted' or invoice.move_type == 'out_refund':
                continue
            today = invoice.company_id._get_refill_card_day()
            if (invoice.refill_card_send_on or today) <= today:
                invoice._mail_refill_cards(lines)

    def _mail_refill_cards(self, lines):
        """:param account.move.line lines: whose cards are sent."""
        # By Odoo itself, which may see the codes; the e-mail never shows them to anybody else.
        cards = self.env['refill.card'].with_user(SUPERUSER_ID).with_company(self.company_id)
        cards = cards.search(
            Domain('invoice_line_id', 'in', lines.ids)
            & cards._get_unsent_domain()
            & cards._get_redeemable_domain()
            & Domain('state', '=', 'active'),
            limit=MAXIMUM + 1,
        )
        if not cards:
            return
        partner = self._get_refill_card_recipient()
        try:
            if not partner.email_normalized:
                raise UserError(
                    self.env._(
                        "%(customer)s has no valid e-mail address.", customer=partner.display_name
                    )
                )
            if len(cards) > MAXIMUM:
                raise UserError(
                    self.env._(
                        "Up to %(maximum)s cards are sent by an e-mail. Send them as a file.",
                        maximum=format_count(self.env, MAXIMUM),
                    )
                )
            with self.env.cr.savepoint():
                layout = (
                    cards.series_id.layout_id[:1] or cards.env['refill.card.layout']._get_default()
                )
                cards._send([partner.with_env(cards.env)] * len(cards), layout)
        except UserError as problem:
            summary = self.env._("The refill cards were not sent by e-mail")
            if summary not in self.activity_ids.mapped('summary'):
                self._schedule_refill_card_activity(summary, str(problem))

    def _get_refill_card_recipient(self):
        return self.refill_card_recipient_id or self.partner_id

    @api.model
    def _cron_send_refill_cards(self):
        """Send the cards whose day has come."""
        cards = self.env['refill.card']
        cards = cards.search(
            Domain('invoice_line_id.move_id.refill_card_send_on', '<=', fields.Date.today())
            & Domain('state', '=', 'active')
            & cards._get_unsent_domain()
        )
        invoices = cards.invoice_line_id.move_id
        self.env['ir.cron']._commit_progress(remaining=len(invoices))
        for invoice in invoices:
            invoice._send_refill_cards()
            if not self.env['ir.cron']._commit_progress(1):
                break
