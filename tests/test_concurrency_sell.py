from odoo.exceptions import UserError
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


class SellAtOnceCase(ConcurrencyCase):
    """Cards are sold by windows."""

    def setUp(self):
        super().setUp()
        with self._committing() as env:
            products = env['product.product'].search([('is_refill_card', '=', True)])
            self.addCleanup(self._remove_products, products.ids)

    def _remove_products(self, others):
        """Delete the products that the windows made."""
        self._remove_cards()
        with self._committing() as env:
            made = [('is_refill_card', '=', True), ('id', 'not in', others)]
            env['product.product'].search(made).product_tmpl_id.unlink()

    def _open_window(self, **values):
        values = {'partner_id': self.customer_id, **values}
        return self._request('refill.card.sell', 'create', values)

    def _sell(self, window_id):
        return self._request('refill.card.sell', 'action_sell', [window_id])['res_id']


@tagged('post_install', '-at_install')
class TestSellAtOnce(SellAtOnceCase):
    """Two accountants have windows open that sell or return the same cards."""

    def _get_kept(self, move_id):
        """Return the serial numbers that are kept for a draft."""
        with self._committing() as env:
            cards = env['refill.card'].search([('reserved_line_id.move_id', '=', move_id)])
            return cards.mapped('number')

    def test_a_card_that_two_sell_at_once_is_kept_for_one_draft(self):
        card_ids = self._card_ids(self._generate_code())
        windows = [self._open_window(card_ids=card_ids) for _number in range(2)]
        with self._transaction() as first:
            action = first['refill.card.sell'].browse(windows[0]).action_sell()
            first.flush_all()
            with self.assertRaisesRegex(UserError, "Somebody else is just selling"):
                self._sell(windows[1])
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "kept for another draft"):
            self._sell(windows[1])
        self.assertEqual(self._get_kept(action['res_id']), [1])
        with self._committing() as env:
            moves = env['account.move'].search([('company_id', '=', self.company_id)])
            self.assertEqual(moves.ids, [action['res_id']])

    def test_who_sells_a_card_that_was_sold_meanwhile_tries_again_and_is_told(self):
        card_ids = self._card_ids(self._generate_code())
        windows = [self._open_window(card_ids=card_ids) for _number in range(2)]
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._sell(windows[0])
            with self.assertRaisesRegex(UserError, "kept for another draft"):
                execute_cr(late.cr, late.uid, 'refill.card.sell', 'action_sell', [windows[1]], {})

    def test_two_who_sell_the_next_cards_at_once_get_different_ones(self):
        series_id, _codes = self._generate_cards(5)
        windows = [self._open_window(series_ids=[series_id], quantity=2) for _number in range(2)]
        with self._transaction() as first:
            action = first['refill.card.sell'].browse(windows[0]).action_sell()
            first.flush_all()
            second_id = self._sell(windows[1])
            first.cr.commit()
        self.assertEqual(self._get_kept(action['res_id']), [1, 2])
        self.assertEqual(self._get_kept(second_id), [3, 4])

    def test_a_card_that_two_return_at_once_is_returned_once(self):
        card_ids = self._card_ids(self._generate_code())
        move_id = self._sell(self._open_window(card_ids=card_ids))
        self._request('account.move', 'action_post', [move_id])
        windows = [
            self._request('refill.card.return', 'create', values)
            for values in ({'card_ids': card_ids}, {'invoice_id': move_id})
        ]
        with self._transaction() as first:
            first['refill.card.return'].browse(windows[0]).action_return()
            first.flush_all()
            with self.assertRaisesRegex(UserError, "Somebody else is just selling"):
                self._request('refill.card.return', 'action_return', [windows[1]])
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "no card to return"):
            self._request('refill.card.return', 'action_return', [windows[1]])
