from odoo import models
from odoo.exceptions import UserError
from odoo.fields import Domain


class RefillCardInvoiceMixin(models.AbstractModel):
    """Windows that keep the selected cards for lines of drafts: of invoices or credit notes."""

    _name = 'refill.card.invoice.mixin'
    _inherit = 'refill.card.selection.mixin'
    _description = "Refill Cards on Invoices"

    def _get_selection_domain(self):
        """Leave out cards that were replaced, but for those that somebody chose one by one."""
        domain = super()._get_selection_domain()
        if self.card_ids:
            return domain
        return domain & Domain('disable_reason', '!=', 'replaced')

    def _check_chosen(self):
        """:raise UserError: when no cards are chosen, or a range that there cannot be."""
        self.env['refill.card']._check_may_hand_out()
        if not (self.card_ids or self.series_ids or self.first_id and self.last_id):
            raise UserError(
                self.env._("Choose a series, or type or scan the first and the last card.")
            )
        self._check_selection()

    def _reserve(self, line, domain, count, limit=None):
        """Keep cards for the line of a draft, and name them in its description.

        :param account.move.line line: of the draft.
        :param odoo.fields.Domain domain: which cards.
        :param int count: how many they are.
        :param int limit: when they are the next ones of more.
        :raise UserError: when somebody else holds one.
        """
        cards = self.env['refill.card']
        description = line._get_description_without_refill_cards()
        cards.sudo()._free(line)  # sudo: set-based, and the rights were checked
        if cards._reserve(line, domain, limit) != count:
            raise UserError(
                self.env._(
                    "Somebody else is just selling, changing or redeeming some of these cards."
                    " Please try again in a moment."
                )
            )
        line.name = '\n'.join(filter(None, [description, line._get_refill_card_serials()]))
