from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class AccountMove(models.Model):
    """What an agent owes for cards, less the commission that they are owed."""

    _inherit = 'account.move'

    can_net_refill_card_commission = fields.Boolean(compute='_compute_can_net')

    def _compute_can_net(self):
        for move in self:
            move.can_net_refill_card_commission = bool(move._get_commission_to_net())

    def _get_commission_to_net(self):
        """Return what is open of the invoice and of its commission.

        :return: journal items, empty when one of both is paid, or not confirmed.
        :rtype: account.move.line
        """
        self.ensure_one()
        # sudo: whoever sees the invoice
        move_sudo = self.sudo()
        bills_sudo = move_sudo.refill_card_bill_ids.filtered(
            lambda bill: bill.company_id == move_sudo.company_id
        )
        debt, claim = (
            moves.filtered(lambda move: move.state == 'posted').line_ids.filtered(
                lambda line, t=account_type: line.account_type == t and not line.reconciled
            )
            for moves, account_type in (
                (move_sudo, 'asset_receivable'),
                (bills_sudo, 'liability_payable'),
            )
        )
        return debt + claim if debt and claim else debt.browse()

    def action_net_refill_card_commission(self):
        """Pay the commission with what the agent owes, by an entry, as far as that goes.

        :raise UserError: when nothing is open.
        """
        self.ensure_one()
        self.check_access('write')
        lines = self.env['account.move.line'].browse(self._get_commission_to_net().ids)
        if not lines:
            raise UserError(
                self.env._(
                    "Confirm the bill for the commission first: what is open of both is netted."
                )
            )
        debt = lines.filtered(lambda line: line.account_type == 'asset_receivable')
        claim = lines - debt
        entry = self.create(self._prepare_netting_values(debt, claim))
        entry.action_post()
        for part in (debt, claim):
            (
                part + entry.line_ids.filtered(lambda line, p=part: line.account_id == p.account_id)
            ).reconcile()

    def _prepare_netting_values(self, debt, claim):
        """:param account.move.line debt: what the agent owes.
        :param account.move.line claim: what the agent is owed.
        """
        amount = min(abs(sum(lines.mapped('amount_residual_currency'))) for lines in (debt, claim))
        amount *= self.direction_sign  # below zero, credits what is receivable
        rate = claim[0].amount_residual / claim[0].amount_residual_currency
        shared = {
            'name': self.env._("Commission, %(invoice)s", invoice=self.name),
            'partner_id': self.commercial_partner_id.id,
            'currency_id': self.currency_id.id,
        }
        return {
            'move_type': 'entry',
            'company_id': self.company_id.id,
            'ref': shared['name'],
            'line_ids': [
                Command.create(
                    {
                        **shared,
                        'account_id': account.id,
                        'amount_currency': sign * amount,
                        'balance': self.company_currency_id.round(sign * amount * rate),
                    }
                )
                for account, sign in ((debt.account_id, 1), (claim.account_id, -1))
            ],
        }
