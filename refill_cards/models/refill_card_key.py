"""The database without the key that sealed its codes."""

import logging

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import codes

_logger = logging.getLogger(__name__)


class RefillCard(models.Model):
    _inherit = 'refill.card'

    key_problem = fields.Char(compute='_compute_key_problem')

    def _compute_key_problem(self):
        self.key_problem = self._get_key_problem()

    @api.model
    def _get_key_problem(self):
        """Return why no code of this database can be read, False when they can.

        :rtype: str | bool
        """
        try:
            self._get_sealer()
        except UserError as problem:
            return str(problem)
        return False

    @api.model
    def _get_sealer_for_display(self):
        """Return the sealer; to users, who see masked codes only, none when the key is wrong.

        :rtype: codes.Sealer | None
        :raise UserError: as :meth:`_get_sealer`, to the superuser, who needs the codes.
        """
        try:
            return self._get_sealer()
        except UserError:
            if self.env.su:
                raise
        return None

    @api.model
    def _open_for_display(self, sealer, card_sudo):
        """Return the body of a code, None when it cannot be opened."""
        try:
            return sealer and sealer.open(card_sudo.code_sealed)
        except codes.WrongKey:
            _logger.warning("The key does not open the code of refill card %s", card_sudo.name)
            return None
