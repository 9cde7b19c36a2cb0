from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import float_compare, float_is_zero, frozendict
from odoo.tools.sql import column_exists, create_column

# What a posted line about cards says, and the discount lines that complete it.
FROZEN = {
    'account_id',
    'amount_currency',
    'balance',
    'credit',
    'currency_id',
    'debit',
    'discount',
    'display_type',
    'move_id',
    'partner_id',
    'price_unit',
    'product_id',
    'product_uom_id',
    'quantity',
    'refill_card_role',
    'tax_ids',
}


class AccountMoveLine(models.Model):
    """Lines of customers' invoices that are about refill cards."""

    _inherit = 'account.move.line'

    refill_card_role = fields.Selection(
        selection=[('sale', "Sale of Cards"), ('settlement', "Settlement of Cards")],
        string="About Refill Cards",
        compute='_compute_refill_card_role',
        store=True,
        precompute=True,
        readonly=False,
        copy=True,
        help="What the line does: it sells cards, or takes them back in a credit note, or bills"
        " what a debtor owes for cards.",
    )
    refill_card_ids = fields.One2many(
        comodel_name='refill.card', inverse_name='invoice_line_id', string="Cards Sold"
    )
    refill_cards_owed = fields.Integer(
        string="Cards Owed",
        readonly=True,
        copy=False,
        help="Cards that were sold when there were too few; they follow when there are some.",
    )

    _refill_card_role_idx = models.Index("(move_id) WHERE refill_card_role IS NOT NULL")
    _refill_cards_owed_idx = models.Index("(id) WHERE refill_cards_owed > 0")

    def _auto_init(self):
        # Odoo would compute it for all the lines that were ever booked.
        if not column_exists(self.env.cr, self._table, 'refill_card_role'):
            create_column(self.env.cr, self._table, 'refill_card_role', 'varchar')
        return super()._auto_init()

    @api.depends('product_id', 'move_id.move_type')
    def _compute_refill_card_role(self):
        for line in self:
            if line.product_id.is_refill_card and line.move_id.is_sale_document(True):
                line.refill_card_role = 'sale'
            elif line.refill_card_role != 'settlement':
                line.refill_card_role = False

    # -------------------------------------------------------------------------
    # WHAT THE LINE BOOKS
    # -------------------------------------------------------------------------

    def _get_computed_taxes(self):
        """A card bears no tax when it is sold, but for a product that says so."""
        if self.refill_card_role != 'sale' or self.product_id.refill_card_taxed:
            return super()._get_computed_taxes()
        return self.company_id.root_id.refill_card_tax_id

    @api.depends('refill_card_role', 'price_subtotal', 'product_id', 'product_uom_id', 'quantity')
    def _compute_discount_allocation_needed(self):
        """Book the face value as the liability, and the difference to the price as a discount.

        By Odoo's own discount lines, which follow whatever changes.
        """
        super()._compute_discount_allocation_needed()
        for line in self.filtered(lambda line: line.refill_card_role == 'sale'):
            line.discount_allocation_needed = line._prepare_refill_card_discount()
        # Odoo adds up the values of lines that share an account, key by key.
        for line in self.move_id.filtered(
            lambda move: any(move.line_ids.mapped('refill_card_role'))
        ).line_ids.filtered('discount_allocation_needed'):
            needed = line.discount_allocation_needed
            line.discount_allocation_needed = {
                key: frozendict(
                    {
                        'balance': line.company_currency_id.round(
                            values['amount_currency'] / line.currency_rate
                        ),
                        **values,
                    }
                )
                for key, values in needed.items()
            }

    def _prepare_refill_card_discount(self):
        """Return the discount lines that the line needs, False when it needs none.

        :rtype: dict | bool
        """
        discount_account = self.company_id.root_id.refill_card_discount_account_id
        sign = self.move_id.direction_sign
        value, balance = self._get_refill_card_value()
        value -= self.price_subtotal
        balance -= self.company_currency_id.round(self.price_subtotal / self.currency_rate)
        if not discount_account or self.currency_id.is_zero(value):
            return False
        return {
            frozendict(
                {
                    'move_id': self.move_id.id,
                    'account_id': account.id,
                    'currency_rate': self.currency_rate,
                }
            ): frozendict(
                {
                    'display_type': 'discount',
                    'name': self.env._("Discount on refill cards"),
                    'amount_currency': direction * sign * value,
                    'balance': direction * sign * balance,
                    'analytic_distribution': {},
                }
            )
            for account, direction in ((self.account_id, 1), (discount_account, -1))
        }

    def _get_refill_card_count(self):
        """Return how many cards the line is about, in the product's unit.

        :rtype: float
        """
        return self.product_uom_id._compute_quantity(
            self.quantity, self.product_id.uom_id, round=False
        )

    def _get_refill_card_value(self):
        """Return the face value of the line's cards, in its currency and in the company's.

        In the company's currency it is exact where the cards are in that currency, else at the rate
        of the invoice or of its day.

        :rtype: tuple[float, float]
        """
        product, own = self.product_id, self.company_currency_id
        currency = product.refill_card_currency_id
        value = product.refill_card_price * self._get_refill_card_count()
        if currency == self.currency_id:
            return value, own.round(value / self.currency_rate)
        day = self.move_id.invoice_date or fields.Date.context_today(self)
        balance = currency._convert(value, own, self.company_id, day)
        return self.currency_id.round(balance * self.currency_rate), balance

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _check_refill_card_sale(self):
        """:raise UserError: when a line cannot sell cards, or take them back, as it is."""
        for line in self:
            account = line.company_id._get_refill_card_method_line().payment_account_id
            if not line.product_id.is_refill_card:
                problem = self.env._("this product is no refill card.")
            elif not account or not line.company_id.root_id.refill_card_discount_account_id:
                problem = self.env._(
                    "%(company)s has no accounts for refill cards: see the settings of Invoicing.",
                    company=line.company_id.name,
                )
            elif line.account_id != account:
                problem = self.env._(
                    "refill cards are booked on %(account)s.", account=account.display_name
                )
            else:
                problem = (
                    line._get_refill_card_count_problem() or line._get_refill_card_tax_problem()
                )
            if problem:
                raise UserError(
                    self.env._(
                        "%(product)s: %(problem)s", product=line.product_id.name, problem=problem
                    )
                )

    def _get_refill_card_count_problem(self):
        count = self._get_refill_card_count()
        if float_compare(count, 1, precision_digits=2) < 0 or not float_is_zero(
            count - round(count), precision_digits=6
        ):
            return self.env._("refill cards are sold and returned in whole numbers.")
        if self.price_unit < 0:
            return self.env._("the price of a refill card is not below zero.")
        return None

    def _get_refill_card_tax_problem(self):
        if any(tax.price_include for tax in self.tax_ids.flatten_taxes_hierarchy()):
            return self.env._(
                "a tax that is included in the price would be a part of the face value. Take one"
                " that is added to the price."
            )
        if not self.product_id.refill_card_taxed and any(
            tax.amount for tax in self.tax_ids.flatten_taxes_hierarchy()
        ):
            return self.env._(
                "no tax is due when a refill card is sold: the invoice that it pays bears it."
                " Remove the tax, or say on the product that it is taxed at sale."
            )
        return None

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_refill_cards_followed(vals)
        return super().create(vals_list)

    def write(self, vals):
        """:raise UserError: when what a posted line about cards says would change."""
        self._check_refill_cards_followed(vals)
        if names := FROZEN & vals.keys():
            # sudo: whoever writes
            for line in self.sudo().filtered(lambda line: line.parent_state == 'posted'):
                if line._completes_refill_cards() and any(
                    line._fields[name].convert_to_cache(vals[name], line, validate=False)
                    != line._fields[name].convert_to_cache(line[name], line)
                    for name in names
                ):
                    raise UserError(line._get_refill_card_frozen_sentence())
        return super().write(vals)

    @api.model
    def _check_refill_cards_followed(self, vals):
        """:raise AccessError: when somebody writes by hand what confirming the invoice writes."""
        followed = ('refill_cards_owed', 'refill_card_payment', 'refill_card_serials')
        if any(vals.get(fname) for fname in followed) and not self.env.su:
            raise AccessError(
                self.env._(
                    "Which refill cards were handed out, are owed or are paid follows from the"
                    " invoice and its payments."
                )
            )

    def _completes_refill_cards(self):
        """Return whether the line is about cards, or the discount of one that is."""
        return bool(
            self.refill_card_role
            or self.display_type == 'discount'
            and any(self.move_id.line_ids.mapped('refill_card_role'))
        )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_posted_refill_cards(self):
        cards_sudo = self.env['refill.card'].sudo()  # sudo: whoever deletes
        for line in self.sudo():
            sold = [('invoice_line_id', 'in', line.move_id.line_ids.ids)]
            if (
                line.parent_state == 'posted'
                and line._completes_refill_cards()
                and cards_sudo.search_count(sold, limit=1)
            ):
                raise UserError(line._get_refill_card_frozen_sentence())

    def _get_refill_card_frozen_sentence(self):
        return self.env._(
            "%(invoice)s is confirmed, and its refill cards go by what it says. Reset it to draft,"
            " or make a credit note.",
            invoice=self.move_id.display_name,
        )
