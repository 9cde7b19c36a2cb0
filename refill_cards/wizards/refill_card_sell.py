from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from ..models.product_template import WORKS
from ..wording import format_count


class RefillCardSell(models.TransientModel):
    """Sell cards to a customer or a reseller: opens the draft of their invoice."""

    _name = 'refill.card.sell'
    _inherit = 'refill.card.invoice.mixin'
    _description = "Sell Refill Cards"

    partner_id = fields.Many2one(comodel_name='res.partner', string="Customer")
    quantity = fields.Integer(
        string="Next Cards",
        help="Sells so many of the cards that nobody has, those first whose last day comes first."
        " 0 for all cards that are chosen.",
    )
    discount = fields.Float(
        string="Discount (%)",
        digits='Discount',
        compute='_compute_discount',
        store=True,
        readonly=False,
        help="Of the face value, as agreed with the reseller.",
    )
    agreement = fields.Char(compute='_compute_agreement')
    works = fields.Selection(
        selection=WORKS, string="Cards Work", required=True, default='confirmed'
    )
    problem = fields.Char(compute='_compute_problem')

    @api.depends('partner_id', 'card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_discount(self):
        for window in self:
            agreement = window._get_agreement()
            window.discount = agreement.percent if agreement.kind == 'discount' else 0

    @api.depends('partner_id', 'card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_agreement(self):
        for window in self:
            is_agent = window._get_agreement().kind == 'commission'
            window.agreement = is_agent and self.env._(
                "Sells as an agent: is invoiced at face value, and gets a commission."
            )

    def _get_agreement(self):
        """Return what the issuer of the cards has agreed on with whoever buys them.

        :rtype: refill.card.agreement
        """
        issuer = self._get_series().company_id[:1] or self.env.company
        return self.env['refill.card.agreement']._get(self.partner_id, issuer)

    @api.depends('quantity')
    def _compute_card_count(self):
        return super()._compute_card_count()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'quantity')
    def _compute_problem(self):
        """Say why these cards cannot be sold, once some are chosen."""
        for window in self:
            window.problem = False
            if window.card_ids or window.series_ids or window.first_id and window.last_id:
                try:
                    window._check_cards()
                except UserError as refused:
                    window.problem = str(refused)

    def _get_cards_domain(self):
        domain = self._get_selection_domain()
        if self.quantity <= 0:
            return domain
        cards = self.env['refill.card']
        query = cards._search(
            domain & self._get_stock_domain(), order='valid_till, id', limit=self.quantity
        )
        # Not as a query inside of others: PostgreSQL may run it again for each card that it finds.
        return Domain('id', 'in', query.get_result_ids())

    def _get_stock_domain(self):
        cards = self.env['refill.card']
        return cards._get_stock_domain() & cards._get_manageable_domain()

    def _check_cards(self):
        """Return how many cards of which series are sold.

        :rtype: list[tuple[refill.card.series, int]]
        :raise UserError: when there are some that cannot be sold, or not together.
        """
        self._check_chosen()
        domain = self._get_cards_domain()
        cards = self.env['refill.card']
        groups = cards._read_group(domain, ['series_id'], ['__count'])
        count = sum(number for _series, number in groups)
        if self.quantity < 0 or count < self.quantity:
            raise UserError(
                self.env._(
                    "Of these cards nobody has %(count)s: sell so many, or generate more.",
                    count=format_count(self.env, count),
                )
            )
        if not groups:
            raise UserError(self.env._("There are no cards in this range."))
        cards._check_sellable(domain)
        series = cards.series_id.union(*(each for each, _number in groups))
        if len(series.company_id) > 1:
            raise UserError(
                self.env._(
                    "%(first)s and %(other)s were issued by two companies. Sell the cards of each"
                    " by themselves.",
                    **self._name_two(series, 'company_id'),
                )
            )
        if len(series.currency_id) > 1:
            raise UserError(
                self.env._(
                    "%(first)s and %(other)s are in two currencies. Sell the cards of each by"
                    " themselves.",
                    **self._name_two(series, 'currency_id'),
                )
            )
        return groups

    def _name_two(self, series, fname):
        """Return the names of two series that differ in a field."""
        other = series.filtered(lambda each: each[fname] != series[0][fname])[0]
        return {'first': series[0].name, 'other': other.name}

    def action_sell(self):
        """Open the draft of the invoice, with the cards kept for it.

        :raise AccessError: when the user does not keep books and manage cards.
        :raise UserError: when something is missing, or a card cannot be sold.
        """
        self.ensure_one()
        self.check_access('write')
        if not self.partner_id:
            raise UserError(self.env._("Choose the customer or reseller who buys the cards."))
        groups = self._check_cards()
        issuer = groups[0][0].company_id
        self.env['refill.card']._check_reseller(self.partner_id.commercial_partner_id, issuer)
        moves = self.env['account.move'].with_company(issuer)
        invoice = moves.create(self._prepare_invoice_values(groups))
        selected = self._get_selection_domain()
        for line, (series, count) in zip(
            invoice.invoice_line_ids.sorted('id'), groups, strict=True
        ):
            domain = selected & Domain('series_id', '=', series.id)
            if self.quantity:
                self._reserve(line, domain & self._get_stock_domain(), count, limit=count)
            else:
                self._reserve(line, domain, count)
        return invoice._get_records_action(view_mode='form')

    def _prepare_invoice_values(self, groups):
        """Return the values of the invoice.

        :param list[tuple[refill.card.series, int]] groups: how many cards of which series.
        """
        first = groups[0][0]
        return {
            'move_type': 'out_invoice',
            'company_id': first.company_id.id,
            'currency_id': first.currency_id.id,
            'partner_id': self.partner_id.id,
            'refill_card_works': self.works,
            'invoice_line_ids': [
                Command.create(self._prepare_line_values(series, count)) for series, count in groups
            ],
        }

    def _prepare_line_values(self, series, count):
        products = self.env['product.product'].with_company(series.company_id)
        product = products._get_refill_card_product(series.price, series.currency_id)
        return {
            'product_id': product.id,
            'quantity': count,
            'price_unit': series.price,
            'discount': self.discount,
        }

    def _get_window(self):
        """Return the action that opens this window."""
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_sell_action'
        )
        return {**action, 'res_id': self.id}
