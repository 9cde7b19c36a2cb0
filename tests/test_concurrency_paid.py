from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .test_concurrency_sell import SellAtOnceCase


@tagged('post_install', '-at_install')
class TestPaidAtOnce(SellAtOnceCase):
    """A payment is registered or undone while a card of its invoice is redeemed."""

    def _sell_card(self):
        """Return the code of a card that works once it is paid, and its confirmed invoice."""
        code = self._generate_code()
        window_id = self._open_window(card_ids=self._card_ids(code), works='paid')
        move_id = self._sell(window_id)
        self._request('account.move', 'action_post', [move_id])
        return code, move_id

    def _pay(self, move_id):
        with self._committing() as env:
            move = env['account.move'].browse(move_id)
            context = {'active_model': 'account.move', 'active_ids': move.ids}
            wizards = env['account.payment.register'].with_context(**context)
            wizard = wizards.create({}).with_company(move.company_id)
            wizard._create_payments()
            wizard.unlink()  # its customer is deleted in the end

    def _unpay(self, env, move_id):
        move = env['account.move'].browse(move_id)
        move.line_ids.remove_move_reconcile()
        env.flush_all()

    def _unpay_by_request(self, move_id):
        with self._committing() as env:
            lines = env['account.move'].browse(move_id).line_ids.ids
        self._request('account.move.line', 'remove_move_reconcile', lines)

    def _assert_card(self, code, state, reason=False):
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual((card.state, card.disable_reason), (state, reason))
            return card.invoice_line_id.move_id.activity_ids.mapped('summary')

    def test_a_card_that_is_redeemed_while_its_payment_is_undone_is_told(self):
        code, move_id = self._sell_card()
        self._pay(move_id)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(self._unpay_by_request, move_id) as undoing:
                self._wait_until_blocked_by(first, undoing)
                first.cr.commit()
            undoing.result()
        [summary] = self._assert_card(code, 'used')
        self.assertIn("not paid any more", summary)

    def test_a_card_whose_payment_is_undone_is_not_redeemed(self):
        code, move_id = self._sell_card()
        self._pay(move_id)
        with self._transaction() as late, self._transaction() as first:
            late.execute_query(SQL("SELECT 1"))
            self._unpay(first, move_id)
            self.assertEqual(self._redeem(code), 'busy')
            first.cr.commit()
            with self.assertRaisesRegex(Exception, "disabled"):
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertFalse(self._assert_card(code, 'disabled', 'unpaid'))

    def test_a_card_is_not_redeemed_before_its_payment_is_committed(self):
        code, move_id = self._sell_card()
        self.assertEqual(self._redeem(code), 'inactive')
        self._pay(move_id)
        self.assertFalse(self._assert_card(code, 'active'))
        self._redeem(code)
        self._assert_card(code, 'used')
