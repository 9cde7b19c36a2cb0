from odoo import api, models
from odoo.exceptions import UserError


class AccountPaymentMethod(models.Model):
    _inherit = 'account.payment.method'

    @api.model
    def _get_payment_method_information(self):
        # 'unique' would be one journal a company.
        return {
            **super()._get_payment_method_information(),
            'refill_card': {'mode': 'multi', 'type': ('cash',)},
        }

    def _auto_link_payment_methods(self, payment_methods, methods_info):
        """Leave the cash journals alone that are none of refill cards."""
        others = payment_methods.filtered(lambda method: method.code != 'refill_card')
        super()._auto_link_payment_methods(others, methods_info)
        return payment_methods

    def write(self, vals):
        """:raise UserError: when payments by refill card would become others."""
        for method in self.filtered(lambda method: method.code == 'refill_card'):
            if any(
                method[fname] != vals[fname] for fname in {'code', 'payment_type'} & vals.keys()
            ):
                raise UserError(
                    self.env._(
                        "Payments by refill card are known by their payment method: it stays."
                    )
                )
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_refill_card(self):
        if 'refill_card' in self.mapped('code'):
            raise UserError(
                self.env._("Payments by refill card are known by their payment method: it stays.")
            )


class AccountPaymentMethodLine(models.Model):
    _inherit = 'account.payment.method.line'

    @api.constrains('journal_id', 'payment_account_id', 'payment_method_id')
    def _check_refill_card_journals(self):
        self.journal_id._check_refill_card_journals()

    def write(self, vals):
        """:raise UserError: when payments by refill card would become others, or others theirs."""
        if 'payment_method_id' in vals:
            method = self.payment_method_id.browse(vals['payment_method_id'])
            for line in self:
                if method != line.payment_method_id and 'refill_card' in (method.code, line.code):
                    raise UserError(
                        self.env._(
                            "The payments of %(line)s are known by its payment method, which stays"
                            " as it is. Remove the line from its journal and add another instead.",
                            line=line.display_name,
                        )
                    )
        return super().write(vals)
