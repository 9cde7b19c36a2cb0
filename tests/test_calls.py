from datetime import datetime, timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError
from odoo.service.model import get_public_method
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from ..refill_cards.refusals import RefillCardRefused
from .common import RefillCardCommon


class CallsCommon(RefillCardCommon):
    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card'].with_user(self.clerk)

    def _call_again(self, code, partner=None, cards=None, **values):
        partner_id = (partner or self.customer).id
        cards = self.cards if cards is None else cards
        return cards.redeem_code(code, partner_id, **values)

    def _assert_reference_refused(self, *args, **kwargs):
        with self.assertRaises(RefillCardRefused) as refused:
            self._call_again(*args, **kwargs)
        self.assertEqual(refused.exception.reason, 'reference')


@tagged('post_install', '-at_install')
class TestCalls(CallsCommon):
    def test_a_reference_is_a_short_text(self):
        card = self._generate_card()
        code = card.sudo().code
        for reference in ('', '  ', 'a' * 65, 'a\0b', 'a\nb', 'a\ud800', 5, False, ['x'], {}):
            with self.subTest(reference=reference), self.assertRaisesRegex(UserError, "64 char"):
                self._call_again(code, reference=reference)
        self.assertEqual(card.state, 'active')
        self.assertEqual(self._call_again(code, reference='ü' * 64)['serial'], card.name)

    def test_who_has_no_right_is_refused_whatever_the_reference(self):
        code = self._generate_card().sudo().code
        self._call_again(code, reference='1')
        self.clerk.group_ids = self.env.ref('base.group_user')
        with self.assertRaises(AccessError):
            self._call_again(code, reference='1')

    def test_the_same_reference_with_anything_else_is_refused(self):
        card, other = self._generate(2).card_ids
        code = card.sudo().code
        self._call_again(code, reference='1', caller='+1')
        for args, values in (
            ((other.sudo().code,), {'caller': '+1'}),
            ((code, self.stranger), {'caller': '+1'}),
            ((code,), {}),
            ((code,), {'caller': '+2'}),
            ((code,), {'caller': '+1', 'company_id': self.company.id}),
        ):
            with self.subTest(values=values):
                self._assert_reference_refused(*args, reference='1', **values)
        self.assertEqual(other.state, 'active')

    def test_a_call_that_did_not_fit_is_no_refused_code(self):
        card, other = self._generate(2).card_ids
        self._call_again(card.sudo().code, reference='1')
        attempts = self.env['refill.card.attempt'].search_count([])
        self._assert_reference_refused(other.sudo().code, reference='1')
        self.assertEqual(self.env['refill.card.attempt'].search_count([]), attempts)

    def test_a_repeated_call_gets_the_first_answer(self):
        self._invoice(10)
        card = self._generate_card()
        code = card.sudo().code
        first = self._call_again(code, reference='order 1')
        self._redeem(self._generate_card())
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(self._call_again(code, reference='order 1'), first)
        self.assertEqual(first['balance'], 15)
        self.assertEqual(self.env['account.payment'].search_count([('memo', '=', card.name)]), 1)
        self.assertFalse(self.env['refill.card.attempt'].search([]))

    def test_without_a_reference_or_with_another_one_the_card_is_used(self):
        code = self._generate_card().sudo().code
        self._call_again(code, reference='1')
        for reference in (None, '2', '1 '):
            with self.subTest(reference=reference):
                self._assert_refused('used', self._call_again, code, reference=reference)

    def test_a_reference_is_its_users_own(self):
        card, other = self._generate(2).card_ids
        self._call_again(card.sudo().code, reference='1')
        cards = self.env['refill.card'].with_user(self.accountant)
        answer = self._call_again(other.sudo().code, cards=cards, reference='1')
        self.assertEqual(answer['serial'], other.name)

    def test_a_refused_call_is_judged_anew(self):
        card = self._generate_card(activation_required=True)
        code = card.sudo().code
        for _again in range(2):
            self._assert_refused('inactive', self._call_again, code, reference='1')
        card.with_user(self.accountant)._activate()
        self.assertEqual(self._call_again(code, reference='1')['serial'], card.name)

    def test_a_refused_call_leaves_its_reference_to_another_one(self):
        self._assert_refused('typo', self._call_again, 'x', reference='1')
        card = self._generate_card()
        self.assertTrue(self._call_again(card.sudo().code, reference='1'))

    def test_an_unknown_code_is_one_guess_however_often_it_is_repeated(self):
        card = self._generate_card()
        code = card.sudo().code
        card.sudo().unlink()
        for _again in range(3):
            self._assert_refused('unknown', self._call_again, code, reference='1')
        lockout = self.env['refill.card.lockout'].search([('partner_id', '=', self.customer.id)])
        self.assertEqual(lockout.guesses, 1)

    def test_no_code_is_kept_nor_what_could_be_compared_with_one(self):
        card, other = self._generate(2).card_ids
        code = card.sudo().code
        answer = self._call_again(code, reference=code)
        call = self.env['refill.card.call'].sudo().search([])
        self.env.flush_all()
        self.cr.execute("SELECT c::text FROM refill_card_call c")
        [[row]] = self.cr.fetchall()
        self.assertNotIn(code, row)
        self.assertNotIn(code.replace('-', ''), row)
        parameters = self.env['ir.config_parameter']
        # Of another key come other digests: who has the table alone compares nothing.
        digests = (call.reference, call.arguments)
        parameters.set_param('refill_cards.key', 'f' * 128)
        parameters.set_param('refill_cards.key_check', False)
        digest = self.env['refill.card.key']._digest
        for value in ([self.clerk.id, code], [code, self.customer.id, None, None]):
            self.assertNotIn(digest(value), digests)
        self.assertEqual(answer['serial'], card.name)

    def test_nobody_reads_or_makes_calls(self):
        self._call_again(self._generate_card().sudo().code, reference='1')
        call = self.env['refill.card.call'].sudo().search([])
        admin = self._new_user('admin', 'base.group_system,account.group_account_manager')
        for user in (self.clerk, self.accountant, admin):
            for operation in ('read', 'write', 'create', 'unlink'):
                with self.subTest(user=user.login, operation=operation):
                    self.assertFalse(call.with_user(user).sudo(False).has_access(operation))

    def test_answers_are_kept_for_90_days(self):
        code = self._generate_card().sudo().code
        self._call_again(code, reference='1')
        calls = self.env['refill.card.call'].sudo()
        for days, kept in ((89, 1), (91, 0)):
            with freeze_time(datetime.now() + timedelta(days=days)):
                calls._gc_calls()
                self.assertEqual(calls.search_count([]), kept)

    def test_arguments_of_any_kind_are_refused_by_a_sentence(self):
        for code in (None, 5, 1.5, ['x'], {'a': [1]}, 'a\ud800', datetime.now()):
            with self.subTest(code=code):
                self._assert_refused('typo', self._call_again, code, reference='1')


@tagged('post_install', '-at_install')
class TestCallsOverHttp(CallsCommon, HttpCase):
    def setUp(self):
        super().setUp()
        keys = self.env['res.users.apikeys'].with_user(self.clerk)
        self.key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))

    def _call_json_2(self, **body):
        return self.url_open(
            '/json/2/refill.card/redeem_code',
            json=body,
            headers={'Authorization': f'Bearer {self.key}'},
        )

    def _call_json_rpc(self, *args, **kwargs):
        call = [self.env.cr.dbname, self.clerk.id, self.key, 'refill.card', 'redeem_code']
        params = {'service': 'object', 'method': 'execute_kw', 'args': [*call, args, kwargs]}
        return self.url_open('/jsonrpc', json={'params': params}).json()

    @mute_logger('odoo.http')
    def test_nothing_behind_it_is_public(self):
        for method in ('_answer', '_begin', '_repeat', '_gc_calls'):
            with self.assertRaisesRegex(AccessError, "Private methods"):
                get_public_method(self.env['refill.card.call'], method)

    @mute_logger('odoo.http')
    def test_a_call_is_repeated_over_json_2(self):
        card, other = self._generate(2).card_ids
        body = {'code': card.sudo().code, 'partner_id': self.customer.id, 'reference': 'a-1'}
        first = self._call_json_2(**body)
        self.assertEqual((first.status_code, first.json()['serial']), (200, card.name))
        again = self._call_json_2(**body)
        self.assertEqual((again.status_code, again.text), (200, first.text))
        refused = self._call_json_2(**{**body, 'code': other.sudo().code})
        self.assertEqual(refused.status_code, 422)
        self.assertEqual(refused.json()['context'], {'reason': 'reference'})
        self.assertIn("used for another call", refused.json()['message'])

    @mute_logger('odoo.http', 'odoo.addons.rpc.controllers')
    def test_a_call_is_repeated_over_json_rpc_and_json_2_alike(self):
        card = self._generate_card()
        args = (card.sudo().code, self.customer.id)
        first = self._call_json_rpc(*args, reference='a-1')
        self.assertEqual(first['result']['serial'], card.name)
        self.assertEqual(self._call_json_rpc(*args, reference='a-1'), first)
        again = self._call_json_2(code=args[0], partner_id=args[1], reference='a-1')
        self.assertEqual(again.json(), first['result'])
        self.assertIn('error', self._call_json_rpc('x', self.customer.id, reference='a-1'))
