from collections import Counter

from markupsafe import Markup, escape
from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import format_amount

from ..wording import format_count


class RefillCardAgreement(models.Model):
    """Telling the salesperson that a reseller runs low.

    By a job: whoever redeems a card does not wait for that.
    """

    _inherit = 'refill.card.agreement'

    # The face values of which the salesperson was told, as pairs of price and currency's id.
    told_low = fields.Json(copy=False, groups=fields.NO_ACCESS)
    is_low = fields.Boolean(
        string="Low on Cards",
        compute='_compute_is_low',
        compute_sudo=True,
        store=True,
        help="Whether the reseller had too few cards of a face value when this was last looked at.",
    )

    @api.depends('told_low', 'stock_minimum')
    def _compute_is_low(self):
        for agreement in self:
            agreement.is_low = bool(agreement.told_low and agreement.stock_minimum)

    @api.model
    def _cron_low_stock(self):
        """Tell, once for each fall, of face values of which a reseller has too few cards left."""
        for agreement, stock in self._get_stocks().items():
            low = {each for each, count in stock.items() if count < agreement.stock_minimum}
            if fallen := low - set(map(tuple, agreement.told_low or [])):
                agreement._tell_low({each: stock[each] for each in sorted(fallen)})
            agreement.told_low = sorted(low)

    @api.model
    def _get_stocks(self):
        """Return how many cards resellers have left of each face value that they ever had.

        :return: the counts by price and currency's id.
        :rtype: dict[refill.card.agreement, dict[tuple[float, int], int]]
        """
        cards, agreements = self.env['refill.card'], self.search(Domain.TRUE)
        had = (
            Domain('holder_id', 'in', agreements.filtered('stock_minimum').partner_id.ids)
            & Domain('terms', 'in', ['consigned', 'sold'])
            & ~cards._get_bought_domain()
        )
        left = had & Domain('terms', '=', 'consigned') & cards._get_redeemable_domain()
        stocks = {(each.partner_id, each.company_id): Counter() for each in agreements}
        for domain, sign in ((had, 0), (left, 1)):
            for holder, series, count in cards._read_group(
                domain, ['holder_id', 'series_id'], ['__count']
            ):
                face_value = (series.price, series.currency_id.id)
                if (key := (holder, series.company_id.root_id)) in stocks:
                    stocks[key][face_value] += sign * count
        return {each: stocks[each.partner_id, each.company_id] for each in agreements}

    def _tell_low(self, stock):
        """Leave the reseller's salesperson an activity, else the accountants who manage cards.

        :param dict stock: how many cards are left, by price and currency's id.
        """
        for user in self._get_salespersons():
            reseller = self.partner_id.with_context(
                lang=user.lang or self.env.lang, mail_activity_quick_update=True
            )
            env = reseller.env
            lines = [
                env._(
                    "%(price)s: %(count)s cards left, the limit is %(minimum)s.",
                    price=format_amount(env, price, env['res.currency'].browse(currency_id)),
                    count=format_count(env, count),
                    minimum=format_count(env, self.stock_minimum),
                )
                for (price, currency_id), count in stock.items()
            ]
            reseller.activity_schedule(
                'mail.mail_activity_data_todo',
                user_id=user.id,
                summary=env._(
                    "Runs low on refill cards of %(company)s", company=self.company_id.name
                ),
                note=Markup("<br/>").join(map(escape, lines)),
            )

    def _get_salespersons(self):
        """Return who looks after the reseller.

        :rtype: res.users
        """
        salesperson = self.partner_id.user_id
        if salesperson.active and self.company_id in salesperson.company_ids:
            return salesperson
        return self.company_id._get_refill_card_accountants()
