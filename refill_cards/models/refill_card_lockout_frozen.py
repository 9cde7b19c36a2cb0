import logging
from datetime import timedelta

from odoo import api, fields, models

_logger = logging.getLogger(__name__)

UNCLEAR_WINDOW = timedelta(days=1)
RECORDED_WINDOW = timedelta(minutes=1)


class RefillCardLockout(models.Model):
    """What people type while series are frozen, and which wrong codes freeze one."""

    _inherit = 'refill.card.lockout'

    # When which codes were looked up in vain that could be of a frozen series: no guesses, but no
    # way round the limit of guesses either. By keyed hashes.
    unclear = fields.Json(groups=fields.NO_ACCESS)
    # Of which a refusal was written down: one a minute is enough.
    unavailable_on = fields.Datetime(groups=fields.NO_ACCESS)

    @api.model
    def _count_for_series(self, typed, guessers):
        """Count a wrong code for the series whose codes look like it, and freeze them.

        :param str typed: the code.
        :param list[int] guessers: see :meth:`_count`.
        :return: the ids of the series that are frozen since.
        :rtype: set[int]
        """
        if guessers is None:
            return set()
        try:
            return self.env['refill.card.guess']._count(typed, guessers)
        except Exception:
            # The guess counts for whoever made it, and gets the answer of any other.
            _logger.exception("A wrong code is not counted for its series")
            return set()

    def _may_look_up_unclear(self, typed):
        """Return whether a code may be looked up that could be of a frozen series, or of another.

        :param str typed: the code.
        """
        seal = self._seal_unclear(typed)
        for lockout in self:
            unclear = lockout._get_unclear()
            limit = lockout._get_limit('guesses' if lockout.partner_id else 'address_guesses')
            if seal not in unclear and len(unclear) >= limit:
                return False
        return True

    def _count_unclear(self, typed):
        """Remember such a code that was looked up in vain.

        :param str typed: the code.
        :return: whether it is another one than before; it is where nobody knows who typed it.
        :rtype: bool
        """
        now, seal = fields.Datetime.to_string(fields.Datetime.now()), self._seal_unclear(typed)
        is_other = not self
        for lockout in self:
            before = lockout._get_unclear()
            is_other |= seal not in before
            lockout.unclear = {seal: now} | before
        return is_other

    def _get_unclear(self):
        """Return which codes were looked up in vain within the last day, and when.

        Of an address or a user, within the minutes in which its guesses are counted together.
        """
        window = UNCLEAR_WINDOW
        if not self.partner_id:
            window = timedelta(minutes=self._get_number('address_window'))
        oldest = fields.Datetime.to_string(fields.Datetime.now() - window)
        return {seal: time for seal, time in (self.unclear or {}).items() if time > oldest}

    def _is_refusal_recorded(self):
        """Return whether it was written down just now that they typed a code of a frozen series.

        Of the customer, if one is named, else of whoever types. If not, it is now.
        """
        now = fields.Datetime.now()
        lockouts = self.filtered('partner_id') or self
        recorded = lockouts.filtered('unavailable_on')
        if any(lockout.unavailable_on > now - RECORDED_WINDOW for lockout in recorded):
            return True
        lockouts.unavailable_on = now
        return False

    def _seal_unclear(self, typed):
        return self._digest_sought('refill_cards-unclear', typed)
