from contextlib import contextmanager

from odoo import api, models
from odoo.fields import Domain

from .. import codes
from ..refusals import RefillCardRefused


class RefillCard(models.Model):
    """Finding a card by the code that somebody typed; wrong ones are counted."""

    _inherit = 'refill.card'

    @contextmanager
    def _recording_refusals(self, partner, company, *, channel):
        """Write down the refusals raised inside."""
        try:
            yield
        except RefillCardRefused as refused:
            self.env['refill.card.attempt']._record([refused], partner, company, channel)
            raise

    @api.model
    def _find_by_code(self, code, partner, caller=None, domain=Domain.TRUE, *, channel):
        """Return the card with this code, whoever may see it; wrong codes are counted.

        :param str code: as typed.
        :param res.partner partner: whom the card is for; may be empty.
        :param str caller: for whom a gateway asks.
        :param odoo.fields.Domain domain: among which cards; any other is unknown, too.
        :param str channel: see ``refill.card.event``; staff find cards of frozen series, too.
        :rtype: refill.card
        :raise RefillCardRefused: when it is no code (``typo``) or no card's (``unknown``), or too
            many were typed (``locked_out``), or its series is frozen (``unavailable``).
        """
        with self.env['refill.card.lockout']._guarding(partner, code, caller) as guard:
            sealed = self._seal(code) if isinstance(code, str) else []
            if not sealed:
                raise self._refuse_typo(code)

            def find(hidden):
                ids = self.env['refill.card.code']._get_ids(sealed, hidden)
                # sudo: whoever has the code may redeem the card without any right to look at cards
                found_sudo = self.sudo().browse(ids[seal] for seal in sealed if seal in ids)
                card_sudo = found_sudo.filtered_domain(domain)
                # Of another system there may be two that differ by case only.
                return card_sudo[:1]

            card = self._look_up(code, find, *guard, channel=channel)
        if channel != 'backend':
            card.series_id._remember_not_frozen()
        return card

    @api.model
    def _refuse_typo(self, typed):
        """Return the refusal of what cannot be a code; a serial number is recognized.

        :param typed: as it came.
        :rtype: RefillCardRefused
        """
        is_serial = isinstance(typed, str) and self._is_serial(typed)
        return self._refusal('typo', 'serial' if is_serial else None)

    @api.model
    def _is_serial(self, typed):
        return codes.is_serial(typed, self._get_serial_shapes())

    @api.model
    def _get_serial_shapes(self):
        """Return how the serial numbers of all series begin, see ``codes.serial_shape``.

        :rtype: list[str]
        """
        # sudo: serial numbers are public, whoever types one
        every = self.env['refill.card.series'].sudo().with_context(active_test=False)
        [[names]] = every._read_group([], [], ['name:array_agg'])
        return sorted({codes.serial_shape(name) for name in names or ()})
