from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import frozendict

# What a line of a settlement says, also while it is a draft.
SETTLED = {
    'account_id',
    'currency_id',
    'discount',
    'display_type',
    'move_id',
    'partner_id',
    'price_unit',
    'product_id',
    'product_uom_id',
    'quantity',
    'refill_card_debtor_id',
    'refill_card_role',
    'refill_card_series_id',
    'tax_ids',
}


class Settling:
    """Proof, in the context, that settlement lines are made by a settlement.

    No client can send an object.
    """

    @classmethod
    def is_under_way(cls, env):
        return isinstance(env.context.get('refill_card_settling'), cls)


class AccountMoveLine(models.Model):
    """What debtors owe for cards, and the lines that bill it."""

    _inherit = 'account.move.line'

    refill_card_bill_line_id = fields.Many2one(
        comodel_name='account.move.line',
        string="Billed by",
        readonly=True,
        copy=False,
        index='btree_not_null',
        ondelete='set null',
        help="Which line bills what is owed for the redeemed card to whoever owes it.",
    )
    refill_card_booked = fields.Monetary(
        string="Booked for These Cards",
        currency_field='company_currency_id',
        readonly=True,
        help="What was debited when the cards were redeemed that the line bills; of cards in"
        " another currency that were sold by activation, what they were worth in the books then.",
    )

    _refill_card_unbilled_idx = models.Index(
        "(account_id, refill_card_debtor_id, date)"
        " WHERE refill_card_debtor_id IS NOT NULL AND refill_card_bill_line_id IS NULL"
    )

    def _is_refill_card_settlement(self):
        """Return whether the line bills cards; differences in exchange rates go along with it."""
        return self.refill_card_role == 'settlement' and self.display_type == 'product'

    # -------------------------------------------------------------------------
    # ONLY A SETTLEMENT MAKES AND CHANGES ITS LINES
    # -------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_refill_cards_settled_by_window(vals)
        return super().create(vals_list)

    def write(self, vals):
        """:raise UserError: when a line of a settlement would say something else."""
        self._check_refill_cards_settled_by_window(vals)
        if (names := SETTLED & vals.keys()) and not Settling.is_under_way(self.env):
            # sudo: whoever writes
            for line in self.sudo().filtered(lambda line: line.refill_card_role == 'settlement'):
                kept = names if line._is_refill_card_settlement() else names & {'display_type'}
                line._check_refill_card_settlement_unchanged({name: vals[name] for name in kept})
        return super().write(vals)

    @api.model
    def _check_refill_cards_settled_by_window(self, vals):
        """:raise AccessError: when somebody types what only a settlement writes."""
        if Settling.is_under_way(self.env):
            return
        # What completes a settlement, such as a difference in exchange rates, is Odoo's to book.
        is_typed = vals.get('refill_card_role') == 'settlement'
        if (
            is_typed
            and vals.get('display_type') != 'discount'
            or any(vals.get(name) for name in ('refill_card_bill_line_id', 'refill_card_booked'))
        ):
            raise AccessError(
                self.env._(
                    "What is owed for refill cards is billed by the window Settle, not by hand."
                )
            )

    def _check_refill_card_settlement_unchanged(self, vals):
        """:raise UserError: when the values differ from what the settlement says."""
        if self._would_change(vals):
            raise UserError(
                self.env._(
                    "%(invoice)s bills cards that were used: neither the lines about them nor the"
                    " customer or currency are changed. Delete it, and settle again.",
                    invoice=self.move_id.display_name,
                )
            )

    # -------------------------------------------------------------------------
    # WHAT A SETTLEMENT BOOKS
    # -------------------------------------------------------------------------

    def _get_computed_taxes(self):
        if self.refill_card_role != 'settlement':
            return super()._get_computed_taxes()
        if not self.move_id.is_sale_document():
            return self.env['account.tax']
        return self.company_id.root_id.refill_card_tax_id

    def _compute_account_id(self):
        # Odoo would propose another account when a fiscal position is applied.
        lines = self.filtered(
            lambda line: not (line.account_id and line._is_refill_card_settlement())
        )
        return super(AccountMoveLine, lines)._compute_account_id()

    @api.depends('display_type', 'refill_card_role')
    def _compute_discount_allocation_key(self):
        res = super()._compute_discount_allocation_key()
        for line in self:
            if line.discount_allocation_key and line.refill_card_role == 'settlement':
                line.discount_allocation_key = frozendict(
                    {**line.discount_allocation_key, 'refill_card_role': 'settlement'}
                )
        return res

    @api.depends('refill_card_role', 'price_subtotal', 'refill_card_booked')
    def _compute_discount_allocation_needed(self):
        """Clear what the redemptions debited, by Odoo's own lines for discounts.

        The discount that was agreed on goes to an account of its own. What was debited at other
        exchange rates is cleared by a pair of lines in the company's currency alone.
        """
        res = super()._compute_discount_allocation_needed()
        for line in self:
            if line._is_refill_card_settlement():
                line.discount_allocation_needed = {
                    **line._prepare_settlement_discount(),
                    **line._prepare_settlement_exchange(),
                } or False
        return res

    def _prepare_settlement_discount(self):
        """Return the discount lines that the line needs.

        :rtype: dict
        """
        sign, discount = self.move_id.direction_sign, self._get_settlement_value()
        discount -= self.price_subtotal
        if self.currency_id.is_zero(discount):
            return {}
        balance = self._get_settlement_balance(self._get_settlement_value())
        balance -= self._get_settlement_balance(self.price_subtotal)
        account = self.company_id.root_id.refill_card_discount_account_id
        name = self.env._("Discount on refill cards")
        return {
            **self._prepare_refill_card_line(self.account_id, name, sign * discount, balance),
            **self._prepare_refill_card_line(account, name, -sign * discount, -balance),
        }

    def _prepare_settlement_exchange(self):
        """Return the pair of lines that clears a difference in exchange rates.

        :rtype: dict
        """
        if not self.refill_card_booked:  # of cards sold by activation, it may be the face value
            return {}
        company, sign = self.company_id, self.move_id.direction_sign
        difference = sign * self.refill_card_booked
        difference -= self._get_settlement_balance(self._get_settlement_value())
        if self.company_currency_id.is_zero(difference):
            return {}
        account = company._get_refill_card_exchange_account(difference)
        name = self.env._("Exchange difference of refill cards")
        role = {'refill_card_role': 'settlement'}
        return {
            **self._prepare_refill_card_line(self.account_id, name, 0, difference, **role),
            **self._prepare_refill_card_line(account, name, 0, -difference, **role),
        }

    def _get_settlement_value(self):
        """Return the face value of the cards that the line bills, in its currency."""
        return self.currency_id.round(self.quantity * self.price_unit)

    def _get_settlement_balance(self, amount):
        """Return an amount of the line as it is booked in the company's currency, with its sign."""
        sign = self.move_id.direction_sign
        return self.company_currency_id.round(sign * amount / self.currency_rate)
