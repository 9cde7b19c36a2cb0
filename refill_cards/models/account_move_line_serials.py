from odoo import fields, models


class AccountMoveLine(models.Model):
    """The serial numbers of the cards of a line, for papers of the customer; never a code."""

    _inherit = 'account.move.line'

    refill_card_serials = fields.Text(
        string="Serial Numbers of Cards",
        readonly=True,
        copy=False,
        help="Of the cards that were handed out, or taken back, when the invoice was confirmed.",
    )

    def _get_refill_card_serials(self):
        """Return the serial numbers as text, of a draft those that are kept for it.

        :rtype: str
        """
        if self.refill_card_role != 'sale' or self.parent_state != 'draft':
            return self.refill_card_serials or ''
        cards_sudo = self.env['refill.card'].sudo()  # sudo: whoever may read the invoice
        return cards_sudo._name_ranges(cards_sudo._get_reserved_domain(self))

    def _get_description_without_refill_cards(self):
        """Return the description without the serial numbers that a window wrote into it.

        :rtype: str
        """
        serials = self._get_refill_card_serials()
        return '\n'.join(text for text in (self.name or '').split('\n') if text != serials)

    def copy_data(self, default=None):
        """Another line is about other cards."""
        copied = super().copy_data(default)
        for line, values in zip(self, copied, strict=True):
            if (
                line.refill_card_role == 'sale'
                and 'name' in values
                and 'name' not in (default or {})
            ):
                values['name'] = line._get_description_without_refill_cards()
        return copied
