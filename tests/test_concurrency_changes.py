from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.api import SUPERUSER_ID
from odoo.exceptions import UserError
from odoo.service.model import execute_cr
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL

from ..refill_cards.refusals import RefillCardRefused
from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyChanges(ConcurrencyCase):
    # -------------------------------------------------------------------------
    # DELETING, AND CHANGING THE PRICE
    # -------------------------------------------------------------------------

    def test_a_card_that_is_just_being_redeemed_cannot_be_deleted(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaises(RefillCardRefused) as refused:
                self._request('refill.card', 'unlink', card_ids)
            self.assertEqual(refused.exception.reason, 'busy')
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "was used"):
            self._request('refill.card', 'unlink', card_ids)
        self._assert_redeemed_once(code)

    def test_what_the_log_is_just_told_about_is_not_deleted(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        for tell in (
            lambda env: env['refill.card'].browse(card_ids)._log(note="Noted"),
            lambda env: env['refill.card'].browse(card_ids).series_id._log("Noted"),
        ):
            with self._transaction() as first:
                series_id = first['refill.card'].browse(card_ids).series_id.id
                tell(first)
                with self.assertRaises(UserError):
                    self._request('refill.card.series', 'unlink', [series_id])
                first.cr.commit()
        self._request('refill.card.series', 'unlink', [series_id])
        with self._committing() as env:
            events = env['refill.card.event'].search([('note', '=', "Noted")])
            self.assertEqual(len(events), 2)
            self.assertFalse(events.card_id.ids + events.series_id.ids)

    def _log_and_delete(self, model, id_, fname):
        """Delete what a colleague told the log about after our transaction began."""
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            with self._committing() as env:
                event = env['refill.card.event'].create(
                    {
                        'serial': "Late",
                        'date': fields.Datetime.now(),
                        'channel': 'backend',
                        'company_id': self.company_id,
                        fname: id_,
                    }
                )
            self.addCleanup(self._delete_events, event.ids)
            execute_cr(late.cr, SUPERUSER_ID, model, 'unlink', ([id_],), {})
        with self._committing() as env:
            event = env['refill.card.event'].browse(event.ids)
            self.assertFalse(event[fname], "the audit log names what is gone")

    def _delete_events(self, ids):
        with self._committing() as env:
            env.cr.execute(SQL("DELETE FROM refill_card_event WHERE id = ANY(%s)", ids))

    def test_the_log_forgets_cards_that_it_was_told_about_after_our_transaction_began(self):
        self._log_and_delete('refill.card', *self._card_ids(self._generate_code()), 'card_id')

    def test_the_log_forgets_a_series_that_it_was_told_about_after_our_transaction_began(self):
        self._log_and_delete('refill.card.series', self._generate(), 'series_id')

    def test_the_log_forgets_a_customer_that_it_was_told_about_after_our_transaction_began(self):
        with self._committing() as env:
            user = new_test_user(env, login='refill_late_customer', groups='base.group_portal')
        self._log_and_delete('res.users', user.id, 'user_id')

    def test_staff_and_companies_stay_that_the_log_was_told_about_meanwhile(self):
        with self._committing() as env:
            user = new_test_user(env, login='refill_late_staff', groups='base.group_user')
            company = env['res.company'].create({'name': "Late"})
            ids = user.ids + company.ids
        self.addCleanup(self._delete_late, *ids)
        for model, id_, fname in (
            ('res.users', ids[0], 'user_id'),
            ('res.company', ids[1], 'company_id'),
        ):
            with self.subTest(model), self.assertRaisesRegex(UserError, "Archive the"):
                self._log_and_delete(model, id_, fname)

    def _delete_late(self, user_id, company_id):
        with self._committing() as env:
            named = [('serial', '=', "Late")]
            self._delete_events(env['refill.card.event'].search(named).ids)
        with self._committing() as env:
            env['res.users'].browse(user_id).unlink()
            env['res.company'].browse(company_id).unlink()

    def test_a_card_that_is_just_being_redeemed_gets_no_other_last_day(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaises(RefillCardRefused) as refused:
                self._request('refill.card', 'write', card_ids, {'valid_till': '2050-01-01'})
            self.assertEqual(refused.exception.reason, 'busy')
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "was used"):
            self._request('refill.card', 'write', card_ids, {'valid_till': '2050-01-01'})
        self._assert_redeemed_once(code)

    def test_a_card_redeemed_after_our_transaction_began_cannot_be_deleted(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self.assertEqual(self._redeem(code)['amount'], 25)
            with self.assertRaisesRegex(UserError, "was used"):
                execute_cr(late.cr, late.uid, 'refill.card', 'unlink', (card_ids,), {})
        self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_deleted_is_busy_and_then_unknown(self):
        code = self._generate_code()
        with self._transaction() as deleting:
            deleting['refill.card'].browse(self._card_ids(code)).unlink()
            self.assertEqual(self._redeem(code), 'busy')
            deleting.cr.commit()
        self.assertEqual(self._redeem(code), 'unknown')
        self._assert_attempts('busy', 'unknown')

    def test_a_card_deleted_after_our_transaction_began_is_unknown(self):
        code = self._generate_code()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._request('refill.card', 'unlink', self._card_ids(code))
            with self.assertRaises(RefillCardRefused) as refused:
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(refused.exception.reason, 'unknown')
        with self._committing() as env:
            self.assertFalse(env['account.payment'].search([('company_id', '=', self.company_id)]))

    def test_a_series_with_a_card_that_is_just_being_redeemed_cannot_be_deleted(self):
        series_id, [code, _other] = self._generate_cards(2)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaises(UserError):
                self._request('refill.card.series', 'unlink', [series_id])
            first.cr.commit()
        self._assert_series_cannot_be_deleted(series_id, code)

    def test_a_series_with_a_card_redeemed_after_our_transaction_began_cannot_be_deleted(self):
        series_id, [code, _other] = self._generate_cards(2)
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self.assertEqual(self._redeem(code)['amount'], 25)
            with self.assertRaisesRegex(UserError, "were used"):
                execute_cr(late.cr, late.uid, 'refill.card.series', 'unlink', ([series_id],), {})
        self._assert_series_cannot_be_deleted(series_id, code)

    def _assert_series_cannot_be_deleted(self, series_id, code):
        with self.assertRaisesRegex(UserError, "were used"):
            self._request('refill.card.series', 'unlink', [series_id])
        self._assert_redeemed_once(code)
        with self._committing() as env:
            self.assertEqual(env['refill.card.series'].browse(series_id).card_count, 2)
            of_cards = [('user_id', '=', self.accountant_id), ('card_id', '!=', False)]
            events = env['refill.card.event'].search(of_cards)
            self.assertEqual(events.mapped('new_state'), ['used'])

    def test_the_price_of_a_card_that_is_just_being_redeemed_stays(self):
        series_id, [code] = self._generate_cards()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(
                self._request, 'refill.card.series', 'write', [series_id], {'price': 999}
            ) as change:
                self._wait_until_blocked_by(first, change)
                first.cr.commit()
        with self.assertRaisesRegex(UserError, "were used"):
            change.result()
        self._assert_redeemed_once(code)
        with self._committing() as env:
            self.assertEqual(env['refill.card.series'].browse(series_id).price, 25)

    def test_a_card_whose_price_changed_after_our_transaction_began_is_worth_the_new_price(self):
        series_id, [code] = self._generate_cards()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._request('refill.card.series', 'write', [series_id], {'price': 999})
            args = (code, self.customer_id)
            redeemed = execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(redeemed['amount'], 999)

    # -------------------------------------------------------------------------
    # CHANGING CARDS
    # -------------------------------------------------------------------------

    def _open_window(self, code, **values):
        values = {'card_ids': self._card_ids(code), **values}
        return self._request('refill.card.change', 'create', values)

    def _change(self, wizard_id):
        return self._request('refill.card.change', 'action_confirm', [wizard_id])

    def _open_changes(self, code):
        """Return a window for each operation that makes a difference to a live card."""
        return [
            self._open_window(code, operation='disable', reason='stolen'),
            self._open_window(code, operation='deactivate'),
            self._open_window(code, operation='extend'),
            self._open_window(code, operation='companies', company_ids=[]),
        ]

    def test_a_card_that_is_just_being_redeemed_is_not_moved_to_another_series(self):
        _series_id, [code, _other] = self._generate_cards(2)
        wizard_id = self._open_window(code, operation='companies', company_ids=[])
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaisesRegex(UserError, "just being generated or redeemed"):
                self._change(wizard_id)
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "1 used"):
            self._change(wizard_id)
        self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_redeemed_is_not_changed(self):
        for number in range(3):
            _series_id, [code, _other] = self._generate_cards(2)
            wizard_id = self._open_changes(code)[number]
            with self.subTest(number), self._transaction() as first:
                first['refill.card'].redeem_code(code, self.customer_id)
                first.flush_all()
                with self._in_background(self._change, wizard_id) as change:
                    self._wait_until_blocked_by(first, change)
                    self.assertFalse(change.done(), "did not wait for the redemption")
                    first.cr.commit()
                with self.assertRaisesRegex(UserError, "1 used"):
                    change.result()
                self._assert_redeemed_once(code)

    def test_a_card_redeemed_after_our_transaction_began_is_not_changed(self):
        for number in range(4):
            _series_id, [code, _other] = self._generate_cards(2)
            wizard_id = self._open_changes(code)[number]
            with self.subTest(number), self._transaction() as late:
                late.execute_query(SQL("SELECT 1"))
                self.assertEqual(self._redeem(code)['amount'], 25)
                with self.assertRaisesRegex(UserError, "1 used"):
                    args = ([wizard_id],)
                    execute_cr(late.cr, late.uid, 'refill.card.change', 'action_confirm', args, {})
                self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_disabled_is_busy_and_then_disabled(self):
        code = self._generate_code()
        wizard_id = self._open_window(code, operation='disable', reason='stolen')
        with self._transaction() as late, self._transaction() as disabling:
            late.execute_query(SQL("SELECT 1"))
            disabling['refill.card.change'].browse(wizard_id).action_confirm()
            self.assertEqual(self._redeem(code), 'busy')
            disabling.cr.commit()
            with self.assertRaises(RefillCardRefused) as refused:
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(refused.exception.reason, 'disabled')
        self.assertEqual(self._redeem(code), 'disabled')
        self._assert_no_payment()

    def test_a_card_that_just_expires_is_busy_and_then_expired(self):
        code = self._generate_code()
        with self._transaction() as expiring:
            card = expiring['refill.card'].browse(self._card_ids(code))
            card._change_state('expired', channel='automatic')
            self.assertEqual(self._redeem(code), 'busy')
            expiring.cr.commit()
        self.assertEqual(self._redeem(code), 'expired')
        self._assert_no_payment()

    def test_a_card_that_is_just_being_redeemed_does_not_expire(self):
        code = self._generate_code()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with freeze_time(fields.Date.today() + timedelta(days=500)), self._committing() as env:
                env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
            first.cr.commit()
        self._assert_redeemed_once(code)

    def _assert_no_payment(self):
        with self._committing() as env:
            self.assertFalse(env['account.payment'].search([('company_id', '=', self.company_id)]))
