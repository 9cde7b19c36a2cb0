"""Who gets at codes proves who they are: an API key alone opens none."""

import time
from threading import current_thread

from odoo import api, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError
from odoo.http import request

# As long as Odoo's own `check_identity` believes in a password.
IDENTITY_SECONDS = 10 * 60


class RefillCard(models.Model):
    _inherit = 'refill.card'

    @api.model
    def _is_called_by_server(self):
        """Return whether nobody calls from outside: the server's own code need not prove anything.

        Calls over XML-RPC and JSON-RPC hide their request, and name the user in their thread.

        :rtype: bool
        """
        return not request and not getattr(current_thread(), 'uid', None)

    def _is_identity_checked(self):
        """Return whether the user typed their password just now.

        :rtype: bool
        """
        if self._is_called_by_server():
            return True
        if not self._is_own_session():
            return False
        return request.session.get('identity-check-last', 0) > time.time() - IDENTITY_SECONDS

    def _is_own_session(self):
        """Return whether the user logged in, in contrast to a program with an API key.

        :rtype: bool
        """
        if self._is_called_by_server():
            return True
        return bool(request) and request.session.uid == self.env.uid

    def _get_channel(self):
        """Return where whoever uses a window works: a program uses them by an API key, too.

        :return: see ``refill.card.event``.
        :rtype: str
        """
        return 'backend' if self._is_own_session() else 'api'

    def _check_identity(self):
        """:raise UserError: when the user did not type their password just now."""
        if not self._is_identity_checked():
            raise UserError(
                self.env._(
                    "Codes are shown only to whoever typed their password just now. Please open"
                    " this window again from its menu, which asks for it."
                )
            )

    # -------------------------------------------------------------------------
    # SHOWING A CODE
    # -------------------------------------------------------------------------

    def action_show_code(self):
        """Show the whole code to a manager of the issuing company, and write that down.

        Odoo asks for the password first.

        :raise AccessError: for anybody else.
        """
        self.ensure_one()
        self.check_access('write')
        return self._show_code() if self._is_identity_checked() else self._show_code_once_known()

    @check_identity
    def _show_code_once_known(self):
        return self._show_code()

    def _show_code(self):
        self.check_access('write')
        code = self.sudo().code  # sudo: for everybody else it is masked
        self.series_id._mark_codes_left()
        self._log_shown()
        # sudo: whether or not that company is chosen
        self.env['refill.card.lockout']._count_shown(self.series_id.sudo().company_id)
        return {
            'type': 'ir.actions.client',
            'tag': 'refill_card_code',
            'params': {'serial': self.name, 'code': code},
        }
