"""Two decide at once, two do at once: real transactions on committed data."""

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import execute_cr
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase

MANAGER = 'account.group_account_manager'


@tagged('post_install', '-at_install')
class TestConcurrencyApproval(ConcurrencyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls._committing() as env:
            cls.approver_ids = [
                new_test_user(
                    env,
                    login=f'refill_approver_{number}',
                    groups=MANAGER,
                    email=f'approver_{number}@example.com',
                    company_id=cls.company_id,
                    company_ids=[Command.set([cls.company_id])],
                ).id
                for number in range(2)
            ]
            env['res.company'].browse(cls.company_id).write(
                {
                    'refill_card_approval_generation': True,
                    'refill_card_approval_generation_from': 1000,
                    'refill_card_approval_export': True,
                    'refill_card_approval_export_from': 1000,
                }
            )
        cls.addClassCleanup(cls._remove_approvers)

    @classmethod
    def _remove_approvers(cls):
        with cls._committing() as env:
            env['res.company'].browse(cls.company_id).write(
                {'refill_card_approval_generation': False, 'refill_card_approval_export': False}
            )
            env.cr.execute(
                SQL("DELETE FROM refill_card_event WHERE company_id = %s", cls.company_id)
            )
            users = env['res.users'].browse(cls.approver_ids)
            partners = users.partner_id
            users.unlink()
            partners.unlink()

    def _delete_cards(self, env):
        approvals = env['refill.card.approval'].search([('company_id', '=', self.company_id)])
        for model, fname in (('mail.message', 'model'), ('mail.activity', 'res_model')):
            env[model].search(
                [(fname, '=', approvals._name), ('res_id', 'in', approvals.ids)]
            ).unlink()
        exports = env['refill.card.export'].search([('company_id', '=', self.company_id)])
        files = [('res_model', '=', exports._name), ('res_id', 'in', exports.ids)]
        env['ir.attachment'].search([*files, ('res_field', '!=', False)]).unlink()
        env.flush_all()
        for table in ('refill_card_export', 'refill_card_approval', 'refill_card_approval_total'):
            env.cr.execute(
                SQL("DELETE FROM %s WHERE company_id = %s", SQL.identifier(table), self.company_id)
            )
        env.invalidate_all()
        return super()._delete_cards(env)

    def _request_as(self, user_id, method, approval_id):
        with self._transaction() as env:
            model = 'refill.card.approval'
            return execute_cr(env.cr, user_id, model, method, [[approval_id]], {})

    def _ask_to_generate(self, quantity=40):
        values = {'quantity': quantity, 'price': 25}
        window_id = self._request('refill.card.generate', 'create', values)
        return self._request('refill.card.generate', 'action_generate', [window_id])

    def _get_state(self, approval_id):
        with self._committing() as env:
            return env['refill.card.approval'].browse(approval_id).state

    def _count_cards(self):
        with self._committing() as env:
            return env['refill.card'].search_count([('series_id.company_id', '=', self.company_id)])

    def _decide(self, arguments):
        user_id, method, approval_id = arguments
        try:
            self._request_as(user_id, method, approval_id)
        except UserError as refused:
            return str(refused)
        return 'done'

    def test_two_who_approve_at_once_do_it_once(self):
        approval_id = self._ask_to_generate()['res_id']
        answers = self._at_once(
            self._decide,
            [(user_id, 'action_approve', approval_id) for user_id in self.approver_ids],
        )
        self.assertEqual(answers.count('done'), 1, answers)
        self.assertEqual(self._get_state(approval_id), 'done')
        self.assertEqual(self._count_cards(), 40)

    def test_what_is_refused_and_approved_at_once_is_one_of_both(self):
        approval_id = self._ask_to_generate()['res_id']
        first, second = self.approver_ids
        answers = self._at_once(
            self._decide,
            [(first, 'action_approve', approval_id), (second, 'action_refuse', approval_id)],
        )
        self.assertEqual(answers.count('done'), 1, answers)
        is_done = self._get_state(approval_id) == 'done'
        self.assertEqual(self._count_cards(), 40 if is_done else 0)

    def test_two_small_ones_at_once_are_not_less_than_one_after_the_other(self):
        with self._transaction() as first:
            window = first['refill.card.generate'].create({'quantity': 30, 'price': 25})
            window.action_generate()
            first.flush_all()
            with self._in_background(self._ask_to_generate, 30) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
        self.assertEqual(second.result()['res_model'], 'refill.card.approval')
        self.assertEqual(self._count_cards(), 30)

    def test_who_asked_gets_the_codes_once(self):
        series_id = self._generate(39)
        with self._committing() as env:
            limits = {'refill_card_approval_export_from': 0}
            env['res.company'].browse(self.company_id).write(limits)
        window_id = self._request(
            'refill.card.export.wizard', 'create', {'series_ids': [Command.set([series_id])]}
        )
        with self._transaction() as env:
            action = env['refill.card.export.wizard'].browse(window_id)._export()
            env.cr.commit()
        approval_id = action['res_id']
        self._request_as(self.approver_ids[0], 'action_approve', approval_id)
        answers = self._at_once(self._decide, [(self.accountant_id, 'action_run', approval_id)] * 2)
        self.assertEqual(answers.count('done'), 1, answers)
        with self._committing() as env:
            exports = env['refill.card.export'].search([('company_id', '=', self.company_id)])
            self.assertEqual(len(exports), 1)

    def test_who_waits_with_sending_holds_no_cards(self):
        series_id = self._generate(2)
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id', '=', series_id)])
            partner = env['res.partner'].browse(self.customer_id)
            partner.email = 'customer@example.com'
            limits = {'refill_card_approval_export_from': 1000}
            env['res.company'].browse(self.company_id).write(limits)
        with self._transaction() as first:
            first['refill.card'].browse(cards[0].id)._show_code()
            first.flush_all()
            with self._in_background(self._send_alone, cards[1].id) as second:
                self._wait_until_blocked_by(first, second)
                first['refill.card'].browse(cards[1].id).sudo()._lock_to_send()
                first.cr.rollback()
        self.assertTrue(second.result())

    def _send_alone(self, card_id):
        with self._transaction() as env:
            window = env['refill.card.send'].create(
                {'card_ids': [card_id], 'partner_ids': [self.customer_id]}
            )
            sent = window._send()
            env.cr.rollback()
        return sent

    def test_a_card_that_changes_while_it_is_approved_keeps_all_back(self):
        approval_id, series_id = self._ask_to_activate()
        with self._transaction() as first:
            cards = first['refill.card'].search([('series_id', '=', series_id)])
            cards[0]._disable('lost')
            first.flush_all()
            decision = (self.approver_ids[0], 'action_approve', approval_id)
            with self._in_background(self._decide, decision) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
        self.assertIn("Something has changed", second.result())
        self.assertEqual(self._get_state(approval_id), 'waiting')

    def _ask_to_activate(self):
        with self._committing() as env:
            limits = {'refill_card_approval_activation': True}
            env['res.company'].browse(self.company_id).write(limits)
        self.addCleanup(self._stop_asking_for_activation)
        with self._transaction() as env:
            values = {'quantity': 3, 'price': 25, 'activation_required': True}
            action = env['refill.card.generate'].create(values).action_generate()
            [(_field, _operator, series_id)] = action['domain']
            windows = env['refill.card.change']
            window = windows.create({'series_ids': [series_id], 'operation': 'activate'})
            approval_id = window.action_confirm()['res_id']
            env.cr.commit()
        return approval_id, series_id

    def _stop_asking_for_activation(self):
        with self._committing() as env:
            limits = {'refill_card_approval_activation': False}
            env['res.company'].browse(self.company_id).write(limits)
