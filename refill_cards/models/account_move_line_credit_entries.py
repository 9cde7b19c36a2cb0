from itertools import chain

from odoo import api, models
from odoo.fields import Command


class AccountMoveLine(models.Model):
    """The entries that are made along when prepaid credit pays a debt."""

    _inherit = 'account.move.line'

    # -------------------------------------------------------------------------
    # ANOTHER RECEIVABLE ACCOUNT
    # -------------------------------------------------------------------------

    def _prepare_transfer_values(self, debt, before, after):
        """Return the values of the entry that takes a part of this credit to the debt's account.

        :param dict before: what is left of the credit.
        :param dict after: what will be.
        :rtype: dict
        """
        after = after or {'amount_residual': 0, 'amount_residual_currency': 0}
        amount = after['amount_residual_currency'] - before['amount_residual_currency']
        balance = after['amount_residual'] - before['amount_residual']
        name = self.env._(
            "Prepaid credit of %(payment)s for %(debt)s",
            payment=self.move_id.name or '',
            debt=debt.move_id.name,
        )
        return {
            **debt._prepare_companion_values(max(self.date, debt.date), name),
            'line_ids': [
                Command.create(
                    {
                        'name': name,
                        'account_id': account.id,
                        'partner_id': self.partner_id.id,
                        'currency_id': self.currency_id.id,
                        'amount_currency': sign * amount,
                        'balance': sign * balance,
                    }
                )
                for account, sign in ((self.account_id, 1), (debt.account_id, -1))
            ],
        }

    def _prepare_companion_values(self, day, ref):
        """Return the values of an entry that is made to pay this debt, but for its lines."""
        company = self.company_id
        journals = self.env['account.journal']
        others = company.currency_exchange_journal_id + company.tax_cash_basis_journal_id
        # The journal in which Odoo's own window moves lines to another account.
        journal = company.automatic_entry_default_journal_id or journals.search(
            [
                *journals._check_company_domain(company),
                ('type', '=', 'general'),
                ('id', 'not in', others.ids),
            ],
            limit=1,
        )
        return {
            'move_type': 'entry',
            'company_id': company.id,
            'journal_id': journal.id,
            'date': day,
            'ref': ref,
            'partner_id': self.partner_id.id,
        }

    @api.model
    def _get_transferred(self, transfer, debt):
        """Return what :meth:`_imagine_line` needs for the transferred credit."""
        values = transfer['line_ids'][1][2]
        currency = self.env['res.currency'].browse(values['currency_id'])
        return {
            'company': debt.company_id,
            'date': transfer['date'],
            'account_id': debt.account_id,
            'partner_id': debt.partner_id,
            'currency_id': currency,
            'amount_currency': values['amount_currency'],
            'balance': values['balance'],
        }

    # -------------------------------------------------------------------------
    # EARLY PAYMENT DISCOUNT
    # -------------------------------------------------------------------------

    @api.model
    def _prepare_discount_values(self, debt, day):
        """Return the values of the entry of the discount; its last line is the receivable.

        The other lines are the write-off of Odoo's window Register Payment: see
        ``account.payment.register._create_payment_vals_from_wizard``.
        """
        company, currency = debt.company_id, debt.currency_id
        discount = debt.amount_residual_currency - debt.discount_amount_currency
        paid = {
            'aml': debt,
            'amount_currency': -debt.amount_residual_currency,
            'balance': currency._convert(
                -debt.amount_residual_currency, company.currency_id, company, day
            ),
        }
        written_off = self.env[
            'account.move'
        ]._get_invoice_counterpart_amls_for_early_payment_discount(
            [paid], currency._convert(discount, company.currency_id, company, day)
        )
        lines = list(chain.from_iterable(written_off.values()))
        name = self.env._("Early payment discount: %(invoice)s", invoice=debt.move_id.name)
        receivable = {
            'name': name,
            'account_id': debt.account_id.id,
            'partner_id': debt.partner_id.id,
            'currency_id': currency.id,
            'amount_currency': -sum(line['amount_currency'] for line in lines),
            'balance': -sum(line['balance'] for line in lines),
        }
        return {
            **debt._prepare_companion_values(max(day, debt.date), name),
            'currency_id': currency.id,
            'line_ids': [Command.create(values) for values in [*lines, receivable]],
        }
