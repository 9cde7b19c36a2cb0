from odoo import api, fields, models

from .res_company_second_manager import LIMIT_FIELDS


class ResConfigSettings(models.TransientModel):
    """From which value on a second manager has to approve what is done with cards."""

    _inherit = 'res.config.settings'

    refill_card_approval_generation = fields.Boolean(
        related='company_id.root_id.refill_card_approval_generation', readonly=False
    )
    refill_card_approval_generation_from = fields.Monetary(
        related='company_id.root_id.refill_card_approval_generation_from', readonly=False
    )
    refill_card_approval_activation = fields.Boolean(
        related='company_id.root_id.refill_card_approval_activation', readonly=False
    )
    refill_card_approval_activation_from = fields.Monetary(
        related='company_id.root_id.refill_card_approval_activation_from', readonly=False
    )
    refill_card_approval_export = fields.Boolean(
        related='company_id.root_id.refill_card_approval_export', readonly=False
    )
    refill_card_approval_export_from = fields.Monetary(
        related='company_id.root_id.refill_card_approval_export_from', readonly=False
    )
    refill_card_approval_undo = fields.Boolean(
        related='company_id.root_id.refill_card_approval_undo', readonly=False
    )
    refill_card_approval_undo_from = fields.Monetary(
        related='company_id.root_id.refill_card_approval_undo_from', readonly=False
    )
    refill_card_approval_import = fields.Boolean(
        related='company_id.root_id.refill_card_approval_import', readonly=False
    )
    refill_card_approval_import_from = fields.Monetary(
        related='company_id.root_id.refill_card_approval_import_from', readonly=False
    )
    refill_card_approval_sale_on_account = fields.Boolean(
        related='company_id.root_id.refill_card_approval_sale_on_account', readonly=False
    )
    refill_card_approval_sale_on_account_from = fields.Monetary(
        related='company_id.root_id.refill_card_approval_sale_on_account_from', readonly=False
    )

    refill_card_limits_wait = fields.Boolean(compute='_compute_refill_card_limits_wait')

    @api.depends('company_id')
    def _compute_refill_card_limits_wait(self):
        # sudo: whoever sees the settings need not manage cards
        waiting_sudo = self.env['refill.card.approval'].sudo()
        waiting_sudo = waiting_sudo.search([('kind', '=', 'limits'), ('state', '=', 'waiting')])
        for settings in self:
            waits = settings.company_id.root_id in waiting_sudo.company_id
            settings.refill_card_limits_wait = waits

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            company = self.env['res.company'].browse(vals.get('company_id')) or self.env.company
            self._write_refill_card_limits(company, vals)
        return super().create(vals_list)

    def write(self, vals):
        vals = {**vals}
        for settings in self:
            self._write_refill_card_limits(settings.company_id, vals)
        return super().write(vals)

    @api.model
    def _write_refill_card_limits(self, company, vals):
        """Write the limits together: one by one, the first would guard the others.

        :param dict vals: from which they are taken.
        """
        if limits := {fname: vals.pop(fname) for fname in LIMIT_FIELDS & vals.keys()}:
            company.root_id.write(limits)
