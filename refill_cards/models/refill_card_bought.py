from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..wording import format_count

# In one PDF, which is drawn while its customer waits.
MAX_CARDS = 500


class RefillCard(models.Model):
    """What customers see in the portal of the cards that they bought, as superuser, by a domain
    that finds nobody else's.
    """

    _inherit = 'refill.card'

    @api.model
    def _get_bought_domain(self):
        """Return the domain of the cards that an invoice sold to whoever has them.

        Those that a reseller's activation sold are none, also once they are billed.

        :rtype: odoo.fields.Domain
        """
        return Domain('terms', '=', 'sold') & Domain(
            'invoice_line_id.refill_card_role', '=', 'sale'
        )

    @api.model
    def _get_customer_domain(self, customer):
        """Return the domain of the cards that a customer bought.

        :param res.partner customer: the commercial partner, whose contacts all see its invoices.
        :rtype: odoo.fields.Domain
        """
        invoiced = Domain('move_id.commercial_partner_id', '=', customer.id)
        return (
            Domain('holder_id', '=', customer.id)
            & self._get_bought_domain()
            & Domain('invoice_line_id', 'any', invoiced)
        )

    @api.model
    def _get_showable_domain(self):
        """Return the domain of the cards whose code tells their customer something: they work.

        :rtype: odoo.fields.Domain
        """
        return Domain('state', '=', 'active')

    def _show_to_customer(self):
        """Return the code of a card that works to whoever bought it, and write that down.

        Such codes are no secret of the company any more: who looks at many of them is no suspect.

        :rtype: str
        :raise UserError: when the card does not work.
        """
        self.ensure_one()
        self._check_showable()
        self.series_id._mark_codes_left()
        self._log_shown(channel='portal')
        return self.code

    def _draw_for_customer(self):
        """Return cards that work as PDF to whoever bought them, and write that down.

        :rtype: bytes
        :raise UserError: when one does not work, or there are too many.
        """
        self._check_showable()
        if len(self) > MAX_CARDS:
            raise UserError(
                self.env._(
                    "More than %(maximum)s cards do not fit into one PDF. Please ask us for it.",
                    maximum=format_count(self.env, MAX_CARDS),
                )
            )
        content = self._draw()
        self._log_drawn(channel='portal')
        return content

    def _check_showable(self):
        """:raise UserError: when a card does not work, or there is none."""
        if not self or self != self.filtered_domain(self._get_showable_domain()):
            raise UserError(
                self.env._(
                    "The code is shown only while the card works. Please look at its status."
                )
            )

    def _waits_for_payment(self):
        """Return whether the card works once the invoice that sold it is paid.

        :rtype: bool
        """
        line = self.invoice_line_id
        works = line.move_id.refill_card_works or line.product_id.refill_card_works
        waits = self.state == 'inactive' or self.disable_reason == 'unpaid'
        return works == 'paid' and waits
