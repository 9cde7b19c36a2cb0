from odoo import api, models


class AccountPaymentMethod(models.Model):
    _inherit = 'account.payment.method'

    @api.model
    def _get_payment_method_information(self):
        # 'unique': one journal a company; 'multi' would link itself to every cash journal.
        return {
            **super()._get_payment_method_information(),
            'refill_card': {'mode': 'unique', 'type': ('cash',)},
        }
