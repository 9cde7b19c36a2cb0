from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Command

from .refill_card_lockout import GATEWAY

ALERT_WINDOW = timedelta(hours=1)


class RefillCardLockout(models.Model):
    """Which users get at many codes, by looking at them or by guessing."""

    _inherit = 'refill.card.lockout'

    @api.model
    def _count_shown(self, company):
        """Count that the user looked at a code, whatever becomes of their transaction.

        :param res.company company: which issued the card.
        """
        now = fields.Datetime.now()
        with self.env.registry.cursor() as cr:
            # su: nobody may write counts themselves
            lockouts = self.with_env(self.env(cr=cr, su=True))
            lockout, _frozen = lockouts._hold(self.env['res.partner'], self.env.user.login)
            lockout.shown_at = self._slide(lockout.shown_at, now, ALERT_WINDOW)
            lockout.company_ids = [Command.link(company.id)]

    @api.model
    def _alert_of_persons(self):
        """Tell the managers of each user who got at many codes within an hour.

        Codes shown and unknown codes typed count together, whoever unlocked the user meanwhile.
        Once: not again until there were fewer for an hour.
        """
        now = fields.Datetime.now()
        hour_ago = now - ALERT_WINDOW
        oldest = fields.Datetime.to_string(hour_ago)
        tried = {
            lockout.origin: sum(time > oldest for time in lockout.shown_at)
            for lockout in self.search([('shown_at', '!=', False)])
        }
        attempts = self.env['refill.card.attempt']
        domain = [
            ('date', '>', hour_ago),
            ('reason', 'in', ('unknown', 'unclear')),
            ('user_id.share', '=', False),
        ]
        for user, count in attempts._read_group(domain, ['user_id'], ['__count']):
            tried[user.login] = tried.get(user.login, 0) + count
        for login, count in tried.items():
            if count > self._get_number('person_alert'):
                theirs = [('origin', 'in', [login, login + GATEWAY])]
                lockout = self.search(theirs, order='id', limit=1)
                if not lockout.alerted_on or lockout.alerted_on < hour_ago:
                    user = self.env['res.users'].with_context(active_test=False)
                    attempts._alert_managers(count, user.search([('login', '=', login)]))
                lockout.alerted_on = now
