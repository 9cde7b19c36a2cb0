from odoo import models
from odoo.fields import Command

from .refill_card_approval import OPEN


class RefillCardApproval(models.Model):
    """What is done once it is approved: a method an operation.

    Each goes in by the method that asked, in the environment of who asked, which uses up the
    approval if it is for exactly that.
    """

    _inherit = 'refill.card.approval'

    def _run_generate(self):
        arguments = self.sudo().arguments  # sudo: for the program alone
        company = self.env['res.company'].browse(arguments['company_id'])
        series = self.env['refill.card.series'].with_company(company)._make(arguments['values'])
        self._tell_made(series)

    def _tell_made(self, record):
        """Let the approval open what was made."""
        self.sudo().write({'res_model': record._name, 'res_id': record.id})

    def _run_limits(self):
        arguments = self.sudo().arguments  # sudo: for the program alone
        self.env['res.company'].browse(arguments['company_ids']).write(arguments['values'])

    def _run_activate(self):
        channel = self.sudo().arguments['channel']  # sudo: for the program alone
        self.env['refill.card']._activate(self._get_frozen_domain(), self.name, channel)

    def _run_undo(self):
        arguments = self.sudo().arguments  # sudo: for the program alone
        self.env['refill.card'].browse(arguments['card_id'])._undo(arguments['reason'])

    def _run_post(self):
        arguments = self.sudo().arguments  # sudo: for the program alone
        self.env['account.move'].browse(arguments['move_id']).action_post()

    def _drop(self):
        """Let go what was kept for an invoice that is not confirmed by this, nor by another one."""
        if self.operation != 'post':
            return
        move = self.env['account.move'].browse(self.res_id).exists()
        others = [('res_model', '=', move._name), ('res_id', '=', move.id), ('state', 'in', OPEN)]
        if move.state == 'draft' and not self.search(others, limit=1):
            move._drop_refill_cards_asked_for()

    def _run_export(self):
        """Make the file; one with a password in its window, where that is typed."""
        values = self.sudo().arguments['values']  # sudo: for the program alone
        if self._waits_for_password():
            windows = self.env['refill.card.export.wizard']
            return windows.create(windows._prepare_values_of(values))._get_window_action()
        export = self.env['refill.card.export']._export(values)
        self._tell_made(export)
        return export._get_window_action()

    def _waits_for_password(self):
        """Return whether a file is made once the password is typed that protects it."""
        arguments = self.sudo().arguments  # sudo: for the program alone
        return self.sudo().operation == 'export' and arguments['values']['is_protected']

    def _run_send(self):
        arguments = self.sudo().arguments  # sudo: for the program alone
        window = self.env['refill.card.send'].create(
            {
                'card_ids': [Command.set(arguments['card_ids'])],
                'partner_ids': [Command.set(arguments['partner_ids'])],
                'layout_id': arguments['layout_id'],
                'send_again': True,
            }
        )
        return window._send()

    def _run_show(self):
        card_id = self.sudo().arguments['card_id']  # sudo: for the program alone
        return self.env['refill.card'].browse(card_id)._show_code()
