from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..wording import format_count

HIGHEST_GUESSES = 100_000


class ResCompany(models.Model):
    """When series that the company issued are frozen."""

    _inherit = 'res.company'

    refill_card_freeze_guesses = fields.Integer(
        string="Wrong codes that freeze a series",
        default=100,
        help="When as many wrong codes within an hour look like those of a series, it is redeemed"
        " by staff only until a manager releases it. Of one customer, address or login up to a"
        " tenth of them counts. 0 freezes none.",
    )

    @api.constrains('refill_card_freeze_guesses')
    def _check_refill_card_freeze_guesses(self):
        """:raise ValidationError: when the number makes no sense."""
        if not all(0 <= c.refill_card_freeze_guesses <= HIGHEST_GUESSES for c in self):
            raise ValidationError(
                self.env._(
                    "A series is frozen by a number of wrong codes between 1 and %(highest)s, or 0"
                    " for never.",
                    highest=format_count(self.env, HIGHEST_GUESSES),
                )
            )
