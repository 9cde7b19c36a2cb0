"""What people type for a code."""

from odoo import api, models

from .. import codes
from .refill_card import RefillCardRefused


class RefillCard(models.Model):
    _inherit = 'refill.card'

    @api.model
    def _refuse_typo(self, typed):
        """Return the refusal of what cannot be a code; a serial number is recognized.

        :param typed: as it came.
        :rtype: RefillCardRefused
        """
        if isinstance(typed, str) and self._is_serial(typed):
            return RefillCardRefused(self._get_serial_sentence(), 'typo')
        return self._refusal('typo')

    @api.model
    def _is_serial(self, typed):
        return codes.is_serial(typed, self._get_serial_shapes())

    @api.model
    def _get_serial_sentence(self):
        return self.env._(
            "This is the card's serial number. The code is the other number on the card: in groups"
            " of four characters, often under a layer to scratch off."
        )

    def _choose_company(self, companies):
        """Return the first of the companies that accepts the card, the first when none does.

        :param res.company companies: of one tree, where it does not matter who books the payment.
        :rtype: res.company
        """
        if len(companies) == 1:
            return companies
        accepting = (company for company in companies if self.series_id._is_available_to(company))
        return next(accepting, companies[:1])

    @api.model
    def _get_serial_shapes(self):
        """Return how the serial numbers of all series begin, see ``codes.serial_shape``.

        :rtype: list[str]
        """
        # sudo: serial numbers are public, whoever types one
        every = self.env['refill.card.series'].sudo().with_context(active_test=False)
        [[names]] = every._read_group([], [], ['name:array_agg'])
        return sorted({codes.serial_shape(name) for name in names or ()})
