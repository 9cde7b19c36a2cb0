from collections import defaultdict
from datetime import datetime, time, timedelta

import pytz
from odoo import api, models
from odoo.fields import Domain

from .refill_card_reseller import ACTIVATION


class RefillCard(models.Model):
    """What the portal tells a reseller about the cards that they have, as superuser."""

    _inherit = 'refill.card'

    @api.model
    def _get_reseller_counts(self, reseller, companies):
        """Return how many cards a reseller has, the newest series first.

        :param res.partner reseller: the commercial partner.
        :param res.company companies: which issued the cards.
        :return: by series and terms, how many are in each state.
        :rtype: dict[refill.card.series, dict[str, dict[str, int]]]
        """
        counts = {}
        for series, terms, state, count in self._read_group(
            self._get_reseller_domain(reseller, companies),
            ['series_id', 'terms', 'state'],
            ['__count'],
            order='series_id, terms, state',
        ):
            counts.setdefault(series, {}).setdefault(terms, {})[state] = count
        return counts

    @api.model
    def _get_reseller_stock(self, counts):
        """Return what is left to sell of the cards on consignment.

        :param dict counts: see :meth:`_get_reseller_counts`.
        :return: by issuer and currency, how many, and what they are worth.
        :rtype: dict[res.company, dict[res.currency, list]]
        """
        stock = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for series, by_terms in counts.items():
            by_state = by_terms.get('consigned', {})
            count = by_state.get('inactive', 0)
            if not series.activation_required:  # else it was paid for once it works
                count += by_state.get('active', 0)
            if count:
                entry = stock[series.company_id][series.currency_id]
                entry[0] += count
                entry[1] += count * series.price
        return stock

    @api.model
    def _get_reseller_use(self, reseller, company):
        """Return what customers redeemed this month of the cards that a reseller had.

        :param res.partner reseller: the commercial partner.
        :param res.company company: which issued the cards.
        :return: by currency, how many, and what they were worth.
        :rtype: list[tuple[res.currency, int, float]]
        """
        first = company._get_refill_card_day().replace(day=1)
        begin = self._get_beginning(first, company.refill_card_zone)
        used = Domain('used_on', '>=', begin) & Domain('state', '=', 'used')
        return self._read_group(
            self._get_reseller_domain(reseller, company) & used,
            ['currency_id'],
            ['__count', 'price:sum'],
        )

    @api.model
    def _get_activated_on(self, reseller, companies, day, zone):
        """Return the cards of a reseller that were activated on a day, in the order of that.

        Not those of which the activation was taken back.

        :param res.partner reseller: the commercial partner.
        :param res.company companies: which issued the cards.
        :param datetime.date day: which one.
        :param str zone: the time zone in which it is that day.
        :return: when each was activated.
        :rtype: dict[refill.card, datetime.datetime]
        """
        begin, end = (self._get_beginning(each, zone) for each in (day, day + timedelta(days=1)))
        cards = self.search(
            self._get_reseller_domain(reseller, companies)
            & ~self._get_bought_domain()
            & Domain('state', '!=', 'inactive')
            & (Domain('state', '=', 'active') | Domain('was_inactive', '!=', True))
            # Whoever activates a card writes it: so there are few of which the log is asked.
            & Domain('write_date', '>=', begin)
        )
        groups = self.env['refill.card.event']._read_group(
            Domain('card_id', 'in', cards.ids) & ACTIVATION, ['card_id'], ['date:max']
        )
        activated = [(date, card) for card, date in groups if begin <= date < end]
        return {card: date for date, card in sorted(activated, key=lambda each: each[0])}

    @api.model
    def _get_beginning(self, day, zone):
        """Return when a day begins in a time zone, in UTC.

        :rtype: datetime.datetime
        """
        local = pytz.timezone(zone).localize(datetime.combine(day, time()))
        return local.astimezone(pytz.utc).replace(tzinfo=None)
