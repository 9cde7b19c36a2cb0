from odoo import models


class RefillCardLockout(models.Model):
    """Other systems are told who is locked out."""

    _inherit = 'refill.card.lockout'

    def _count(self, reason, company, typed):
        before = {lockout: lockout.locked_until for lockout in self}
        res = super()._count(reason, company, typed)
        for lockout in self:
            if lockout.locked_until != before[lockout]:
                self.env['refill.card.outbox']._tell(
                    'locked_out',
                    company,
                    {
                        'customer': lockout.partner_id.id or None,
                        'origin': lockout.origin or None,
                        'until': f'{lockout.locked_until.isoformat()}Z',
                        'guesses': lockout.guesses,
                        'typos': lockout.typos,
                    },
                )
        return res
