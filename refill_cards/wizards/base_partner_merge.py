from odoo import models
from odoo.fields import Command


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = 'base.partner.merge.automatic.wizard'

    def _update_foreign_keys(self, src_partners, dst_partner):
        self._merge_refill_card_lockouts(src_partners + dst_partner, dst_partner)
        self._merge_refill_card_agreements(src_partners, dst_partner)
        return super()._update_foreign_keys(src_partners, dst_partner)

    def _merge_refill_card_agreements(self, src_partners, dst_partner):
        """Keep one agreement with each company, the one of whoever stays where there is one."""
        # sudo: whoever merges contacts has no right on the agreements
        agreements = self.env['refill.card.agreement'].sudo()
        found = agreements.search([('partner_id', 'in', (src_partners + dst_partner).ids)])
        kept = agreements
        for agreement in found.sorted(lambda each: each.partner_id != dst_partner):
            if agreement.company_id not in kept.company_id:
                kept += agreement
        (found - kept).unlink()

    def _merge_refill_card_lockouts(self, partners, dst_partner):
        """Count the wrong codes of merged customers together, as of each there is one count only.

        Whoever was locked out stays so.
        """
        # sudo: whoever merges contacts has no right on the counts
        lockouts = self.env['refill.card.lockout'].sudo()
        lockouts = lockouts.search([('partner_id', 'in', partners.ids)], order='locked_until')
        if len(lockouts) < 2:
            return
        kept, others = lockouts[-1], lockouts[:-1]
        mistyped = [time for times in lockouts.mapped('mistyped_at') for time in times or []]
        values = {
            'guesses': sum(lockouts.mapped('guesses')),
            'typos': len(mistyped),
            'mistyped_at': sorted(mistyped),
            'counted_on': max(lockouts.mapped('counted_on')),
            'locked_until': max(filter(None, lockouts.mapped('locked_until')), default=False),
            'company_ids': [Command.set(lockouts.company_ids.ids)],
        }
        others.unlink()
        kept.write({**values, 'partner_id': dst_partner.id})
        kept.flush_recordset()
