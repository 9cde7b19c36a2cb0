from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestSaleAtOnce(ConcurrencyCase):
    """Cards are sold, returned and redeemed at the same time."""

    def setUp(self):
        super().setUp()
        with self._committing() as env:
            company = env['res.company'].browse(self.company_id)
            product = env['product.product'].create(
                {
                    'name': "Concurrent card",
                    'type': 'service',
                    'is_refill_card': True,
                    'refill_card_price': 25,
                    'refill_card_currency_id': company.currency_id.id,
                    'list_price': 25,
                    'company_id': company.id,
                }
            )
            self.product_id = product.id
        self.addCleanup(self._remove_product)

    def _remove_product(self):
        self._remove_cards()
        with self._committing() as env:
            env['product.product'].browse(self.product_id).product_tmpl_id.unlink()

    def _stock(self, quantity=1):
        """Return the codes of cards that are for sale."""
        series_id, codes = self._generate_cards(quantity)
        with self._committing() as env:
            env['refill.card.series'].browse(series_id).for_sale = True
        return codes

    def _draft(self, move_type='out_invoice', **values):
        line = {'product_id': self.product_id, 'quantity': 1}
        values = {
            'move_type': move_type,
            'partner_id': self.customer_id,
            'invoice_line_ids': [Command.create(line)],
            **values,
        }
        return self._request('account.move', 'create', values)

    def _post(self, move_id):
        return self._request('account.move', 'action_post', [move_id])

    def _assert_sold(self, code, *, move_id):
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.invoice_line_id.move_id.id, move_id)
            self.assertEqual(card.terms, 'sold' if move_id else False)
            self.assertFalse(card.reserved_line_id)

    def test_two_who_sell_the_last_card_at_once_sell_it_once(self):
        [code] = self._stock()
        first_id, second_id = self._draft(), self._draft()
        with self._transaction() as first:
            first['account.move'].browse(first_id).action_post()
            first.flush_all()
            with self.assertRaisesRegex(UserError, r"cards are missing \(1\)"):
                self._post(second_id)
            first.cr.commit()
        with self.assertRaisesRegex(UserError, r"cards are missing \(1\)"):
            self._post(second_id)
        self._assert_sold(code, move_id=first_id)

    def test_two_who_sell_at_once_take_different_cards(self):
        codes = self._stock(2)
        first_id, second_id = self._draft(), self._draft()
        with self._transaction() as first:
            first['account.move'].browse(first_id).action_post()
            first.flush_all()
            with self._in_background(self._post, second_id) as second:
                self._wait_until_blocked_by(first, second)  # at the invoice's number
                first.cr.commit()
            second.result()
        for code, move_id in zip(codes, (first_id, second_id), strict=True):
            self._assert_sold(code, move_id=move_id)

    def test_a_card_that_is_redeemed_while_it_is_sold_is_not_sold(self):
        [code] = self._stock()
        move_id = self._draft()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaisesRegex(UserError, "missing"):
                self._post(move_id)
            first.cr.commit()
        self._assert_sold(code, move_id=False)
        self._assert_redeemed_once(code)

    def test_a_card_that_was_chosen_and_is_redeemed_meanwhile_is_not_sold(self):
        [code] = self._stock()
        move_id = self._draft()
        with self._committing() as env:
            line = env['account.move'].browse(move_id).invoice_line_ids
            card = env['refill.card'].search([('code', '=', code)])
            env['refill.card']._reserve(line, [('id', 'in', card.ids)])
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(self._post, move_id) as selling:
                self._wait_until_blocked_by(first, selling)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "cannot be sold any more"):
                selling.result()
        self._assert_redeemed_once(code)

    def test_a_card_that_is_redeemed_while_its_invoice_is_taken_back_stays_sold(self):
        [code] = self._stock()
        move_id = self._draft()
        self._post(move_id)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(
                self._request, 'account.move', 'button_draft', [move_id]
            ) as resetting:
                self._wait_until_blocked_by(first, resetting)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "were used"):
                resetting.result()
        self._assert_sold(code, move_id=move_id)

    def test_a_card_whose_invoice_is_taken_back_is_not_redeemed(self):
        [code] = self._stock()
        move_id = self._draft()
        self._post(move_id)
        with self._transaction() as late, self._transaction() as first:
            late.execute_query(SQL("SELECT 1"))
            first['account.move'].browse(move_id).button_draft()
            first.flush_all()
            self.assertEqual(self._redeem(code), 'busy')
            first.cr.commit()
            with self.assertRaisesRegex(Exception, "disabled"):
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})

    def test_a_card_is_returned_once(self):
        self._stock()
        move_id = self._draft()
        self._post(move_id)
        with self._committing() as env:
            notes = [env['account.move'].browse(move_id)._reverse_moves() for _number in range(2)]
            first_id, second_id = (note.id for note in notes)
        with self._transaction() as first:
            first['account.move'].browse(first_id).action_post()
            first.flush_all()
            with self.assertRaisesRegex(UserError, "only 0 of these cards"):
                self._post(second_id)
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "only 0 of these cards"):
            self._post(second_id)

    def test_two_who_order_at_once_get_cards_of_their_own(self):
        with self._committing() as env:
            env['product.product'].browse(self.product_id).refill_card_source = 'made'
        self._post(self._draft())
        first_id, second_id = self._draft(), self._draft()
        with self._transaction() as first:
            first['account.move'].browse(first_id).action_post()
            first.flush_all()
            with self._in_background(self._post, second_id) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            second.result()
        with self._committing() as env:
            series = env['refill.card.series'].search([('company_id', '=', self.company_id)])
            self.assertEqual(series.quantity, 3)
            self.assertEqual(series.card_ids.mapped('terms'), ['sold'] * 3)
            self.assertEqual(len(series.card_ids.invoice_line_id.move_id), 3)
