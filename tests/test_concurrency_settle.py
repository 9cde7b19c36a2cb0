from odoo.exceptions import UserError
from odoo.fields import Date
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestSettleAtOnce(ConcurrencyCase):
    """What is owed for a card is billed once, whatever happens at the same time."""

    def setUp(self):
        super().setUp()
        code = self._generate_code()
        self.card_ids = self._card_ids(code)
        with self._transaction() as env:
            # sudo: what the window checks is tested elsewhere
            holder = env['res.partner'].sudo().create({'name': "Concurrent reseller"})
            env['refill.card'].browse(self.card_ids)._consign(holder)
            env.cr.commit()
        self.holder_id = holder.id
        self.addCleanup(self._remove_holder)
        self._redeem(code)

    def _remove_holder(self):
        self._remove_cards()
        with self._committing() as env:
            env['res.partner'].browse(self.holder_id).unlink()

    def _remove_cards(self):
        """Delete with SQL, too, what stays in the books for good."""
        with self._committing() as env:
            self._delete_cards(env)
            for table in (
                'account_partial_reconcile',
                'account_payment',
                'account_move_line',
                'account_move',
            ):
                env.cr.execute(
                    SQL(
                        "DELETE FROM %s WHERE company_id = %s",
                        SQL.identifier(table),
                        self.company_id,
                    )
                )
        return super()._remove_cards()

    def _open_window(self):
        values = {'partner_ids': [self.holder_id], 'day': Date.to_string(Date.today())}
        return self._request('refill.card.settle', 'create', values)

    def _settle(self, wizard_id):
        action = self._request('refill.card.settle', 'action_settle', [wizard_id])
        return action['res_id']

    def _find_bills(self, env):
        return env['account.move'].search(
            [('company_id', '=', self.company_id), ('move_type', '=like', 'out_%')]
        )

    def _undo(self):
        values = {'card_id': self.card_ids[0], 'reason': "Wrong customer"}
        wizard_id = self._request('refill.card.undo', 'create', values)
        return self._request('refill.card.undo', 'action_undo', [wizard_id])

    def test_two_windows_at_once_bill_a_card_once(self):
        windows = [self._open_window() for _number in range(2)]
        with self._transaction() as first:
            first['refill.card.settle'].browse(windows[0]).action_settle()
            first.flush_all()
            with self._in_background(self._settle, windows[1]) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "Nothing is owed"):
                second.result()
        with self._committing() as env:
            self.assertEqual(self._find_bills(env).mapped('amount_total'), [25])

    def test_a_window_that_did_not_see_the_other_bills_nothing_twice(self):
        windows = [self._open_window() for _number in range(2)]
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._settle(windows[0])
            with self.assertRaisesRegex(UserError, "Nothing is owed"):
                execute_cr(
                    late.cr, late.uid, 'refill.card.settle', 'action_settle', ([windows[1]],), {}
                )
        with self._committing() as env:
            self.assertEqual(self._find_bills(env).mapped('amount_total'), [25])

    def test_a_settlement_that_is_cancelled_while_another_is_made_is_billed_by_the_next(self):
        bill_id = self._settle(self._open_window())
        window = self._open_window()
        with self._transaction() as first:
            first['account.move'].browse(bill_id).button_cancel()
            first.flush_all()
            with self.assertRaisesRegex(UserError, "Nothing is owed"):
                self._settle(window)
            first.cr.commit()
        self._settle(window)
        with self._committing() as env:
            bills = self._find_bills(env)
            self.assertEqual(sorted(bills.mapped('state')), ['cancel', 'draft'])
            line = bills.filtered(lambda bill: bill.state == 'draft').invoice_line_ids
            claims = env['account.move.line'].search([('refill_card_bill_line_id', '=', line.id)])
            self.assertEqual(len(claims), 1)

    def test_a_redemption_undone_while_it_is_billed_lowers_the_next_settlement(self):
        window = self._open_window()
        with self._transaction() as first:
            first['refill.card.settle'].browse(window).action_settle()
            first.flush_all()
            with self._in_background(self._undo) as undoing:
                self._wait_until_blocked_by(first, undoing)
                first.cr.commit()
            undoing.result()
        bill_id = self._settle(self._open_window())
        with self._committing() as env:
            bills = self._find_bills(env)
            note = env['account.move'].browse(bill_id)
            self.assertEqual((note.move_type, note.amount_total), ('out_refund', 25))
            bills.filtered(lambda bill: bill.state == 'draft').action_post()
            account = env['res.company'].browse(self.company_id).refill_card_settlement_account_id
            lines = env['account.move.line'].search(
                [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
            )
            self.assertEqual(sum(lines.mapped('balance')), 0)

    def test_a_redemption_undone_after_billing_while_the_bill_is_confirmed_counts_once(self):
        bill_id = self._settle(self._open_window())
        with self._transaction() as first:
            first['account.move'].browse(bill_id).action_post()
            first.flush_all()
            self._undo()
            first.cr.commit()
        with self._committing() as env:
            self.assertEqual(env['account.move'].browse(bill_id).state, 'posted')
        note_id = self._settle(self._open_window())
        with self._committing() as env:
            self.assertEqual(env['account.move'].browse(note_id).amount_total_signed, -25)

    def test_two_who_consign_at_once_stay_within_the_credit_limit_together(self):
        with self._committing() as env:
            company = env['res.company'].browse(self.company_id)
            company.account_use_credit_limit = True
            holder = env['res.partner'].browse(self.holder_id).with_company(company)
            holder.credit_limit = 60  # 25 were used
        windows = [
            self._request(
                'refill.card.hand.out',
                'create',
                {'card_ids': self._card_ids(self._generate_code()), 'holder_id': self.holder_id},
            )
            for _number in range(2)
        ]
        with self._transaction() as first:
            first['refill.card.hand.out'].browse(windows[0]).action_confirm()
            first.flush_all()
            args = ('refill.card.hand.out', 'action_confirm', [windows[1]])
            with self._in_background(self._request, *args) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "credit limit"):
                second.result()
