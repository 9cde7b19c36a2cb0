import hmac
import json
import logging
import os
from contextlib import suppress

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import config

from .. import codes

_logger = logging.getLogger(__name__)


class RefillCardKey(models.AbstractModel):
    """The key that seals the codes: of the server's configuration, else of the database."""

    _name = 'refill.card.key'
    _description = "Key of Refill Card Codes"

    @api.model
    def _get_sealer(self):
        """Return the sealer of this database's codes.

        :rtype: codes.Sealer
        :raise UserError: when the key is missing, malformed, or not the one that sealed the codes.
        """
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: they hold the key
        try:
            sealer = codes.Sealer(self._get_key())
            sealer.open(parameters.get_param('refill_cards.key_check') or '')
        except codes.WrongKey:
            raise UserError(
                self.env._(
                    "The key for refill card codes is missing, malformed or not the one that"
                    " sealed the codes. Restore the key in the server's configuration"
                    " (refill_cards_key) and restart Odoo."
                )
            ) from None
        return sealer

    @api.model
    def _get_generating_sealer(self):
        """Return the sealer for new cards; while nothing is sealed, the key may be another one.

        :raise UserError: as :meth:`_get_sealer`.
        """
        # sudo: whose cards they are does not matter
        sealed = [self.env[name].sudo() for name in ('refill.card', 'refill.card.canary')]
        if not any(records_sudo.search_count([], limit=1) for records_sudo in sealed):
            self._adopt()
        return self._get_sealer()

    @api.model
    def _get_display_sealer(self):
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
    def _get_problem(self):
        """Return why no code of this database can be read, False when they can.

        :rtype: str | bool
        """
        try:
            self._get_sealer()
        except UserError as problem:
            return str(problem)
        return False

    @api.model
    def _open(self, sealer, sealed, serial):
        """Return the body of a card's code, None when it cannot be opened.

        :param codes.Sealer | None sealer: None without the key.
        :param str sealed: the sealed code.
        :param str serial: the card's serial number, for the log.
        """
        try:
            return sealer and sealer.open(sealed)
        except codes.WrongKey:
            _logger.warning("The key does not open the code of refill card %s", serial)
            return None

    @api.model
    def _digest(self, value):
        """Return a digest from which a code could not be guessed: only with the key is it made.

        :param value: what JSON can hold; anything else in it counts as its text.
        :rtype: str
        """
        text = json.dumps(value, sort_keys=True, default=str)
        return hmac.new(self._get_key().encode(), text.encode(), 'sha256').hexdigest()

    @api.model
    def _get_server_key(self):
        """Return the key of the server's own configuration, None without one."""
        return os.environ.get('REFILL_CARDS_KEY') or config.get('refill_cards_key')

    @api.model
    def _get_key(self):
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: they hold the key
        # As text, because of what a configuration file may hold instead.
        return str(self._get_server_key() or parameters.get_param('refill_cards.key') or '')

    @api.model
    def _adopt(self):
        """Write down which key seals the codes of this database; a malformed one does not."""
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: they hold the key
        with suppress(codes.WrongKey):
            check = codes.Sealer(self._get_key()).seal('refill_cards')
            # Searched, because the cache shows what another transaction may still roll back.
            if parameters.search([('key', '=', 'refill_cards.key_check')]).value != check:
                parameters.set_param('refill_cards.key_check', check)

    @api.model
    def _make(self):
        """Make a key at installation, unless the server or an earlier installation has one."""
        if not self._get_key():
            parameters = self.env['ir.config_parameter']
            parameters.set_param('refill_cards.key', codes.generate_key())
        self._adopt()
