from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import float_compare, float_is_zero, frozendict
from odoo.tools.sql import column_exists, create_column

# The roles that do not follow from a product.
MADE_BY_WINDOWS = ('settlement', 'opening')
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
    'is_refill_card_exchange',
    'move_id',
    'partner_id',
    'price_unit',
    'product_id',
    'product_uom_id',
    'quantity',
    'refill_card_role',
    'refill_card_series_id',
    'tax_ids',
}


class AccountMoveLine(models.Model):
    """Lines of customers' invoices that are about refill cards."""

    _inherit = 'account.move.line'

    refill_card_role = fields.Selection(
        selection=[
            ('sale', "Sale of Cards"),
            ('settlement', "Settlement of Cards"),
            ('opening', "Sold Before"),
        ],
        string="About Refill Cards",
        compute='_compute_refill_card_role',
        store=True,
        precompute=True,
        readonly=False,
        copy=True,
        help="What the line does: it sells cards, or takes them back in a credit note, bills what a"
        " debtor owes for cards, or says how many were sold before.",
    )
    refill_cards_owed = fields.Integer(
        string="Cards Owed",
        readonly=True,
        copy=False,
        help="Cards that were sold when there were too few; they follow when there are some.",
    )
    refill_card_value = fields.Monetary(
        string="Value of Its Cards",
        currency_field='company_currency_id',
        readonly=True,
        copy=False,
        help="Of a line about cards in another currency, once it is confirmed: what the cards that"
        " it sold or took back are worth in the books.",
    )
    # Tells apart what is booked on one account: the amount of a discount has the sign of its
    # balance, which a difference in exchange rates may not have.
    is_refill_card_exchange = fields.Boolean(readonly=True)

    _refill_card_role_idx = models.Index("(move_id) WHERE refill_card_role IS NOT NULL")
    _refill_cards_owed_idx = models.Index("(id) WHERE refill_cards_owed > 0")

    def _auto_init(self):
        # Odoo would compute it for all the lines that were ever booked.
        if not column_exists(self.env.cr, self._table, 'refill_card_role'):
            create_column(self.env.cr, self._table, 'refill_card_role', 'varchar')
        return super()._auto_init()

    @api.depends('product_id', 'move_id.move_type')
    def _compute_refill_card_role(self):
        cards_sudo = self.env['refill.card'].sudo()  # sudo: whoever changes the draft
        for line in self:
            if line.product_id.is_refill_card and line.move_id.is_sale_document(True):
                line.refill_card_role = 'sale'
            elif line.refill_card_role not in MADE_BY_WINDOWS:
                if line.refill_card_role and isinstance(line.id, int):
                    cards_sudo._free(line)
                line.refill_card_role = False

    # -------------------------------------------------------------------------
    # WHAT THE LINE BOOKS
    # -------------------------------------------------------------------------

    def _get_computed_taxes(self):
        """A card bears no tax when it is sold, but for a product that says so."""
        if self.refill_card_role != 'sale' or self.product_id.refill_card_taxed:
            return super()._get_computed_taxes()
        return self.company_id.root_id.refill_card_tax_id

    @api.depends('is_refill_card_exchange')
    def _compute_discount_allocation_key(self):
        res = super()._compute_discount_allocation_key()
        for line in self.filtered('is_refill_card_exchange'):
            if key := line.discount_allocation_key:
                line.discount_allocation_key = frozendict({**key, 'is_refill_card_exchange': True})
        return res

    @api.depends(
        *('refill_card_role', 'amount_currency', 'balance', 'product_id', 'product_uom_id'),
        *('quantity', 'refill_card_value'),
    )
    def _compute_discount_allocation_needed(self):
        """Book the face value as the liability, and the difference to the price as a discount.

        By Odoo's own discount lines, which follow whatever changes.
        """
        res = super()._compute_discount_allocation_needed()
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
        return res

    def _prepare_refill_card_discount(self):
        """Return the discount lines that the line needs, False when it needs none.

        :rtype: dict | bool
        """
        company, sign = self.company_id.root_id, self.move_id.direction_sign
        if not (discount_account := company.refill_card_discount_account_id):
            return False
        value, balance = self._get_refill_card_value()
        exchange = sign * self._get_refill_card_exchange()
        # Not its subtotal, which Odoo may round together with those of other lines.
        value = sign * value - self.amount_currency
        at_rate = self.company_currency_id.round(value / self.currency_rate)
        # The value of each card is rounded.
        rounded = sign * balance - self.balance - at_rate
        discount, difference = (
            self.env._("Discount on refill cards"),
            self.env._("Exchange difference of refill cards"),
        )
        apart = {'is_refill_card_exchange': True}
        lines = [
            self._prepare_refill_card_line(self.account_id, discount, value, at_rate),
            self._prepare_refill_card_line(discount_account, discount, -value, -at_rate),
            self._prepare_refill_card_line(
                self.account_id, difference, 0, rounded + exchange, **apart
            ),
            self._prepare_refill_card_line(discount_account, discount, 0, -rounded, **apart),
        ]
        if exchange:
            account = company._get_refill_card_exchange_account(exchange)
            lines.append(self._prepare_refill_card_line(account, difference, 0, -exchange, **apart))
        return self.move_id._sync_dynamic_line_needed_values(lines) or False

    def _prepare_refill_card_line(self, account, name, amount, balance, **key):
        """Return a discount line by its key, nothing when it would be about nothing.

        :param account.account account: where it is booked.
        :param float amount: in the currency of the line.
        :param float balance: in the company's currency.
        :param key: what else tells it apart from others of the entry.
        :rtype: dict
        """
        if self.currency_id.is_zero(amount) and self.company_currency_id.is_zero(balance):
            return {}
        key = {
            'move_id': self.move_id.id,
            'account_id': account.id,
            'currency_rate': self.currency_rate,
            **key,
        }
        values = {
            'display_type': 'discount',
            'name': name,
            'amount_currency': amount,
            'balance': balance,
            'analytic_distribution': {},
        }
        return {frozendict(key): frozendict(values)}

    def _get_refill_card_count(self):
        """Return how many cards the line is about, in the product's unit.

        :rtype: float
        """
        return self.product_uom_id._compute_quantity(
            self.quantity, self.product_id.uom_id, round=False
        )

    def _get_refill_card_value(self):
        """Return the face value of the line's cards, in its currency and in the company's.

        In the company's currency each card has one value, which is exact where the cards are in
        that currency, else at the rate of the invoice or of its day.

        :rtype: tuple[float, float]
        """
        product, count = self.product_id, self._get_refill_card_count()
        balance = self.company_currency_id.round(count * self._convert_refill_card_price())
        if product.refill_card_currency_id == self.currency_id:
            return product.refill_card_price * count, balance
        return self.currency_id.round(balance * self.currency_rate), balance

    def _convert_refill_card_price(self):
        """Return the face value of a card in the company's currency, as a draft would book it."""
        product, own = self.product_id, self.company_currency_id
        currency = product.refill_card_currency_id
        if currency == self.currency_id:
            return own.round(product.refill_card_price / self.currency_rate)
        day = self.move_id.invoice_date or fields.Date.context_today(self)
        return currency._convert(product.refill_card_price, own, self.company_id, day)

    def _sells_refill_cards_in_another_currency(self):
        return self.product_id.refill_card_currency_id != self.company_currency_id

    def _get_refill_card_exchange(self):
        """Return by how much the cards that a credit note takes back are worth more in the books.

        :return: than at the rate of the credit note.
        :rtype: float
        """
        if not self.refill_card_value or self.move_id.move_type != 'out_refund':
            return 0
        difference = self.refill_card_value - self._get_refill_card_value()[1]
        return self.company_currency_id.round(difference)

    def _get_refill_card_unit_value(self):
        """Return what each card of a confirmed invoice is worth in the books.

        :return: None where that is its face value.
        :rtype: float | None
        """
        if not self._sells_refill_cards_in_another_currency():
            return None
        # Confirmed before that was noted.
        if not self.refill_card_value:
            return self._convert_refill_card_price()
        return self.company_currency_id.round(
            self.refill_card_value / self._get_refill_card_count()
        )

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
        """:raise UserError: when a posted entry would get a line about cards."""
        for vals in vals_list:
            self._check_refill_cards_followed(vals)
        lines = super().create([self._drop_typed_refill_card_role(vals) for vals in vals_list])
        for line in lines:
            if line.refill_card_role and line.parent_state == 'posted':
                raise UserError(line._get_refill_card_frozen_sentence())
        return lines

    def write(self, vals):
        """:raise UserError: when what a posted line about cards says would change."""
        self._check_refill_cards_followed(vals)
        if names := FROZEN & vals.keys():
            # sudo: whoever writes
            for line in self.sudo().filtered(lambda line: line.parent_state == 'posted'):
                if line._completes_refill_cards() and line._changes_frozen(
                    {name: vals[name] for name in names}
                ):
                    raise UserError(line._get_refill_card_frozen_sentence())
        return super().write(self._drop_typed_refill_card_role(vals))

    @api.model
    def _drop_typed_refill_card_role(self, vals):
        """Return the values without a role that follows from the product."""
        if vals.get('refill_card_role', MADE_BY_WINDOWS[0]) in MADE_BY_WINDOWS:
            return vals
        return {fname: value for fname, value in vals.items() if fname != 'refill_card_role'}

    def _check_refill_cards_followed(self, vals):
        """:raise AccessError: when somebody writes by hand what confirming the invoice writes."""
        names = {
            'refill_card_payment',
            'refill_card_serials',
            'refill_card_value',
            'refill_cards_owed',
        }
        followed = names & vals.keys()
        if not self.env.su and any(
            (vals[fname] or False) != (line[fname] or False)
            for fname in followed
            for line in self or [self]
        ):
            raise AccessError(
                self.env._(
                    "Which refill cards were handed out, are owed or are paid follows from the"
                    " invoice and its payments."
                )
            )

    def _changes_frozen(self, vals):
        """Return whether writing these values changes what a posted line says."""
        customer = self.move_id.partner_id.commercial_partner_id
        if vals.get('partner_id') == customer.id:  # who belongs to somebody else now
            vals = {name: value for name, value in vals.items() if name != 'partner_id'}
        return self._would_change(vals)

    def _completes_refill_cards(self):
        """Return whether the line is about cards, or the discount of one that is."""
        return bool(
            self.refill_card_role
            or self.display_type == 'discount'
            and any(self.move_id.line_ids.mapped('refill_card_role'))
        )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_posted_refill_cards(self):
        for line in self.sudo():  # sudo: whoever deletes
            if line.parent_state == 'posted' and line._completes_refill_cards():
                raise UserError(line._get_refill_card_frozen_sentence())

    def _get_refill_card_frozen_sentence(self):
        if self.move_id.move_type == 'entry':
            return self.env._(
                "%(entry)s is confirmed, and refill cards go by what it says. Reset it to draft, or"
                " reverse it.",
                entry=self.move_id.display_name,
            )
        return self.env._(
            "%(invoice)s is confirmed, and its refill cards go by what it says. Reset it to draft,"
            " or make a credit note.",
            invoice=self.move_id.display_name,
        )
