"""Codes leave Odoo once a second manager has approved it."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..refill_cards.models import refill_card_export
from .test_approval import LIMIT, ApprovalCommon


@tagged('post_install', '-at_install')
class TestExport(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = cls._generate(40)
        cls._limit('export')
        cls.exports = cls.env['refill.card.export']

    def _open(self, records=None, **values):
        records = self.series if records is None else records
        action = records._open_export_window(file_format='csv')
        window = self.env['refill.card.export.wizard'].with_user(self.accountant)
        window = window.browse(action['res_id'])
        window.write(values)
        return window

    def _ask(self, **values):
        return self._assert_waits(self._open(**values)._export(), 'export', LIMIT)

    def test_no_door_lets_codes_out_alone(self):
        cards = self.series.card_ids
        self._ask()
        self._assert_waits(self._open(file_format='pdf')._export(), 'export', LIMIT)
        answer = cards.browse().export(series_ids=self.series.ids, file_format='xlsx')
        self.assertEqual(answer['state'], 'approval')
        with self.assertRaises(UserError), self.env.cr.savepoint():
            self.exports.with_user(self.accountant)._export(self._open()._prepare_export_values())
        self.stranger.email = 'stranger@example.com'
        sends = self.env['refill.card.send'].with_user(self.accountant)
        send = sends.create({'card_ids': cards.ids, 'partner_ids': self.stranger.ids})
        approval, _action = self.approvals.with_user(self.accountant)._try(send._send)
        self.assertEqual(approval.summary, "Send 40 cards by e-mail")
        self.assertEqual(len(self._get_waiting()), 4)
        self.assertFalse(self.exports.search([]))
        self.assertFalse(cards.sending_id)
        self.assertFalse(self.series.codes_left_on)

    def test_codes_that_are_shown_count(self):
        self._limit('export', 50)
        first, second = self.series.card_ids[:2]
        self.assertEqual(first.action_show_code()['tag'], 'refill_card_code')
        approval = self._assert_waits(second.action_show_code(), 'export', 25)
        self.assertFalse(second.event_ids)
        approval.action_approve()
        self.assertEqual(approval.state, 'approved')
        with self.assertRaises(AccessError):
            approval.action_run()
        shown = approval.with_user(self.accountant).action_run()
        self.assertEqual(shown['params']['code'], second.sudo().code)
        with self.assertRaises(UserError):
            approval.with_user(self.accountant).action_run()

    def test_who_asked_gets_the_file_and_nobody_else(self):
        approval = self._ask()
        approval.action_approve()
        self.assertFalse(self.exports.search([]))
        with self.assertRaises(AccessError):
            approval.action_run()
        action = approval.with_user(self.accountant).action_run()
        export = self.exports.browse(action['res_id'])
        self.assertEqual((export.state, export.card_count, export.amount), ('ready', 40, LIMIT))
        self.assertEqual((export.create_uid, approval.state), (self.accountant, 'done'))
        self.assertTrue(export.with_user(self.accountant).file)
        file = self.env['ir.attachment'].sudo()
        file = file.search([('res_model', '=', export._name), ('res_field', '=', 'file')])
        for user in (self.second, self.env.ref('base.user_admin')):
            with self.assertRaises(AccessError):
                export.with_user(user).read(['file'])
            with self.assertRaises(AccessError):
                file.with_user(user).read(['datas'])

    def test_the_same_export_goes_through_once_within_the_day(self):
        self._ask().action_approve()
        self.assertEqual(self._open()._export()['res_model'], 'refill.card.export')
        self._ask()

    def test_what_was_approved_lapses_after_another_day(self):
        approval = self._ask()
        approval.action_approve()
        with freeze_time(fields.Datetime.now() + timedelta(hours=25)):
            with self.assertRaisesRegex(UserError, "has lapsed"):
                approval.with_user(self.accountant).action_run()

    def test_a_file_with_a_password_is_made_in_its_window(self):
        window = self._open(is_protected=True)
        approval = self._assert_waits(window._export('secret'), 'export', LIMIT)
        approval.action_approve()
        action = approval.with_user(self.accountant).action_run()
        self.assertEqual(action['res_model'], 'refill.card.export.wizard')
        self.assertEqual(approval.state, 'approved')
        window = self.env[action['res_model']].with_user(self.accountant).browse(action['res_id'])
        action = window._export('secret')
        self.assertEqual((action['res_model'], approval.state), ('refill.card.export', 'done'))
        self.assertTrue(self.exports.browse(action['res_id']).name.endswith('.zip'))

    def test_nothing_else_is_exported_than_was_approved(self):
        approval = self._ask(scope='redeemable')
        approval.action_approve()
        self._redeem(self.series.card_ids[3])
        with self.assertRaisesRegex(UserError, "Something has changed"):
            approval.with_user(self.accountant).action_run()
        self.assertFalse(self.exports.search([]))

    def test_what_is_made_in_the_background_is_compared_again(self):
        approval = self._ask(scope='redeemable')
        approval.action_approve()
        with self._in_background():
            action = approval.with_user(self.accountant).action_run()
        export = self.exports.browse(action['res_id'])
        self.assertEqual(export.state, 'waiting')
        self._redeem(self.series.card_ids[3])
        self.env.ref('refill_cards.ir_cron_export').method_direct_trigger()
        self.assertEqual(export.state, 'failed')
        self.assertIn("Something has changed", export.problem)

    def _in_background(self):
        return patch.object(refill_card_export, 'IMMEDIATE', {'csv': 0})

    def _ask_to_send(self):
        self.stranger.email = 'stranger@example.com'
        sends = self.env['refill.card.send'].with_user(self.accountant)
        send = sends.create(
            {'card_ids': self.series.card_ids.ids, 'partner_ids': self.stranger.ids}
        )
        approval, _action = self.approvals.with_user(self.accountant)._try(send._send)
        return approval

    def test_whoever_approves_reads_to_whom_the_codes_go_and_nobody_else_gets_them(self):
        approval = self._ask_to_send()
        self.assertIn(f'"{self.stranger.display_name}" <stranger@example.com>', approval.details)
        approval.with_user(self.second).action_approve()
        self.stranger.email = 'elsewhere@example.com'
        with self.assertRaisesRegex(UserError, "Something has changed"), self.env.cr.savepoint():
            approval.action_run()
        self.assertFalse(self.series.card_ids.sending_id)

    def test_cards_that_were_sent_meanwhile_are_not_exported(self):
        layout = self.env['refill.card.layout'].search([], limit=1)
        self.stranger.email = 'stranger@example.com'
        approval = self._ask()
        self.series.card_ids[0].sudo()._send(self.stranger, layout)
        approval.action_approve()
        with self.assertRaisesRegex(UserError, "Something has changed"):
            approval.with_user(self.accountant).action_run()

    def test_no_client_forges_in_the_context_that_this_is_what_was_approved(self):
        self._ask().action_approve()
        window = self._open(file_format='xlsx').with_context(refill_card_approval=True)
        self._assert_waits(window._export(), 'export', LIMIT)

    def test_cards_are_sent_once_it_is_approved(self):
        self.stranger.email = 'stranger@example.com'
        sends = self.env['refill.card.send'].with_user(self.accountant)
        send = sends.create(
            {'card_ids': self.series.card_ids.ids, 'partner_ids': self.stranger.ids}
        )
        approval, _action = self.approvals.with_user(self.accountant)._try(send._send)
        approval.with_user(self.second).action_approve()
        self.assertFalse(self.series.card_ids.sending_id)
        approval.with_user(self.accountant).action_run()
        self.assertEqual(self.series.card_ids.sending_id.partner_id, self.stranger)
        self.assertEqual(approval.state, 'done')

    def test_superuser_code_and_sales_send_as_ever(self):
        self._limit('export', 0)
        self.stranger.email = 'stranger@example.com'
        layout = self.env['refill.card.layout'].search([], limit=1)
        self.series.card_ids[0].sudo()._send(self.stranger, layout)
        self.assertTrue(self.series.card_ids[0].sudo().sending_id)
        self.assertFalse(self._get_waiting())
