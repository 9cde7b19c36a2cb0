from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestOpeningAtOnce(ConcurrencyCase):
    """What was sold before is stated while cards are redeemed, sold, or stated by another."""

    def _open_window(self, series_id, count):
        with self._committing() as env:
            accounts = env['account.account'].with_company(self.company_id)
            account = accounts.search(
                [('account_type', '=', 'income'), ('company_ids', 'in', self.company_id)], limit=1
            )
        line = Command.create({'series_id': series_id, 'sold_count': count})
        values = {'account_id': account.id, 'line_ids': [line]}
        return self._request('refill.card.opening', 'create', values)

    def _state(self, window_id):
        return self._request('refill.card.opening', 'action_state', [window_id])

    def _get_sold(self, series_id):
        """Return which cards are sold, and what is owed for them by the books."""
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id', '=', series_id)])
            company = env['res.company'].browse(self.company_id)
            account = company._get_refill_card_method_line().payment_account_id
            lines = env['account.move.line'].search(
                [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
            )
            sold = cards.filtered(lambda card: card.terms == 'sold')
            opened = sold.filtered(lambda card: card.invoice_line_id.refill_card_role == 'opening')
            return opened.mapped('number'), sold.mapped('state'), -sum(lines.mapped('balance'))

    def test_a_card_that_is_being_redeemed_counts_as_used(self):
        series_id, codes = self._generate_cards(3)
        window_id = self._open_window(series_id, 1)
        with self._transaction() as first:
            first['refill.card'].redeem_code(codes[0], self.customer_id)
            first.flush_all()
            with self._in_background(self._state, window_id) as stating:
                self._wait_until_blocked_by(first, stating)
                self.assertFalse(stating.done(), "did not wait")
                first.cr.commit()
            stating.result()
        self.assertEqual(self._get_sold(series_id), ([1], ['used'], 0))

    def test_a_card_that_is_being_stated_is_busy_and_redeemed_as_sold_afterwards(self):
        series_id, codes = self._generate_cards(3)
        window_id = self._open_window(series_id, 2)
        with self._transaction() as first:
            first['refill.card.opening'].browse(window_id).action_state()
            first.flush_all()
            self.assertEqual(self._redeem(codes[0]), 'busy')
            first.cr.commit()
        self.assertEqual(self._redeem(codes[0])['amount'], 25)
        self.assertEqual(self._get_sold(series_id), ([1, 2], ['used', 'active'], 25))

    def test_a_card_redeemed_after_our_transaction_began_counts_as_used(self):
        series_id, codes = self._generate_cards(3)
        window_id = self._open_window(series_id, 1)
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._redeem(codes[0])
            args = ([window_id],)
            execute_cr(late.cr, late.uid, 'refill.card.opening', 'action_state', args, {})
        self.assertEqual(self._get_sold(series_id), ([1], ['used'], 0))

    def test_other_cards_redeemed_meanwhile_leave_what_is_owed_right(self):
        series_id, codes = self._generate_cards(3)
        window_id = self._open_window(series_id, 2)
        with self._transaction() as first:
            first['refill.card'].redeem_code(codes[2], self.customer_id)
            first.flush_all()
            self._state(window_id)
            first.cr.commit()
        self.assertEqual(self._get_sold(series_id), ([1, 2], ['active', 'active'], 25))

    def test_cards_that_are_being_sold_were_not_sold_before(self):
        series_id, _codes = self._generate_cards(3)
        window_id, all_id = self._open_window(series_id, 2), self._open_window(series_id, 3)
        with self._transaction() as first:
            cards = first['refill.card'].search([('series_id', '=', series_id)], limit=1)
            sale = first['refill.card.sell'].create(
                {'card_ids': cards.ids, 'partner_id': self.customer_id}
            )
            invoice = first['account.move'].browse(sale.action_sell()['res_id'])
            invoice.action_post()
            first.flush_all()
            with self._in_background(self._state, window_id) as stating:
                self._wait_until_blocked_by(first, stating)
                self.assertFalse(stating.done(), "did not wait")
                first.cr.commit()
            stating.result()
        self.assertEqual(self._get_sold(series_id), ([2, 3], ['active'] * 3, 75))
        with self.assertRaisesRegex(UserError, "is stated once"):
            self._state(all_id)

    def test_a_series_that_two_state_at_once_is_stated_once(self):
        series_id, _codes = self._generate_cards(4)
        windows = [self._open_window(series_id, 1), self._open_window(series_id, 2)]
        with self._transaction() as first:
            first['refill.card.opening'].browse(windows[0]).action_state()
            first.flush_all()
            with self._in_background(self._state, windows[1]) as second:
                self._wait_until_blocked_by(first, second)
                self.assertFalse(second.done(), "did not wait")
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "is stated once"):
                second.result()
        self.assertEqual(self._get_sold(series_id), ([1], ['active'], 25))
