from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

# What is decided when the cards are generated, or follows from what becomes of them.
NOT_EDITABLE = {
    'name',
    'quantity',
    'company_id',
    'alphabet',
    'code_length',
    'activation_required',
    'validity_days',
    'state',
    'generated',
    'card_ids',
    'codes_left_on',
    'former_prefixes',
    'agreed_company_ids',
}
# What a code says, once it was handed out.
FROZEN = {'prefix', 'price', 'currency_id', 'alphabet', 'code_length'}


class RefillCardSeries(models.Model):
    """What of a series stays as it is, from the beginning or once its cards are in use."""

    _inherit = 'refill.card.series'

    codes_left_on = fields.Datetime(
        string="Codes Left on",
        readonly=True,
        copy=False,
        help="When a code was first exported, printed, sent, shown or handed out. From then on"
        " face value, currency and prefix stay as they are.",
    )
    has_used_cards = fields.Boolean(compute='_compute_has_used_cards')
    is_frozen = fields.Boolean(
        compute='_compute_is_frozen',
        help="A code left Odoo, or a card was used: what the cards say stays as it is.",
    )

    @api.depends('card_ids.used_on')
    def _compute_has_used_cards(self):
        used = self._get_used()
        for series in self:
            series.has_used_cards = series._origin in used

    @api.depends('has_used_cards', 'codes_left_on')
    def _compute_is_frozen(self):
        for series in self:
            series.is_frozen = series.has_used_cards or series.codes_left_on

    def _get_used(self):
        """Return the series of which a card was ever used, wherever.

        :rtype: refill.card.series
        """
        return self.browse(self.env['refill.card']._get_series_ever_used(self.ids))

    def write(self, vals):
        """What the codes say is frozen once one left or a card was used.

        :raise AccessError: when something is written that is not edited by hand.
        :raise UserError: when something frozen changes.
        """
        self.check_access('write')
        if not self.env.su and vals.keys() & NOT_EDITABLE:
            raise AccessError(
                self.env._(
                    "Of a series only the prefix, the face value, the currency, the companies and"
                    " the validity can be changed."
                )
            )
        self._clean_values(vals)
        changed = self.filtered(lambda series: series._changes_frozen(vals))
        changed._check_not_frozen()
        # Redemptions under way at the old price are tried again.
        self.env['refill.card']._touch(changed)
        prefixes = {series: series.prefix for series in changed}
        res = super().write(vals)
        for series, prefix in prefixes.items():
            if prefix and prefix != series.prefix:
                former = {*(series.former_prefixes or '').split(), prefix}
                super(RefillCardSeries, series).write({'former_prefixes': ' '.join(sorted(former))})
        return res

    def _mark_codes_left(self):
        """Freeze what the codes of these series say, because one leaves Odoo.

        Written at once, so that a transaction that changes the price meanwhile is tried again, or
        this one is: PostgreSQL lets two pass that only read what the other one writes.
        """
        # sudo: whoever may see a code freezes its series
        staying_sudo = self.sudo().filtered(lambda series: not series.codes_left_on)
        staying_sudo.write({'codes_left_on': fields.Datetime.now()})
        staying_sudo.flush_recordset(['codes_left_on'])

    def _changes_frozen(self, vals):
        """Return whether writing these values changes what the codes say."""
        return any(
            self._fields[fname].convert_to_write(self[fname], self) != vals[fname]
            for fname in FROZEN & vals.keys()
        )

    def _check_not_frozen(self):
        """:raise UserError: when a code left Odoo or a card was used."""
        self._check_unused()
        if left := self.sudo().filtered('codes_left_on'):  # sudo: whoever writes
            raise UserError(
                self.env._(
                    "Codes of series %(series)s were exported, printed, sent, shown or handed out:"
                    " its face value, currency and prefix stay as they are. Cancel its cards and"
                    " generate others instead.",
                    series=left[0].name,
                )
            )

    def _check_unused(self):
        """:raise UserError: when a card was used."""
        if used := self._get_used():
            raise UserError(
                self.env._(
                    "Cards of series %(series)s were used: its face value, currency and prefix stay"
                    " as they are, and it cannot be deleted. Cancel the rest of its cards instead.",
                    series=used[0].name,
                )
            )
