"""One card is replaced once, whatever happens to it at the same time."""

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from ..refill_cards.refusals import RefillCardRefused
from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestReplaceAtOnce(ConcurrencyCase):
    def _open_window(self, card_ids, request_id):
        values = {'card_ids': card_ids, 'reason': 'damaged', 'then': 'show'}
        values['request_id'] = request_id
        return self._request('refill.card.replace', 'create', values)

    def _replace(self, card_ids, request_id=False):
        """Replace cards as the web client does; return why they were not, if so."""
        try:
            window_id = self._open_window(card_ids, request_id)
            self._request('refill.card.replace', 'action_confirm', [window_id])
        except UserError as refused:
            return str(refused)
        return None

    def _get_new(self, card_ids):
        with self._committing() as env:
            new = env['refill.card'].search([('replaces_id', 'in', card_ids)], order='number')
            return [(card.name, card.state, card.replaces_id.id) for card in new]

    def test_a_card_that_is_just_being_redeemed_is_not_replaced(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(self._replace, card_ids) as replacing:
                self._wait_until_blocked_by(first, replacing)
                self.assertFalse(replacing.done())
                first.cr.commit()
        self.assertIn("1 used", replacing.result())
        self.assertFalse(self._get_new(card_ids))
        self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_replaced_is_busy_and_then_disabled(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as first:
            first['refill.card'].browse(card_ids)._replace('damaged')
            first.flush_all()
            self.assertEqual(self._redeem(code), 'busy')
            first.cr.commit()
        self.assertEqual(self._redeem(code), 'disabled')
        with self._committing() as env:
            new = env['refill.card'].search([('replaces_id', 'in', card_ids)]).code
        self._redeem(new)
        with self._committing() as env:
            payments = env['account.payment'].search([('company_id', '=', self.company_id)])
            self.assertEqual(payments.mapped('amount'), [25])

    def test_a_card_replaced_after_our_transaction_began_is_not_redeemed(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._replace(card_ids)
            with self.assertRaises(RefillCardRefused) as refused:
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(refused.exception.reason, 'disabled')

    def test_a_request_is_answered_once(self):
        card_ids = self._card_ids(self._generate_code())
        with self._committing() as env:
            request_id = (
                env['refill.card.replacement.request']
                ._ask(
                    env['res.partner'].browse(self.customer_id),
                    env['res.company'].browse(self.company_id),
                    env['refill.card'].browse(card_ids).name,
                    *("Kiosk", '2026-01-31', b''),
                )
                .id
            )
        self.addCleanup(self._delete_request, request_id)
        with self._transaction() as first:
            first['refill.card.replacement.request'].browse(request_id)._refuse("No receipt")
            first.flush_all()
            self.assertIn("just answered", self._replace(card_ids, request_id))
            first.cr.commit()
        self.assertIn("just answered", self._replace(card_ids, request_id))
        self.assertFalse(self._get_new(card_ids))

    def _delete_request(self, request_id):
        with self._committing() as env:
            env['refill.card.replacement.request'].browse(request_id).unlink()

    def test_two_managers_replace_a_card_once(self):
        card_ids = self._card_ids(self._generate_code())
        refusals = self._at_once(self._replace, [card_ids] * 3)
        self.assertEqual(len(self._get_new(card_ids)), 1)
        self.assertEqual(len([refused for refused in refusals if refused]), 2)

    def test_cards_replaced_at_once_get_numbers_of_their_own(self):
        series_id, codes = self._generate_cards(4)
        card_ids = [self._card_ids(code) for code in codes]
        self.assertEqual(self._at_once(self._replace, card_ids), [None] * 4)
        with self._committing() as env:
            series = env['refill.card.series'].browse(series_id)
            self.assertEqual(series.card_ids.mapped('number'), list(range(1, 9)))
            self.assertEqual((series.quantity, series.active_count), (8, 4))

    def test_cards_that_were_made_together_get_numbers_of_their_own_in_either_series(self):
        _series_id, codes = self._generate_cards(2)
        one, other = (self._card_ids(code) for code in codes)
        with self._committing() as env:
            company = env['res.company'].browse(self.company_id)
            env['refill.card'].browse(other)._move_to_companies(company)
            moved = env['refill.card'].browse(other + one).series_id
            self.assertEqual(len(moved), 2)
        self.assertEqual(self._at_once(self._replace, [one, other]), [None] * 2)
        names = [name[-6:] for name, _state, _old in self._get_new(one + other)]
        self.assertEqual(names, ['000003', '000004'])

    def test_an_invoice_sells_the_new_card_or_the_old_one_is_not_replaced(self):
        series_id = self._generate()
        with self._committing() as env:
            card_ids = env['refill.card.series'].browse(series_id).card_ids.ids
            company = env['res.company'].browse(self.company_id)
            products = env['product.product'].with_company(company)
            product = products._get_refill_card_product(25, company.currency_id)
            line = {'product_id': product.id, 'quantity': 1, 'tax_ids': False}
            invoice = (
                env['account.move']
                .with_company(company)
                .create(
                    {
                        'move_type': 'out_invoice',
                        'partner_id': self.customer_id,
                        'invoice_line_ids': [Command.create(line)],
                    }
                )
            )
            env['refill.card']._reserve(
                invoice.invoice_line_ids, env['refill.card']._get_stock_domain(), 1
            )
        with self._transaction() as first:
            first['account.move'].browse(invoice.id).action_post()
            first.flush_all()
            with self._in_background(self._replace, card_ids) as replacing:
                self._wait_until_blocked_by(first, replacing)
                first.cr.commit()
        replacing.result()
        with self._committing() as env:
            sold = env['refill.card'].search([('invoice_line_id.move_id', '=', invoice.id)])
            self.assertEqual(len(sold), 1)
            self.assertEqual(sold.terms, 'sold')
            env.cr.execute(SQL("UPDATE refill_card SET invoice_line_id = NULL"))
