from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from ..wording import format_count


class RefillCardSeries(models.Model):
    """Cards are generated once a second manager has approved it, above a limit."""

    _inherit = 'refill.card.series'

    @api.model
    def _make(self, values):
        self.env['refill.card'].browse().check_access('write')
        series = self.new(values)
        # sudo: whoever accepts the cards is guarded, too
        accepting = self.sudo()._find_accepting_companies(series.company_ids)
        companies = series.company_id.sudo() | accepting.sudo()
        if self.env['refill.card.approval']._concerns(companies, 'generation'):
            series._require_to_generate(companies, values)
        return super()._make(values)

    def _require_to_generate(self, companies, values):
        """:raise RefillCardWaits: when another manager has to approve that.
        :raise ValidationError: when there cannot be such cards.
        """
        self._validate_fields(values)
        self._get_broken_law()._check(self.company_id)
        value, count = format_amount(self.env, self.price, self.currency_id), self.quantity
        self.env['refill.card.approval']._require(
            'generation',
            'generate',
            companies,
            {self.currency_id: self.price * self.quantity},
            {'company_id': self.company_id.id, 'values': values},
            self.env._(
                "Generate %(count)s cards of %(value)s",
                count=format_count(self.env, count),
                value=value,
            ),
            details=self._describe_to_generate(),
        )

    def _describe_to_generate(self):
        """Return in lines what cards would be generated.

        :rtype: str
        """
        last_day = 'validity_days' if self.validity_days else 'valid_till'
        told = ['prefix'] if self.prefix else []
        lines = self._describe([*told, last_day, 'activation_required'])
        companies_sudo = self.company_ids.sudo()  # sudo: to name them
        lines[self._fields['company_ids']._description_string(self.env)] = ', '.join(
            companies_sudo.mapped('name')
        ) or self.env._("Any company")
        return '\n'.join(f'{label}: {text}' for label, text in lines.items())

    def write(self, vals):
        """A higher face value is value that is generated.

        :raise UserError: when another manager would have to approve that.
        """
        if self.env.su or not vals.keys() & {'price', 'currency_id'}:
            return super().write(vals)
        before = {series: series._get_worth() for series in self}
        res = super().write(vals)
        for series, worth in before.items():
            more = series._get_worth() - worth
            companies = series.company_id.sudo() | series.accepting_company_ids.sudo()
            if more > 0 and self.env['refill.card.approval']._exceeds(
                'generation', companies, {series.company_id.currency_id: more}
            ):
                raise UserError(
                    self.env._(
                        "Cards worth %(more)s more would be made of series %(series)s, which"
                        " another manager has to approve. Generate other cards instead, and you"
                        " can ask for that.",
                        more=format_amount(self.env, more, series.company_id.currency_id),
                        series=series.name,
                    )
                )
        return res

    def _get_worth(self):
        """Return what all cards of the series are worth in the currency of their company."""
        amounts = {self.currency_id: self.price * self.quantity}
        return self.env['refill.card.approval']._convert(amounts, self.company_id.sudo())
