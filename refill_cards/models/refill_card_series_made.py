from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from .. import codes
from .refill_card_generation import MAX_QUANTITY


class RefillCardSeries(models.Model):
    """Cards that are made to order, and those that somebody waits for."""

    _inherit = 'refill.card.series'

    product_id = fields.Many2one(
        comodel_name='product.template',
        string="Made for",
        readonly=True,
        copy=False,
        index='btree_not_null',
        ondelete='restrict',
        help="The product whose cards are made to order, in a series each month.",
    )
    made_in = fields.Date(
        string="Month", readonly=True, copy=False, help="First day of the month of the orders."
    )

    def write(self, vals):
        res = super().write(vals)
        if vals.get('for_sale'):
            self._supply_owed_cards()
        return res

    def _add_cards(self, count):
        """Make more cards of a series.

        :param int count: how many.
        """
        self.quantity += count
        self._generate_cards(count)

    def _generate_cards(self, count):
        res = super()._generate_cards(count)
        if self.state == 'ready':
            self._supply_owed_cards()
        return res

    @api.model
    def _supply_owed_cards(self):
        """Have the cards handed out that were sold when there were too few, if any."""
        lines_sudo = self.env['account.move.line'].sudo()  # sudo: whoever makes cards
        if lines_sudo.search_count([('refill_cards_owed', '>', 0)], limit=1):
            self.env.ref('refill_cards.ir_cron_supply')._trigger()

    # -------------------------------------------------------------------------
    # WHERE CARDS COME FROM
    # -------------------------------------------------------------------------

    @api.model
    def _supply(self, line, count):
        """Keep the next cards of its product for the line of an invoice, or make them.

        :param account.move.line line: of a draft.
        :param int count: how many.
        :return: how many there were.
        :rtype: int
        """
        cards, product = self.env['refill.card'], line.product_id.product_tmpl_id
        if product.refill_card_source == 'made':
            return self._make_to_order(product, line, count)
        domain = cards._get_stock_domain() & Domain(
            'series_id', 'in', self._find_stock(product, line.company_id).ids
        )
        return cards._reserve(line, domain, count)

    @api.model
    def _find_stock(self, product, company):
        """Return the series that a product's cards are taken from.

        :rtype: refill.card.series
        """
        domain = Domain(
            [
                ('state', '=', 'ready'),
                ('price', '=', product.refill_card_price),
                ('currency_id', '=', product.refill_card_currency_id.id),
                ('company_id', 'child_of', company.root_id.ids),
            ]
        )
        if product.refill_card_series_id:
            domain &= Domain('id', '=', product.refill_card_series_id.id)
        else:
            domain &= Domain('for_sale', '=', True)
        return self.search(domain)

    @api.model
    def _make_to_order(self, product, line, count):
        """Make cards for the line of an invoice, in this month's series of its product.

        :return: how many were made: all or, where codes could be guessed, none.
        :rtype: int
        """
        cards, made = self.env['refill.card'], 0
        try:
            with self.env.cr.savepoint():
                while made < count:
                    series, first = self._add_to_month(product, line.company_id, count - made)
                    domain = Domain('series_id', '=', series.id) & Domain('number', '>=', first)
                    made += cards._reserve(line, cards._get_stock_domain() & domain)
        except UserError as problem:
            line.move_id.message_post(body=str(problem))
            return 0
        return made

    @api.model
    def _finish_made_to_order(self, products):
        """Have cards that are ordered from now on made in new series.

        :param product.template products: which changed.
        """
        domain = [('product_id', 'in', products.ids), ('made_in', '!=', False)]
        self.with_context(active_test=False).search(domain).made_in = False

    @api.model
    def _add_to_month(self, product, company, count):
        """Add cards to this month's series of the product, a new one when there is none.

        :return: the series, and the number of the first new card.
        :rtype: tuple[refill.card.series, int]
        """
        month = company._get_refill_card_day().replace(day=1)
        series = self.search(
            [
                ('product_id', '=', product.id),
                ('company_id', '=', company.id),
                ('made_in', '=', month),
                ('quantity', '<', MAX_QUANTITY),
            ],
            limit=1,
        )
        if not series:
            # Companies accept the cards where whoever chose them manages cards.
            makers = self.with_user(product.refill_card_maker_id or self.env.user).sudo()
            values = self._prepare_made_to_order(product, company, month, min(count, MAX_QUANTITY))
            series = makers.create(values)
            series._generate_cards(series.quantity)
            return series, 1
        first = series.quantity + 1
        series._add_cards(min(count, MAX_QUANTITY - series.quantity))
        return series, first

    @api.model
    def _prepare_made_to_order(self, product, company, month, count):
        """Return the values of a product's series.

        :param datetime.date month: its first day.
        """
        layout = product.refill_card_layout_id
        last_day = month + relativedelta(months=product.refill_card_valid_months + 1, days=-1)
        length = codes.DEFAULT_LENGTHS[product.refill_card_alphabet]
        guessable = self._count_guessable(product.refill_card_alphabet, length)
        fmt = codes.Format(product.refill_card_alphabet, length)
        return {
            'product_id': product.id,
            'made_in': month,
            'quantity': count,
            'company_id': company.id,
            'price': product.refill_card_price,
            'currency_id': product.refill_card_currency_id.id,
            'prefix': product.refill_card_prefix,
            'alphabet': product.refill_card_alphabet,
            # Cards are added all month.
            'code_length': max(length, fmt.safe_length(guessable + MAX_QUANTITY) or 0),
            'valid_till': last_day if product.refill_card_valid_months else False,
            'activation_required': product.refill_card_works != 'now',
            'company_ids': [Command.set(product.refill_card_company_ids.ids)],
            # Of all the companies that sell the product, some may have no such layout.
            **({'layout_id': layout.id} if layout and self._may_use(layout, company) else {}),
        }

    @api.model
    def _may_use(self, layout, company):
        return not layout.company_id or layout.company_id in company.parent_ids
