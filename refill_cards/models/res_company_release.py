from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..wording import format_count

HIGHEST_DAYS = 100_000


class ResCompany(models.Model):
    """What becomes of the value of sold cards that expired; branches follow their root company."""

    _inherit = 'res.company'

    refill_card_release = fields.Boolean(
        string="Release Expired Value",
        default=True,
        help="What is owed for sold cards that expired is released, by a draft each month.",
    )
    refill_card_release_days = fields.Integer(
        string="Released After",
        default=30,
        help="How many days a card has been expired before its value is released: 0 for at once.",
    )
    refill_card_expired_tax_id = fields.Many2one(
        comodel_name='account.tax',
        string="Tax on Expired Value",
        check_company=True,
        domain="[('type_tax_use', '=', 'sale'), ('amount_type', '=', 'percent')]",
        help="Where the law taxes value that nobody used. It is a part of the value.",
    )

    @api.constrains('refill_card_release_days')
    def _check_refill_card_release_days(self):
        """:raise ValidationError: when the number of days makes no sense."""
        if not all(0 <= days <= HIGHEST_DAYS for days in self.mapped('refill_card_release_days')):
            raise ValidationError(
                self.env._(
                    "Expired value is released after a number of days between 0 and %(highest)s.",
                    highest=format_count(self.env, HIGHEST_DAYS),
                )
            )

    @api.constrains('refill_card_expired_tax_id')
    def _check_refill_card_expired_tax(self):
        """:raise ValidationError: when the tax could not be taken out of the value."""
        tax = self.refill_card_expired_tax_id
        if tax.filtered(lambda tax: (tax.type_tax_use, tax.amount_type) != ('sale', 'percent')):
            raise ValidationError(
                self.env._("The tax on expired value is a tax on sales of so many percent.")
            )

    @api.constrains('refill_card_expired_account_id')
    def _check_refill_card_expired_account(self):
        """:raise ValidationError: when the value would be released to where it is owed."""
        for company in self.filtered('refill_card_expired_account_id'):
            liability = company._get_refill_card_method_line().payment_account_id
            if company.refill_card_expired_account_id == liability:
                raise ValidationError(
                    self.env._(
                        "On %(account)s stands what is owed for cards. Choose another account for"
                        " the value of those that expired.",
                        account=liability.display_name,
                    )
                )
