from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

# With all of them unused nothing would ever be in proportion to use.
HIGHEST_SHARE = 99


class RefillCardSeries(models.Model):
    """How many cards of a series nobody is expected to use."""

    _inherit = 'refill.card.series'

    unused_share = fields.Float(
        string="Expected Unused (%)",
        digits=(5, 2),
        aggregator=None,
        tracking=True,
        groups='account.group_account_readonly,account.group_account_invoice',
        help="How many of the sold cards nobody will use, by experience. What is owed for these is"
        " recognised as the others are used, by a draft each month. Leave 0 to recognise it when"
        " cards expired.",
    )

    @api.constrains('unused_share')
    def _check_unused_share(self):
        """:raise ValidationError: when the share makes no sense."""
        if not all(0 <= share <= HIGHEST_SHARE for share in self.mapped('unused_share')):
            raise ValidationError(
                self.env._(
                    "Between 0 and %(highest)s percent of the cards are expected to stay unused.",
                    highest=HIGHEST_SHARE,
                )
            )

    def _touch_estimated(self):
        """Write series, so that whoever recognises value of one meanwhile has to try again.

        In SQL, as the ORM would write no row that stays as it is.
        """
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card_series SET write_date = %s WHERE id = ANY(%s)",
                *(fields.Datetime.now(), self.ids),
            )
        )
