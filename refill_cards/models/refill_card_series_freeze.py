from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from .. import codes


class RefillCardSeries(models.Model):
    """Series that are redeemed by staff only, until a manager releases them.

    Not what ``is_frozen`` is about, namely what the cards say.
    """

    _inherit = 'refill.card.series'

    redemption_frozen_since = fields.Datetime(
        string="Frozen since",
        compute='_compute_redemption_frozen',
        search='_search_redemption_frozen_since',
        help="Since when cards of this series are redeemed neither in the portal nor over the API.",
    )
    redemption_frozen_why = fields.Char(
        string="Frozen because", compute='_compute_redemption_frozen_why'
    )

    def _compute_redemption_frozen(self):
        since = {freeze.series_id: freeze.date for freeze in self._get_freezes()}
        for series in self:
            series.redemption_frozen_since = since.get(series._origin)

    @api.depends_context('lang')
    def _compute_redemption_frozen_why(self):
        freezes = {freeze.series_id: freeze for freeze in self._get_freezes()}
        for series in self:
            freeze = freezes.get(series._origin)
            series.redemption_frozen_why = freeze and freeze._describe_cause()

    @api.model
    def _search_redemption_frozen_since(self, operator, value):
        if operator != 'in' or set(value) != {False}:
            return NotImplemented
        return Domain('id', 'not in', SQL("(SELECT series_id FROM refill_card_freeze)"))

    def _get_freezes(self):
        # sudo: who sees a series may know that it is frozen
        return self.env['refill.card.freeze'].sudo().search([('series_id', 'in', self._origin.ids)])

    def _freeze_alike(self, series):
        """Freeze a series with cards of this one, if this one is frozen."""
        for freeze_sudo in self._get_freezes():
            freeze_sudo.copy({'series_id': series.id})

    def _remember_not_frozen(self):
        """Spare a query for what is known: that none of these series is frozen."""
        field = self._fields['redemption_frozen_since']
        field._insert_cache(self, [None] * len(self))

    @api.model
    def _find_alike(self, typed, hidden):
        """Return whether a typed code looks like those of some series, and like those of others.

        :param str typed: the code.
        :param set[int] hidden: the ids of the ones.
        :rtype: tuple[bool, bool]
        """
        if not hidden:
            return False, True
        domain = Domain('id', 'in', list(hidden))
        return tuple(
            bool(codes.read_each(typed, self._read_formats(each))) for each in (domain, ~domain)
        )

    def unlink(self):
        freezes_sudo = self._get_freezes()
        res = super().unlink()
        freezes_sudo.unlink()
        return res

    # -------------------------------------------------------------------------
    # RELEASING
    # -------------------------------------------------------------------------

    def _release_redemption(self, reason):
        """Let frozen series be redeemed everywhere again; wrong codes are counted anew.

        :param str reason: why, for the audit log.
        :raise UserError: when one is not frozen.
        """
        self.check_access('write')
        freezes_sudo = self._get_freezes()
        if released := self - freezes_sudo.series_id.sudo(self.env.su):
            raise UserError(
                self.env._(
                    "Series %(series)s is not frozen: another manager may have released it.",
                    series=released[0].name,
                )
            )
        freezes_sudo.unlink()
        self.env['refill.card.guess'].sudo()._forget(self)  # sudo: nobody has access
        note = self.env._("Released: %(reason)s", reason=reason)
        for series in self:
            series._log(note)
            series.message_post(body=note)
        self.invalidate_recordset(['redemption_frozen_since', 'redemption_frozen_why'])

    def action_release_redemption(self):
        """Open the window that releases frozen series."""
        self.check_access('write')
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_unfreeze_action'
        )
        window = self.env['refill.card.unfreeze'].create({'series_ids': self.ids})
        return {**action, 'res_id': window.id}

    def _get_frozen_action(self):
        """Return the action that shows these frozen series.

        :rtype: dict
        """
        if len(self) == 1:
            return self._get_records_action(view_mode='form')
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_series_action'
        )
        return {**action, 'context': {'search_default_frozen': 1}}
