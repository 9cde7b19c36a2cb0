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
        :param set[int] frozen: the ids of the series that are frozen.
        :param str channel: see ``refill.card.event``; staff have the card in hand.
        :raise RefillCardRefused: when there is no card with this code (``unknown``), or it cannot
            be told (``unavailable``).
        """
        hidden = set() if channel == 'backend' else frozen
        is_hidden, is_open = self.env['refill.card.series']._find_alike(code, hidden)
        if is_hidden and not (is_open and lockouts._may_look_up_unclear(code)):
            raise self._refuse_frozen(lockouts)
        if found := find(hidden):
            return found
        if caught := self.env['refill.card.canary']._find(code, hidden):
            frozen |= self.env['refill.card.freeze']._freeze_caught(caught, channel)
            if channel != 'backend':
                refused = self._refuse_frozen(lockouts)
                refused.is_recorded = False  # who typed a canary is always written down
                raise refused
        if is_hidden:
            lockouts._count_unclear(code)
            raise self._refuse_frozen(lockouts)
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

    def _check_not_frozen(self, channel):
        """:raise RefillCardRefused: when the cards are redeemed outside, and a series is frozen."""
        if channel != 'backend' and any(self.series_id.mapped('redemption_frozen_since')):
            raise self._refuse_frozen(self.env['refill.card.lockout'])
