from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command, Domain

# What the cards that were sold by a product say.
FROZEN = {'is_refill_card', 'refill_card_price', 'refill_card_currency_id'}
REQUIRED = (
    'refill_card_currency_id',
    'refill_card_source',
    'refill_card_works',
    'refill_card_alphabet',
)
# Who chooses these answers for where the cards are accepted.
MADE = {'refill_card_source', 'refill_card_company_ids'}
# What the cards of a month that are made to order have in common.
MADE_TO_ORDER = {
    'refill_card_price',
    'refill_card_currency_id',
    'refill_card_works',
    'refill_card_prefix',
    'refill_card_valid_months',
    'refill_card_alphabet',
    'refill_card_company_ids',
    'refill_card_layout_id',
}
# Beside these, what draft lines take from the product.
TAXES = {'is_refill_card', 'refill_card_taxed', 'taxes_id', 'company_id'}


class ProductTemplate(models.Model):
    """What a product must be like that is a refill card, whatever door it comes through."""

    _inherit = 'product.template'

    is_refill_card_sold = fields.Boolean(
        compute='_compute_is_refill_card_sold',
        help="Cards were sold by it: its face value stays as it is.",
    )

    def _compute_is_refill_card_sold(self):
        sold = self._get_refill_cards_sold()
        for product in self:
            product.is_refill_card_sold = product._origin in sold

    def _get_refill_cards_sold(self):
        """Return the products by which cards were sold.

        :rtype: product.template
        """
        # sudo: whoever manages products need not see invoices, nor those of other companies
        groups = (
            self.env['account.move.line']
            .sudo()
            ._read_group(
                [
                    ('product_id.product_tmpl_id', 'in', self._origin.ids),
                    ('refill_card_role', '=', 'sale'),
                    ('parent_state', '=', 'posted'),
                ],
                ['product_id'],
            )
        )
        return self.browse({product.product_tmpl_id.id for [product] in groups})

    # -------------------------------------------------------------------------
    # CONSTRAINTS
    # -------------------------------------------------------------------------

    def _get_refill_cards(self):
        """Return those of the products that are refill cards, past the rights of the user.

        :rtype: product.template
        """
        return self.sudo().filtered('is_refill_card')  # sudo: to see series and layout

    @api.constrains('is_refill_card', 'type')
    def _check_refill_card_service(self):
        for product in self._get_refill_cards():
            if product.type != 'service':
                raise ValidationError(
                    self.env._(
                        "%(product)s is a refill card: choose the product type “Service”.",
                        product=product.display_name,
                    )
                )

    @api.constrains(
        *('is_refill_card', 'refill_card_price', 'refill_card_prefix', 'refill_card_valid_months'),
        *REQUIRED,
    )
    def _check_refill_card_values(self):
        """Check what the series made by the product would check."""
        for product in self._get_refill_cards():
            for fname in REQUIRED:
                if not product[fname]:
                    raise ValidationError(
                        self.env._(
                            "%(product)s is a refill card: “%(field)s” is missing.",
                            product=product.display_name,
                            field=self._fields[fname]._description_string(self.env),
                        )
                    )
            if months := product.refill_card_valid_months:
                today = self.env.company._get_refill_card_day()
                # No calendar goes on for as long as a column can hold.
                months = max(-12_000, min(months, 12_000))
                self.env['refill.card']._check_day(today + relativedelta(months=months))
            series = self.env['refill.card.series'].new(
                {
                    'price': product.refill_card_price,
                    'currency_id': product.refill_card_currency_id.id,
                    'prefix': product.refill_card_prefix,
                }
            )
            series._check_price()
            series._check_prefix()

    @api.constrains(
        'is_refill_card',
        'refill_card_price',
        'refill_card_currency_id',
        'refill_card_source',
        'refill_card_series_id',
    )
    def _check_refill_card_series(self):
        for product in self._get_refill_cards():
            series = product.refill_card_series_id
            if not series or product.refill_card_source != 'stock':
                continue
            currency = product.refill_card_currency_id
            if series.currency_id != currency or currency.compare_amounts(
                series.price, product.refill_card_price
            ):
                raise ValidationError(
                    self.env._(
                        "The cards of series %(series)s have another face value than %(product)s."
                        " Choose another series, or leave it empty.",
                        series=series.name,
                        product=product.display_name,
                    )
                )

    @api.constrains(
        *('is_refill_card', 'company_id', 'refill_card_series_id', 'refill_card_layout_id')
    )
    def _check_refill_card_company(self):
        """A product of one company has that company's series and layout."""
        for product in self._get_refill_cards().filtered('company_id'):
            root = product.company_id.root_id
            for record in (product.refill_card_series_id, product.refill_card_layout_id):
                if record.company_id and record.company_id.root_id != root:
                    raise ValidationError(
                        self.env._(
                            "%(record)s belongs to %(other)s, and %(product)s to %(company)s."
                            " Choose another.",
                            record=record.name,
                            other=record.company_id.name,
                            product=product.display_name,
                            company=product.company_id.name,
                        )
                    )

    @api.constrains(
        lambda self: ['is_refill_card', *{'available_in_pos'}.intersection(self._fields)]
    )
    def _check_refill_card_not_in_point_of_sale(self):
        for product in self._get_refill_cards():
            if 'available_in_pos' in self._fields and product.available_in_pos:
                raise ValidationError(
                    self.env._(
                        "%(product)s is a refill card and is not sold in the Point of Sale, whose"
                        " orders are closed without saying which products were sold, so that nobody"
                        " would get a card. Take it out of the Point of Sale, and sell it by an"
                        " invoice.",
                        product=product.display_name,
                    )
                )

    @api.onchange('is_refill_card')
    def _onchange_is_refill_card(self):
        """Fill in what a card mostly is like."""
        if self.is_refill_card:
            self.type = 'service'
            self.refill_card_price = self.refill_card_price or self.list_price
            self.refill_card_taxed = self.env.company.refill_card_single_purpose

    @api.onchange('refill_card_price', 'refill_card_currency_id')
    def _onchange_refill_card_price(self):
        if self.is_refill_card and not self._origin:
            if self.refill_card_currency_id == self.currency_id:
                self.list_price = self.refill_card_price

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._clean_refill_card_values(vals)
            if vals.get('is_refill_card'):
                vals.setdefault('refill_card_taxed', self.env.company.refill_card_single_purpose)
        products = super().create(vals_list)
        products._set_refill_card_taxes()
        return products

    def write(self, vals):
        """:raise UserError: when what the cards say changes once cards were sold."""
        self._clean_refill_card_values(vals)
        changed = self.filtered(lambda product: product._changes_refill_card(vals))
        if changed and (sold := changed._get_refill_cards_sold()):
            raise UserError(
                self.env._(
                    "Cards were sold by %(product)s: it stays a refill card of this face value and"
                    " currency. Archive it and make a new product instead.",
                    product=sold[0].display_name,
                )
            )
        res = super().write(vals)
        if TAXES & vals.keys():
            self._set_refill_card_taxes()
        if MADE_TO_ORDER & vals.keys():
            # sudo: whoever manages products need not manage cards
            self.env['refill.card.series'].sudo()._finish_made_to_order(self)
        if 'is_refill_card' in vals:
            changed._recompute_refill_card_drafts()
        return res

    @api.model
    def _clean_refill_card_values(self, vals):
        vals.pop('refill_card_maker_id', None)
        if MADE & vals.keys():
            vals['refill_card_maker_id'] = self.env.uid
        if prefix := vals.get('refill_card_prefix'):
            self._check_text('refill_card_prefix', prefix)
            vals['refill_card_prefix'] = prefix.strip().upper()

    def _changes_refill_card(self, vals):
        """Return whether writing these values changes what cards of the product say."""
        return any(
            self._fields[fname].convert_to_cache(vals[fname], self)
            != self._fields[fname].convert_to_cache(self[fname], self)
            for fname in FROZEN & vals.keys()
        )

    @api.onchange('is_refill_card', 'refill_card_taxed')
    def _onchange_refill_card_taxes(self):
        if self.is_refill_card and not self.refill_card_taxed:
            self.taxes_id = self.env.company.root_id.refill_card_tax_id

    def _set_refill_card_taxes(self):
        """Give the products that are not taxed at sale the tax of each company for such cards.

        Here, because Odoo gives products the default taxes of all companies, whatever was chosen.
        """
        products = self._get_refill_cards().filtered(lambda product: not product.refill_card_taxed)
        if not products:
            return
        # sudo: the taxes of all companies
        taxes = self.env['res.company'].sudo().search(Domain.TRUE).root_id.refill_card_tax_id
        for product in products:
            company = product.company_id.root_id
            own = taxes.filtered(lambda tax, c=company: not c or tax.company_id == c)
            if product.taxes_id != own:
                product.write({'taxes_id': [Command.set(own.ids)]})

    def _recompute_refill_card_drafts(self):
        """Let the lines of drafts follow a product that becomes a refill card, or is none more."""
        lines = self.env['account.move.line'].sudo()  # sudo: also other companies' drafts
        lines = lines.search(
            [
                ('product_id.product_tmpl_id', 'in', self.ids),
                ('parent_state', '=', 'draft'),
                ('move_id.move_type', 'in', lines.move_id.get_sale_types(True)),
            ]
        )
        for fname in ('refill_card_role', 'account_id', 'tax_ids'):
            self.env.add_to_compute(lines._fields[fname], lines)
