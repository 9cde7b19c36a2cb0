from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import AccessError, ValidationError

MAX_CANARIES = 100


class RefillCardSeries(models.Model):
    """How many canaries a series has: see ``refill.card.canary``."""

    _inherit = 'refill.card.series'

    canary_count = fields.Integer(
        string="Canaries",
        copy=False,
        aggregator=None,
        groups='refill_cards.group_refill_card_manager',
        help="Codes made for nobody, which are no cards. Plant their file where only a thief would"
        " look: once somebody types one, the series is frozen, and managers are told.",
    )

    @api.constrains('canary_count')
    def _check_canary_count(self):
        """:raise ValidationError: when there would be too many."""
        if not all(0 <= series.canary_count <= MAX_CANARIES for series in self):
            raise ValidationError(
                self.env._("A series has up to %(maximum)s canaries.", maximum=MAX_CANARIES)
            )

    @api.model_create_multi
    def create(self, vals_list):
        made = super().create(vals_list)
        made._keep_canaries()
        return made

    def write(self, vals):
        res = super().write(vals)
        if 'canary_count' in vals:
            self._keep_canaries()
        return res

    def unlink(self):
        canaries_sudo = self._get_canaries()
        res = super().unlink()
        canaries_sudo.unlink()
        return res

    def _get_canaries(self):
        """Return the canaries of these series, as superuser: nobody has access."""
        return self.env['refill.card.canary'].sudo().search([('series_id', 'in', self.ids)])

    def _keep_canaries(self):
        """Make canaries that are lacking; those that are too many are none any more."""
        for series in self:
            canaries_sudo = series._get_canaries()
            wanted = series.sudo().canary_count  # sudo: whoever writes
            if len(canaries_sudo) < wanted:
                canaries_sudo._make(series.sudo(), wanted - len(canaries_sudo))
            canaries_sudo[wanted:].unlink()

    # -------------------------------------------------------------------------
    # FILE
    # -------------------------------------------------------------------------

    def action_plant_canaries(self):
        """Open the window that gives a file of canaries; Odoo asks for the password first.

        :raise AccessError: when the user does not manage cards of the issuing company.
        """
        self.ensure_one()
        self._check_may_plant()
        if self.env['refill.card']._is_identity_checked():
            return self._plant_canaries()
        return self._plant_canaries_once_known()

    @check_identity
    def _plant_canaries_once_known(self):
        return self._plant_canaries()

    def _plant_canaries(self):
        self._check_may_plant()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_plant_action'
        )
        return {**action, 'context': {'default_series_id': self.id}}

    def _check_may_plant(self):
        """:raise AccessError: when the user may not get at codes of the series."""
        self.check_access('write')
        if not self._may_see_codes():
            raise AccessError(self.env._("You may not get at the canaries of these refill cards."))
