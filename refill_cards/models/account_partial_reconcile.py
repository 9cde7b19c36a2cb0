from odoo import api, fields, models
from odoo.exceptions import UserError


class AccountPartialReconcile(models.Model):
    _inherit = 'account.partial.reconcile'

    # As Odoo's `exchange_move_id`.
    refill_card_move_id = fields.Many2one(
        comodel_name='account.move',
        string="Entry for Prepaid Credit",
        index='btree_not_null',
        help="Made so that prepaid credit could pay: a transfer to the invoice's receivable"
        " account, or an early payment discount.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        """:raise UserError: when prepaid credit would pay for cards."""
        partials = super().create(vals_list)
        # sudo: whoever reconciles need not see the payments
        for partial in partials.sudo():
            debt = partial.debit_move_id.move_id
            if (
                debt._is_about_refill_cards()
                and partial.credit_move_id.move_id._gives_refill_card_credit()
            ):
                raise UserError(
                    self.env._(
                        "Refill cards are not paid by refill cards: prepaid credit does not pay"
                        " %(invoice)s.",
                        invoice=debt.display_name,
                    )
                )
        return partials

    def unlink(self):
        """Take back the entries without which prepaid credit would not have paid."""
        entries = self.refill_card_move_id
        debts = (self | entries.line_ids.matched_debit_ids).debit_move_id
        # Of a debt that is no longer paid as a whole, the discount falls, too.
        entries |= debts.matched_credit_ids.refill_card_move_id.filtered(
            lambda move: any(line.account_type != 'asset_receivable' for line in move.line_ids)
        )
        entries = entries.filtered(lambda move: not move.reversal_move_ids)
        lines = entries.line_ids
        partials = self | lines.matched_debit_ids | lines.matched_credit_ids
        res = super(AccountPartialReconcile, partials).unlink()
        if posted := entries.filtered(lambda move: move.state == 'posted'):
            posted._reverse_moves(
                [
                    {
                        'date': move._get_accounting_date(move.date, move._affect_tax_report()),
                        'ref': self.env._("Reversal of: %(entry)s", entry=move.name),
                    }
                    for move in posted
                ],
                cancel=True,
            )
        return res
