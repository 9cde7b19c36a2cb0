from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain


class ResCompany(models.Model):
    """Companies that the audit log of refill cards names."""

    _inherit = 'res.company'

    @api.ondelete(at_uninstall=False)
    def _unlink_except_in_refill_card_history(self):
        self.lock_for_update()  # nobody adds to the log meanwhile
        # sudo: whoever deletes them
        events_sudo = self.env['refill.card.event'].sudo()
        if event := events_sudo.search(Domain('company_id', 'in', self.ids), limit=1):
            raise UserError(
                self.env._(
                    "The audit log of refill cards tells what became of the cards of %(company)s."
                    " Archive the company instead.",
                    company=event.company_id.name,
                )
            )
        events_sudo._check_seen('company_id', self)
