from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL


@dataclass(frozen=True)
class CreditUse:
    """What one prepaid credit pays of one debt."""

    credit: Any  # account.move.line
    debt: Any  # account.move.line
    amount: float  # in the debt's currency
    change: float = 0  # of the customer's balance, in the company's currency
    # Entries that are posted before, by their values.
    transfer: Mapping | None = None  # takes the credit to the debt's receivable account
    discount: Mapping | None = None  # for early payment


@dataclass
class CreditPlan:
    """Which credits pay which debts, in this order, and what stays open for a reason."""

    uses: list[CreditUse] = field(default_factory=list)
    # By debt: somebody wants it so.
    kept: dict[Any, str] = field(default_factory=dict)
    # By credit and debt: Odoo could not reconcile them.
    troubles: dict[tuple[Any, Any], str] = field(default_factory=dict)


class AccountMoveLine(models.Model):
    """Which prepaid credit pays which debts."""

    _inherit = 'account.move.line'

    # -------------------------------------------------------------------------
    # CREDITS AND DEBTS
    # -------------------------------------------------------------------------

    @api.model
    def _get_refill_card_credits_domain(self):
        """Return the domain of the credits that refill cards gave and that no debt used yet.

        :rtype: odoo.fields.Domain
        """
        # The id alone: `env.ref` would look whether the record is still there, each time.
        method_id = self.env['ir.model.data']._xmlid_to_res_id(
            'refill_cards.account_payment_method_refill_card', raise_if_not_found=True
        )
        return Domain(
            [
                ('parent_state', '=', 'posted'),
                ('payment_id.payment_method_id', '=', method_id),
                ('account_id.account_type', '=', 'asset_receivable'),
                ('reconciled', '=', False),
                ('balance', '<', 0),
            ]
        )

    @api.model
    def _get_refill_card_debts_domain(self):
        """Return the domain of what prepaid credit may pay; another module may narrow it.

        Invoices, and what was booked on the customer's account without one, such as an opening
        balance or a sale at the counter. Payments and statement lines are no debts: they were paid
        out to the customer and wait for the document behind them.

        :rtype: odoo.fields.Domain
        """
        invoices = Domain('move_id.move_type', 'in', ['out_invoice', 'out_receipt']) & Domain(
            'move_id.payment_state', 'in', ['not_paid', 'partial', 'blocked']
        )
        entries = Domain(
            [
                ('move_id.move_type', '=', 'entry'),
                ('payment_id', '=', False),
                ('move_id.statement_line_id', '=', False),
                '|',
                ('move_id.reversed_entry_id', '=', False),
                ('move_id.reversed_entry_id.origin_payment_id', '=', False),
            ]
        )
        return (invoices | entries) & Domain(
            [
                ('parent_state', '=', 'posted'),
                ('account_id.account_type', '=', 'asset_receivable'),
                ('reconciled', '=', False),
                ('balance', '>', 0),
            ]
        )

    @api.model
    def _find_refill_card_credits(self, partners):
        """Return the open credits of customers, oldest first.

        :param res.partner partners: commercial partners.
        :rtype: account.move.line
        """
        domain = self._get_refill_card_credits_domain() & Domain('partner_id', 'in', partners.ids)
        return self.search(domain, order='date, id')

    @api.model
    def _find_refill_card_debts(self, partners):
        """Return the open debts of customers, oldest due first.

        :param res.partner partners: commercial partners.
        :rtype: account.move.line
        """
        if not self._owe_anything(partners):
            return self.browse()
        domain = self._get_refill_card_debts_domain() & Domain('partner_id', 'in', partners.ids)
        return self.search(domain).sorted(
            lambda line: (line.date_maturity or line.date, line.date, line.id)
        )

    @api.model
    def _owe_anything(self, partners):
        """Return whether any receivable of these partners is open, in a short query."""
        self.flush_model(['partner_id', 'account_id', 'parent_state', 'reconciled', 'balance'])
        query = SQL(
            """
            SELECT 1 FROM account_move_line line
              JOIN account_account account ON account.id = line.account_id
             WHERE line.partner_id = ANY(%s) AND line.parent_state = 'posted' AND line.balance > 0
               AND line.reconciled IS NOT TRUE AND account.account_type = 'asset_receivable'
             LIMIT 1
            """,
            list(partners.ids),
        )
        return bool(self.env.execute_query(query))

    def _get_reason_to_stay_open(self):
        """Return the sentence that says who wants prepaid credit to leave this debt open.

        :rtype: str | None
        """
        if not self.company_id.refill_card_pay_invoices:
            return self.env._(
                "%(company)s keeps prepaid credit on the account.", company=self.company_id.name
            )
        if not self.partner_id.refill_card_pay_invoices:
            return self.env._("The customer keeps prepaid credit on the account.")
        if self.move_id._is_about_refill_cards():
            return self.env._("Refill cards are not paid by refill cards.")
        if self.move_id.payment_state == 'blocked':
            return self.env._("Its payment is blocked.")
        return None

    # -------------------------------------------------------------------------
    # THE PLAN
    # -------------------------------------------------------------------------

    def _plan_refill_card_credit(self, debts, troubles=None):
        """Decide which of these credits pay which debts: the one rule, also for previews.

        The oldest credit pays the oldest debt. Amounts are Odoo's own, of a reconciliation that
        is not written.

        :param account.move.line debts: of the same customer in the same tree of companies, oldest
            first, as the credits are.
        :param dict troubles: see :class:`CreditPlan`; such a pair is not tried again.
        :rtype: CreditPlan
        """
        plan = CreditPlan(troubles=dict(troubles or {}))
        credits = self.filtered(lambda line: line.company_id.refill_card_pay_invoices)
        left = {line: line._get_refill_card_residual() for line in chain(credits, debts)}
        for debt in debts:
            if reason := debt._get_reason_to_stay_open():
                plan.kept[debt] = reason
                continue
            discount, left[debt] = credits._plan_discount(debt, left, plan)
            for credit in credits:
                if left[debt] and left[credit] and (credit, debt) not in plan.troubles:
                    use = credit._plan_use(debt, left, plan)
                    if use and discount:
                        gained = use.change + discount['gained']
                        use = replace(use, discount=discount['entry'], change=gained)
                        discount = None
                    plan.uses += [use] if use else []
        return plan

    def _get_refill_card_residual(self):
        """Return what is left of the line, as Odoo's reconciliation counts it down."""
        return {
            'aml': self,
            'amount_residual': self.amount_residual,
            'amount_residual_currency': self.amount_residual_currency,
            'parent_state': 'posted',
        }

    def _plan_use(self, debt, left, plan):
        """Return how this credit pays a debt, None when it cannot; count down what is left.

        :rtype: CreditUse | None
        """
        trouble = None
        if debt._lacks_cash_basis_journal():
            trouble = self.env._(
                "%(company)s has no journal for cash basis taxes.", company=debt.company_id.name
            )
        result = self._reconcile_on_paper(left[debt], left[self])
        if not result.get('partial_values'):
            return None
        transfer, credit_left = None, result['credit_values']
        if self.account_id != debt.account_id:
            transfer = self._prepare_transfer_values(debt, left[self], credit_left)
            moved = self._imagine_line(**self._get_transferred(transfer, debt))
            result = self._reconcile_on_paper(left[debt], moved._get_refill_card_residual())
            if not transfer['journal_id']:
                trouble = debt._get_missing_journal_sentence()
        exchange = (result.get('exchange_values') or {}).get('move_values', {})
        trouble = trouble or debt._get_exchange_trouble(exchange)
        if trouble:
            plan.troubles[self, debt] = trouble
            return None
        left[debt], left[self] = result['debit_values'], credit_left
        return CreditUse(
            credit=self,
            debt=debt,
            amount=result['partial_values']['debit_amount_currency'],
            change=self._get_exchange_change(exchange),
            transfer=transfer,
        )

    def _reconcile_on_paper(self, debit, credit):
        """Return what reconciling would do, by Odoo's own arithmetic, without writing.

        :param dict debit: see :meth:`_get_refill_card_residual`.
        :param dict credit: likewise.
        """
        return self._prepare_reconciliation_single_partial(dict(debit), dict(credit))

    @api.model
    def _imagine_line(self, *, company, date, payment=False, **values):
        """Return a line that is nowhere in the books, to reconcile it on paper."""
        move = self.env['account.move'].new(
            {
                'move_type': 'entry',
                'company_id': company,
                'date': date,
                'origin_payment_id': self.env['account.payment'].new() if payment else False,
            }
        )
        residual = {
            'amount_residual': values['balance'],
            'amount_residual_currency': values['amount_currency'],
        }
        shared = {
            'company_id': company,
            'company_currency_id': company.currency_id,
            'date': date,
            'parent_state': 'posted',
        }
        return self.new({**values, **residual, **shared, 'move_id': move})

    def _plan_discount(self, debt, left, plan):
        """Return the discount that these credits earn together, and what it leaves of the debt.

        As Odoo's window Register Payment grants it: when what is paid within the days, in the
        invoice's currency, is all of the rest.

        :rtype: tuple[dict | None, dict]
        """
        total, days = 0.0, []
        for credit in self if debt.discount_date and debt.move_type != 'entry' else ():
            if not left[credit] or (credit, debt) in plan.troubles:
                continue
            if credit.currency_id != debt.currency_id:
                break
            total -= left[credit]['amount_residual_currency']
            days.append(credit.date)
            if debt.currency_id.compare_amounts(total, debt.discount_amount_currency) >= 0:
                return self._prepare_discount(debt, left[debt], max(days))
        return None, left[debt]

    @api.model
    def _prepare_discount(self, debt, residual, day):
        """Return a discount for payment on a day, and what it leaves of the debt.

        :return: ``entry`` (its values) and ``gained`` (in the company's currency).
        :rtype: tuple[dict | None, dict]
        """
        company, invoice = debt.company_id, debt.move_id
        if (
            not invoice._is_eligible_for_early_payment_discount(debt.currency_id, day)
            or not company.account_journal_early_pay_discount_loss_account_id
        ):
            return None, residual
        entry = self._prepare_discount_values(debt, day)
        receivable = entry['line_ids'][-1][2]
        line = self._imagine_line(
            company=company,
            date=entry['date'],
            account_id=debt.account_id,
            partner_id=debt.partner_id,
            currency_id=debt.currency_id,
            amount_currency=receivable['amount_currency'],
            balance=receivable['balance'],
        )
        result = self._reconcile_on_paper(residual, line._get_refill_card_residual())
        exchange = (result.get('exchange_values') or {}).get('move_values', {})
        if not entry['journal_id'] or debt._get_exchange_trouble(exchange):
            return None, residual
        gained = self._get_exchange_change(exchange) - receivable['balance']
        return {'entry': entry, 'gained': gained}, result['debit_values']

    # -------------------------------------------------------------------------
    # TROUBLES
    # -------------------------------------------------------------------------

    def _lacks_cash_basis_journal(self):
        """Return whether paying the debt would need a journal that its company does not have."""
        company = self.company_id
        if not company.tax_exigibility or company.tax_cash_basis_journal_id:
            return False
        return bool(self.move_id._collect_tax_cash_basis_values())

    def _get_exchange_trouble(self, exchange):
        """Return the sentence about what an exchange difference lacks.

        :param dict exchange: the values of its entry, if any.
        :rtype: str | None
        """
        if not exchange.get('line_ids'):
            return None
        journal = self.env['account.journal'].browse(exchange['journal_id'])
        company = journal.company_id
        if (
            company.expense_currency_exchange_account_id
            and company.income_currency_exchange_account_id
        ):
            return None
        return self.env._(
            "%(company)s has no journal or accounts for exchange differences.",
            company=self.company_id.name,
        )

    def _get_missing_journal_sentence(self):
        return self.env._(
            "%(company)s has no journal for miscellaneous operations.", company=self.company_id.name
        )

    def _get_exchange_change(self, exchange):
        """Return by how much an exchange difference raises the customer's balance."""
        receivables = self.env['account.account']
        lines = [values for _command, _id, values in exchange.get('line_ids', [])]
        return sum(
            values['credit'] - values['debit']
            for values in lines
            if receivables.browse(values['account_id']).account_type == 'asset_receivable'
        )
