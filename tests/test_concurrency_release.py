from odoo.exceptions import UserError
from odoo.fields import Command, Date, Domain
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestReleaseAtOnce(ConcurrencyCase):
    """What is owed for a card is released once, and stays right whatever happens beside it."""

    def setUp(self):
        super().setUp()
        self.code = self._generate_code()
        self.card_ids = self._card_ids(self.code)
        self._sell(self.card_ids)

    def _sell(self, card_ids):
        with self._committing() as env:
            company = env['res.company'].browse(self.company_id)
            env = env(context={'allowed_company_ids': company.ids})
            products = env['product.product'].with_company(company)
            product = products._get_refill_card_product(25, company.currency_id)
            line = {'product_id': product.id, 'quantity': len(card_ids)}
            invoice = env['account.move'].create(
                {
                    'move_type': 'out_invoice',
                    'partner_id': self.customer_id,
                    'refill_card_works': 'now',
                    'invoice_line_ids': [Command.create(line)],
                }
            )
            env['refill.card']._reserve(invoice.invoice_line_ids, Domain('id', 'in', card_ids))
            invoice.action_post()

    def _remove_cards(self):
        with self._committing() as env:
            env.cr.execute(
                SQL(
                    "UPDATE refill_card SET invoice_line_id = NULL, released_line_id = NULL"
                    " WHERE series_id IN (SELECT id FROM refill_card_series WHERE company_id = %s)",
                    self.company_id,
                )
            )
            env['mail.activity'].search([('res_model', '=', 'account.move')]).unlink()
        return super()._remove_cards()

    def _expire(self, env):
        env['refill.card'].browse(self.card_ids)._change_state(
            'expired', valid_till=Date.to_date('2026-01-01')
        )

    def _expire_now(self):
        with self._committing() as env:
            self._expire(env)

    def _open_window(self):
        return self._request('refill.card.release', 'create', {})

    def _release(self, wizard_id):
        return self._request('refill.card.release', 'action_release', [wizard_id])['res_id']

    def _post(self, move_id):
        return self._request('account.move', 'action_post', [move_id])

    def _extend(self):
        values = {'card_ids': self.card_ids, 'operation': 'extend', 'valid_till': False}
        wizard_id = self._request('refill.card.change', 'create', values)
        return self._request('refill.card.change', 'action_confirm', [wizard_id])

    def _assert_owed(self, amount):
        with self._committing() as env:
            company = env['res.company'].browse(self.company_id)
            liability = company._get_refill_card_method_line().payment_account_id
            lines = env['account.move.line'].search(
                [('account_id', '=', liability.id), ('parent_state', '=', 'posted')]
            )
            self.assertEqual(sum(lines.mapped('balance')), -amount)
            card = env['refill.card'].browse(self.card_ids)
            signs = {'sold': 1, 'brought_back': 1, 'released': -1, 'given_back': 1, 'redeemed': -1}
            movements = filter(None, card.event_ids.mapped('movement'))
            self.assertEqual(25 * sum(signs[each] for each in movements), amount)

    def test_two_runs_at_once_release_a_card_once(self):
        self._expire_now()
        windows = [self._open_window() for _number in range(2)]
        with self._transaction() as first:
            action = first['refill.card.release'].browse(windows[0]).action_release()
            first.flush_all()
            with self._in_background(self._release, windows[1]) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "not released yet"):
                second.result()
        self._post(action['res_id'])
        self._assert_owed(0)

    def test_a_run_that_did_not_see_the_other_releases_nothing_twice(self):
        self._expire_now()
        windows = [self._open_window() for _number in range(2)]
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._post(self._release(windows[0]))
            with self.assertRaisesRegex(UserError, "not released yet"):
                execute_cr(
                    late.cr, late.uid, 'refill.card.release', 'action_release', ([windows[1]],), {}
                )
        self._assert_owed(0)

    def test_a_card_that_is_extended_while_it_is_claimed_is_free(self):
        self._expire_now()
        window = self._open_window()
        with self._transaction() as first:
            move_id = first['refill.card.release'].browse(window).action_release()['res_id']
            first.flush_all()
            with self._in_background(self._extend) as extending:
                self._wait_until_blocked_by(first, extending)
                first.cr.commit()
            extending.result()
        with self.assertRaisesRegex(UserError, "release again"):
            self._post(move_id)
        self._assert_owed(25)

    def test_a_card_that_is_extended_while_its_release_is_posted_is_owed_again(self):
        self._expire_now()
        move_id = self._release(self._open_window())
        with self._transaction() as first:
            first['account.move'].browse(move_id).action_post()
            first.flush_all()
            with self._in_background(self._extend) as extending:
                self._wait_until_blocked_by(first, extending)
                first.cr.commit()
            extending.result()
        self._assert_owed(25)
        self.assertEqual(self._redeem(self.code)['amount'], 25)
        self._assert_owed(0)

    def test_a_release_that_is_posted_while_its_card_is_extended_is_refused(self):
        self._expire_now()
        move_id = self._release(self._open_window())
        with self._transaction() as first:
            first['refill.card'].browse(self.card_ids)._extend(None)
            first.flush_all()
            with self._in_background(self._post, move_id) as posting:
                self._wait_until_blocked_by(first, posting)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "release again"):
                posting.result()
        self._assert_owed(25)

    def test_a_release_that_is_reset_while_its_card_is_extended_is_refused(self):
        self._expire_now()
        move_id = self._release(self._open_window())
        self._post(move_id)
        with self._transaction() as first:
            first['refill.card'].browse(self.card_ids)._extend(None)
            first.flush_all()
            with self._in_background(
                self._request, 'account.move', 'button_draft', [move_id]
            ) as resetting:
                self._wait_until_blocked_by(first, resetting)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "brought back"):
                resetting.result()
        self._assert_owed(25)

    def test_a_card_that_is_given_back_beside_a_run_is_released_by_the_next(self):
        self._redeem(self.code)
        with self._committing() as env:
            env['refill.card'].browse(self.card_ids)._set_terms(
                Domain('id', 'in', self.card_ids), valid_till=Date.to_date('2026-01-01')
            )
        values = {'card_id': self.card_ids[0], 'reason': "Wrong customer"}
        undo_id = self._request('refill.card.undo', 'create', values)
        window = self._open_window()
        with self._transaction() as first:
            first['refill.card.undo'].browse(undo_id).action_undo()
            first.flush_all()
            with self.assertRaisesRegex(UserError, "not released yet"):
                self._release(window)
            first.cr.commit()
        self._assert_owed(25)
        self._post(self._release(window))
        self._assert_owed(0)

    def test_two_runs_at_once_estimate_a_series_once(self):
        series_id, codes = self._generate_cards(2)
        with self._committing() as env:
            series = env['refill.card.series'].browse(series_id)
            series.unused_share = 50
            card_ids = series.card_ids.ids
        self._sell(card_ids)
        self._redeem(codes[0])
        windows = [self._open_window() for _number in range(2)]
        with self._transaction() as first:
            action = first['refill.card.release'].browse(windows[0]).action_release()
            first.flush_all()
            with self._in_background(self._release, windows[1]) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "no estimate is due"):
                second.result()
        with self._committing() as env:
            lines = env['account.move'].browse(action['res_id'])._get_refill_card_lines('estimate')
            self.assertEqual(lines.mapped('balance'), [25])
