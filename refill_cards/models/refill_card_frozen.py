from odoo import api, models


class RefillCard(models.Model):
    """Codes of series that are frozen: whoever has only a code learns nothing about it.

    A good code and a wrong one get the same answer, because neither is looked up.
    """

    _inherit = 'refill.card'

    @api.model
    def _look_up(self, code, find, lockouts, frozen, *, channel):
        """Return the card with a code, unless its series is frozen: where every door comes in.

        What is typed can look like codes of a frozen series and of others, because the prefix may
        be left out, and several series may share it. Then it is looked up among the others alone,
        and no oftener than anybody may guess.

        :param str code: as typed; it is well-formed.
        :param find: called with the ids of series, returns the card of another one with this code.
        :param refill.card.lockout lockouts: the counts of whoever types.
        :param set[int] frozen: the ids of the series that are frozen; it takes those that are now.
        :param str channel: see ``refill.card.event``; staff have the card in hand.
        :raise RefillCardRefused: when there is no card with this code (``unknown``), or it cannot
            be told (``unavailable``).
        """
        hidden = set() if channel == 'backend' else frozen
        is_hidden, is_open = self.env['refill.card.series']._find_alike(code, hidden)
        is_sought = not is_hidden or is_open and lockouts._may_look_up_unclear(code)
        if is_sought and (found := find(hidden)):
            return found
        if caught := self.env['refill.card.canary']._catch(code, channel):
            frozen |= caught
            if channel != 'backend':
                refused = self._refuse_frozen(lockouts)
                refused.is_recorded = False  # who typed a canary is always written down
                raise refused
        if is_hidden:
            raise self._refuse_unclear(lockouts, code, is_sought)
        raise self._refusal('unknown')

    def _get_in_sight(self, hidden):
        """Return those of the cards that are of no hidden series.

        :param set[int] hidden: the ids of the series; without any, the cards are not read.
        """
        return self.filtered(lambda card: card.series_id.id not in hidden) if hidden else self

    @api.model
    def _refuse_frozen(self, lockouts):
        """Return the refusal that says neither whether there is such a card nor why.

        :param refill.card.lockout lockouts: the counts of whoever types; may be empty.
        """
        company_sudo = self.env.company.sudo()  # sudo: whom to call, whoever asks
        contact = [company_sudo.name, company_sudo.phone or company_sudo.email]
        refused = self._refusal('unavailable', contact=', '.join(filter(None, contact)))
        refused.is_recorded = lockouts._is_refusal_recorded()
        return refused

    @api.model
    def _refuse_unclear(self, lockouts, code, is_sought):
        """Return the refusal of a code that may be of a frozen series.

        Of one that was sought in vain among the others nobody knows whether it was guessed: it is
        told apart among the refused codes, and counts there.

        :param refill.card.lockout lockouts: the counts of whoever types; may be empty.
        :param str code: as typed.
        :param bool is_sought: whether it was sought among the others.
        """
        refused = self._refuse_frozen(lockouts)
        if is_sought and lockouts._count_unclear(code):
            refused.is_recorded = False
            refused.recorded_as = 'unclear'
        return refused

    def _check_not_frozen(self, channel):
        """:raise RefillCardRefused: when the cards are redeemed outside, and a series is frozen."""
        if channel != 'backend' and any(self.series_id.mapped('redemption_frozen_since')):
            raise self._refuse_frozen(self.env['refill.card.lockout'])
