from datetime import timedelta

from odoo import api, models
from odoo.fields import Domain

# Rates that are entered on the first of each month are enough.
RECENT = timedelta(days=31)


class RefillCardApproval(models.Model):
    """At which rates amounts count in another currency: at none that who asks has entered."""

    _inherit = 'refill.card.approval'

    @api.model
    def _get_value(self, amounts, company):
        """Return what amounts are together in the currency of a company, and whether that is sure.

        :param dict[res.currency, float] amounts: by currency.
        :param res.company company: whose currency.
        :return: the value, at today's rate where nobody else has entered one within the month;
            and whether somebody else has entered each.
        :rtype: tuple[float, bool]
        """
        day = company._get_refill_card_day()
        value, is_certain = 0, True
        for currency_sudo, amount in ((each.sudo(), amount) for each, amount in amounts.items()):
            if rate := self._get_highest_rate(currency_sudo, company.sudo(), day):
                value += amount * rate
            else:
                is_certain = False
                value += currency_sudo._convert(amount, company.currency_id, company, day)
        return value, is_certain

    @api.model
    def _get_highest_rate(self, currency, company, day):
        """Return what a unit was worth at the most within the month, by what others have entered.

        :return: None when nobody else has entered a rate.
        :rtype: float | None
        """
        if currency == company.currency_id:
            return 1
        units = self._get_rates_of_others(currency, company, day)
        own = self._get_rates_of_others(company.currency_id, company, day)
        if not own and not company.currency_id.rate_ids:
            own = [1]  # as Odoo takes it
        return max(own) / min(units) if own and units else None

    @api.model
    def _get_rates_of_others(self, currency, company, day):
        # sudo: whoever asks
        rates_sudo = self.env['res.currency.rate'].sudo()
        return rates_sudo.search(
            Domain(
                [
                    ('currency_id', '=', currency.id),
                    ('company_id', 'in', [False, company.root_id.id]),
                    ('name', '>=', day - RECENT),
                    ('name', '<=', day),
                    ('write_uid', 'not in', self.env.user._get_same_person().ids),
                ]
            )
        ).mapped('rate')
