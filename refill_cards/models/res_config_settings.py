from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .refill_card_export import FILE_HOURS


class ResConfigSettings(models.TransientModel):
    _inherit = 'res.config.settings'

    refill_card_portal = fields.Boolean(related='company_id.refill_card_portal', readonly=False)
    refill_card_portal_help = fields.Html(
        related='company_id.refill_card_portal_help', readonly=False
    )
    refill_card_pay_invoices = fields.Boolean(
        related='company_id.refill_card_pay_invoices', readonly=False
    )
    refill_card_export_file_hours = fields.Integer(
        string="Hours until Exported Files are Removed",
        config_parameter='refill_cards.export_file_hours',
        default=FILE_HOURS,
    )
    refill_card_key_in_database = fields.Boolean(compute='_compute_refill_card_key_in_database')

    @api.depends('company_id')
    def _compute_refill_card_key_in_database(self):
        self.refill_card_key_in_database = not self.env['refill.card']._get_server_key()

    @api.constrains('refill_card_export_file_hours')
    def _check_refill_card_export_file_hours(self):
        for settings in self:
            if settings.refill_card_export_file_hours < 1:
                raise ValidationError(
                    self.env._("Exported refill cards are kept for one hour at least.")
                )
