import json

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class RefillCard(models.Model):
    """What cards in another currency than the company's are worth in its books.

    That is not money, so rates that change later do not matter: what was booked when a card was
    sold is what is released when it is used, returned or over.
    """

    _inherit = 'refill.card'

    company_currency_id = fields.Many2one(
        related='series_id.company_id.currency_id', string="Currency of the Company"
    )
    historical_value = fields.Monetary(
        string="Value in the Books",
        currency_field='company_currency_id',
        readonly=True,
        groups='account.group_account_readonly,account.group_account_invoice',
        help="Of a card in another currency, what it is worth in the books of the company that"
        " issued it: at the rate of the day when it was sold or, if nobody sold it, used.",
    )

    def _get_historical_value(self):
        """Return what the liability for the card is, None when that is told by the day's rate.

        So it is until the card is sold or used, and in the company's own currency.

        :rtype: float | None
        """
        self.ensure_one()
        return (self.terms == 'sold' or self.used_on) and self.historical_value or None

    def _prepare_historical_value(self, day):
        """Return the column that a use on that day fills, where no sale has told.

        :rtype: dict
        """
        if self.series_id._is_in_company_currency() or self._get_historical_value():
            return {}
        return {'historical_value': self.series_id._convert_face_value(day)}

    @api.model
    def _get_historical_values(self, domain):
        """Return what sold cards are worth, by series.

        :param odoo.fields.Domain domain: which cards.
        :return: their number, and their face value in their currency and in that of the company.
        :rtype: dict[refill.card.series, tuple[int, float, float]]
        """
        groups = self._read_group(domain, ['series_id'], ['__count', 'historical_value:sum'])
        return {
            series: (count, value, value if series._is_in_company_currency() else balance)
            for series, count, balance in groups
            for value in [series.currency_id.round(count * series.price)]
        }


class RefillCardSeries(models.Model):
    _inherit = 'refill.card.series'

    def _is_in_company_currency(self):
        return self.currency_id == self.company_id.currency_id

    @api.model
    def _get_face_value_sql(self, day):
        """Return what a card is worth in the books at the rate of a day, for SQL.

        :param datetime.date day: in the company that issued the card.
        :return: names the table ``series``; NULL in the company's currency.
        :rtype: SQL
        """
        # sudo: what cards are worth does not depend on whose action sells them
        series_sudo = self.sudo().with_context(active_test=False)
        kinds = [
            Domain('company_id', '=', company.id) & Domain('currency_id', '=', currency.id)
            for company, currency in series_sudo._read_group([], ['company_id', 'currency_id'])
            if currency != company.currency_id
        ]
        if not kinds:
            return SQL("NULL")
        foreign = series_sudo.search(Domain.OR(kinds))
        values = {series.id: series._convert_face_value(day) for series in foreign}
        return SQL("(%s::jsonb ->> series.id::text)::numeric", json.dumps(values))

    def _convert_face_value(self, day):
        """Return what a card is worth in the books at the rate of a day.

        :param datetime.date day: in the company that issued the card.
        :return: None when the card is in that company's currency.
        :rtype: float | None
        """
        if self._is_in_company_currency():
            return None
        company = self.company_id.root_id
        return self.currency_id._convert(self.price, company.currency_id, company, day)
