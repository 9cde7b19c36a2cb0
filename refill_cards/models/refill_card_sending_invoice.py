from odoo import SUPERUSER_ID, fields, models


class RefillCardSending(models.Model):
    """E-mails that go out because an invoice was confirmed or paid."""

    _inherit = 'refill.card.sending'

    message = fields.Text(readonly=True, help="What the buyer says to whom the cards go.")

    def _prepare_values(self, cards, partner, layout):
        values = super()._prepare_values(cards, partner, layout)
        invoice = cards.sudo().invoice_line_id.move_id  # sudo: whoever sends need not see it
        if len(invoice) == 1 and invoice._get_refill_card_recipient() == partner:
            values['message'] = invoice.refill_card_message
        return values

    def _get_responsible(self):
        """Return who is told when an e-mail was not sent.

        :rtype: res.users
        """
        if self.create_uid.id != SUPERUSER_ID:
            return super()._get_responsible()
        return self.card_ids.invoice_line_id.move_id.invoice_user_id[:1] or self.create_uid
