from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL


class RefillCard(models.Model):
    """What the audit log tells about movements, so that each past day can be told from it."""

    _inherit = 'refill.card'

    @api.model
    def _get_movement(self, movement, day, move=None):
        """Return the values of events by which what is owed for cards changes.

        :param str movement: see ``refill.card.event``.
        :param day: when in the books; SQL may name ``card``.
        :param account.move move: the entry that books it, if it is known.
        :rtype: dict
        """
        return {
            'movement': movement,
            'accounting_date': day,
            'move_id': move.id if move else None,
            'balance': SQL("card.historical_value"),
        }

    def _prepare_movement(self, movement):
        """Return what the audit log tells about the card's use, or the end of it.

        The day follows, once the entry is there.

        :param str movement: ``redeemed`` or ``given_back``.
        :rtype: dict
        """
        return {
            **self._prepare_use_values(),
            **self._get_movement(movement, None),
            'terms': self.terms or None,
        }

    @api.model
    def _log_moved(self, domain, series, reference):
        """Write into the audit log for which cards another series is owed from now on.

        :param odoo.fields.Domain domain: which cards, before they move.
        :param refill.card.series series: where they move.
        :param str reference: what the events of the operation share.
        """
        day = series.company_id._get_refill_card_day()
        sold = domain & self._get_owed_domain()
        for movement, values in (('moved_out', {}), ('moved_in', {'series_id': series.id})):
            movement = self._get_movement(movement, day)
            self._log(domain=sold, reference=reference, **movement, **values)

    @api.model
    def _get_owed_domain(self):
        """Return the domain of the cards for which their company owes something to a holder.

        :rtype: odoo.fields.Domain
        """
        return Domain('terms', '=', 'sold') & Domain('state', '!=', 'used')
