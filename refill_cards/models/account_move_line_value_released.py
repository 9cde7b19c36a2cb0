from odoo import fields, models
from odoo.tools import float_compare

# Of lines that only a release makes.
ROLES = ('release', 'estimate')


class Releasing:
    """Proof, in the context, that lines are made by a release.

    No client can send an object.
    """

    @classmethod
    def is_under_way(cls, env):
        return isinstance(env.context.get('refill_card_releasing'), cls)


class AccountMoveLine(models.Model):
    """Lines that release what is owed for cards, a line a series; a credit takes that back.

    Of cards that expired, or by an estimate, which no cards are behind.
    """

    _inherit = 'account.move.line'

    refill_card_role = fields.Selection(
        selection_add=[
            ('release', "Release of Expired Value"),
            ('estimate', "Estimate of Unused Value"),
        ]
    )

    def _compute_refill_card_role(self):
        others = self.filtered(lambda line: line.refill_card_role not in ROLES)
        return super(AccountMoveLine, others)._compute_refill_card_role()

    def _drop_typed_refill_card_role(self, vals):
        if vals.get('refill_card_role') in ROLES and Releasing.is_under_way(self.env):
            return vals
        return super()._drop_typed_refill_card_role(vals)

    def copy_data(self, default=None):
        """A duplicate is an entry like any other: no cards are behind it."""
        copies = super().copy_data(default)
        if not Releasing.is_under_way(self.env):
            for line, vals in zip(self, copies, strict=True):
                if line.refill_card_role in ROLES:
                    vals.update(refill_card_role=False, refill_card_series_id=False)
        return copies

    def _get_released_sign(self):
        """Return 1 of a line that releases value, -1 of one that brings it back."""
        return 1 if self.amount_currency > 0 else -1

    def _says_what_is_released(self, count, balance):
        """Return whether the line books the value of its cards.

        :param int count: how many cards of its series it is about.
        :param float balance: what they are worth in the company's currency.
        """
        series, currency, sign = (
            self.refill_card_series_id,
            self.currency_id,
            self._get_released_sign(),
        )
        return (
            count
            and float_compare(self.quantity, count, precision_digits=2) == 0
            and currency == series.currency_id
            and currency.compare_amounts(self.amount_currency, sign * count * series.price) == 0
            and self.company_currency_id.compare_amounts(self.balance, sign * balance) == 0
            and series.company_id.root_id == self.company_id.root_id
        )
