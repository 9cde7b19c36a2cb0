from odoo import api, fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = 'res.config.settings'

    refill_card_portal = fields.Boolean(related='company_id.refill_card_portal', readonly=False)
    refill_card_portal_help = fields.Html(
        related='company_id.refill_card_portal_help', readonly=False
    )
    refill_card_pay_invoices = fields.Boolean(
        related='company_id.refill_card_pay_invoices', readonly=False
    )
    refill_card_key_in_database = fields.Boolean(compute='_compute_refill_card_key_in_database')

    @api.depends('company_id')
    def _compute_refill_card_key_in_database(self):
        self.refill_card_key_in_database = not self.env['refill.card']._get_server_key()
