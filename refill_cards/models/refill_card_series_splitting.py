from odoo import models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from .refill_card_history import Operation


class RefillCardSeries(models.Model):
    """Cards for other companies: all of a series, or a part that becomes a series of its own."""

    _inherit = 'refill.card.series'

    def _set_companies(self, companies, reference):
        """Let these companies accept the cards, and still those that the user does not see.

        :param res.company companies: empty for any company.
        :param str reference: what the events of the operation share.
        """
        self.env.flush_all()
        self.invalidate_recordset(['company_ids'])  # as superuser it may have been read with all
        old = self.company_names
        series = self.with_context(refill_card_operation=Operation(reference))
        series.write({'company_ids': [Command.set(companies.ids)]})
        self._log_companies_of_cards(old, reference)

    def _split_off(self, domain, companies, reference):
        """Move unused cards into a series of their own, which other companies accept.

        Which companies accept a card is its series' business, because a million cards would need
        millions of rows. Serial numbers and codes stay.

        :param odoo.fields.Domain domain: which cards; not all of this series.
        :param res.company companies: who accepts them, empty for any company.
        :param str reference: what the events of the operation share.
        :return: how many cards moved.
        :rtype: int
        :raise UserError: when cards of the series are still being generated.
        """
        self.ensure_one()
        self._lock()
        if self.state != 'ready':
            raise UserError(self.env._("The cards are still being generated."))
        domain &= Domain('series_id', '=', self.id) & Domain('used_on', '=', False)
        # sudo: whoever may change a series may change all of its cards
        cards_sudo = self.env['refill.card'].sudo()
        moved = cards_sudo.search_count(domain)
        # sudo: nobody creates a series by hand. Read anew, with the companies that the user does
        # not see, which keep the cards.
        self.env.flush_all()
        self.invalidate_recordset(['company_ids'])
        series_sudo = self.sudo()
        left = series_sudo.quantity - moved
        # No more are made to order in it: their numbers would be those of the cards that moved.
        series_sudo.write({'quantity': left, 'generated': left, 'made_in': False})
        values = {
            'quantity': moved,
            'generated': moved,
            'state': 'ready',
            'company_ids': series_sudo.company_ids.ids,
            'codes_left_on': series_sudo.codes_left_on,
            'agreed_company_ids': series_sudo.agreed_company_ids.ids,
        }
        new_sudo = series_sudo.copy(values)
        new = new_sudo.sudo(False)
        self._freeze_alike(new)
        new._set_companies(companies, reference)
        note = new._get_companies_note()
        cards_sudo._log(domain=domain, note=note, reference=reference)
        cards_sudo._log_moved(domain, new, reference)
        cards_sudo._set_series(domain, new)
        for series in self + new:
            series._log_move(self, new, moved, reference)
        return moved
