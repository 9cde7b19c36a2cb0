"""What waits for a second manager, through every door; who decides; what is done then."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Domain
from odoo.tests import HttpCase, tagged

from .test_sale import SaleCommon

LIMIT = 1000
KINDS = ('generation', 'activation', 'export', 'undo', 'import', 'sale_on_account')


class ApprovalCommon(SaleCommon):
    """One manager asks, and another one decides."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant.company_ids = cls.company
        cls.accountant.partner_id.email = 'first@example.com'
        cls.second = cls._new_user('second', 'account.group_account_manager')
        cls.second.partner_id.email = 'second@example.com'
        cls.approvals = cls.env['refill.card.approval'].sudo()

    @classmethod
    def _limit(cls, kind, amount=LIMIT):
        cls.company.sudo().write(
            {f'refill_card_approval_{kind}': True, f'refill_card_approval_{kind}_from': amount}
        )

    def _get_waiting(self):
        return self.approvals.search([('state', '=', 'waiting')])

    def _assert_waits(self, action, kind, amount):
        """Assert that an action opens what waits; return it, as the second manager sees it."""
        self.assertEqual(action['res_model'], 'refill.card.approval')
        approval = self.approvals.browse(action['res_id']).with_user(self.second).sudo(False)
        self.assertRecordValues(
            approval,
            [
                {
                    'kind': kind,
                    'amount': amount,
                    'state': 'waiting',
                    'requester_id': self.accountant.id,
                    'company_id': self.company.id,
                }
            ],
        )
        return approval

    def _open_generate(self, quantity=40, user=None, **values):
        windows = self.env['refill.card.generate'].with_user(user or self.accountant)
        return windows.create({'quantity': quantity, 'price': 25, **values})

    def _ask_to_generate(self, quantity=40, user=None, **values):
        action = self._open_generate(quantity, user, **values).action_generate()
        return self.approvals.browse(action['res_id']).with_user(self.second).sudo(False)

    def _count_series(self):
        return self.env['refill.card.series'].search_count([])


@tagged('post_install', '-at_install')
class TestDecide(ApprovalCommon):
    """Who decides what was asked for, and what becomes of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('generation')

    def setUp(self):
        super().setUp()
        self.approval = self._ask_to_generate()

    # -------------------------------------------------------------------------
    # WHO
    # -------------------------------------------------------------------------

    def _assert_may_not_approve(self, user):
        with self.assertRaises(AccessError):
            self.approval.with_user(user).action_approve()
        with self.assertRaises(AccessError):
            self.approval.with_user(user).action_refuse()
        self.assertEqual(self.approval.sudo().state, 'waiting')

    def test_who_asked_does_not_approve_it(self):
        self._assert_may_not_approve(self.accountant)

    def test_the_same_person_with_a_second_login_does_not_approve_it(self):
        groups = 'account.group_account_manager'
        partner = self.accountant.partner_id
        child = self.env['res.partner'].create({'name': "Second desk", 'parent_id': partner.id})
        twin = self._new_user('twin', groups, email='First@Example.com')
        self._assert_may_not_approve(twin)
        twin.write({'email': 'other@example.com', 'login': 'FIRST@example.com'})
        self._assert_may_not_approve(twin)
        for same in (partner, child):
            twin = self._new_user(f'twin_{same.id}', groups, partner_id=same.id)
            twin.email = 'another@example.com'
            partner.email = 'first@example.com'
            self._assert_may_not_approve(twin)

    def test_who_was_the_same_person_when_it_was_asked_for_does_not_approve_it(self):
        twin = self._new_user('twin', 'account.group_account_manager', email='first@example.com')
        approval = self._ask_to_generate(50)
        twin.email = 'other@example.com'
        with self.assertRaises(AccessError):
            approval.with_user(twin).action_approve()
        self.assertFalse(approval.with_user(twin).can_decide)
        approval.action_approve()

    def test_who_is_archived_or_no_manager_any_more_does_not_approve_it(self):
        user_group = self.env.ref('refill_cards.group_refill_card_user')
        for values in (
            {'active': False},
            {'active': True, 'group_ids': [Command.set(user_group.ids)]},
        ):
            self.second.write(values)
            self._assert_may_not_approve(self.second)

    def test_colleagues_of_one_company_are_not_the_same_person(self):
        employer = self.env['res.partner'].create({'name': "Employer", 'is_company': True})
        (self.accountant + self.second).partner_id.parent_id = employer
        self.approval.action_approve()
        self.assertEqual(self.approval.state, 'done')

    def test_only_managers_of_the_company_approve_it(self):
        elsewhere = self._new_user(
            'elsewhere', 'account.group_account_manager', company_id=self.other_company.id
        )
        administrator = self._new_user('administrator', 'base.group_system')
        for user in (self.clerk, self.employee, self.customer_user, elsewhere, administrator):
            with self.subTest(user=user.login):
                self._assert_may_not_approve(user)

    def test_superuser_code_approves_nothing_for_who_asked(self):
        with self.assertRaises(AccessError):
            self.approval.with_user(self.accountant).sudo().action_approve()

    def test_where_there_is_nobody_else_nothing_waits(self):
        self.second.active = False
        others = self.company._get_refill_card_managers() - self.accountant
        there = self.other_company.id
        others.write({'company_id': there, 'company_ids': [Command.set([there])]})
        with self.assertRaisesRegex(UserError, "there is none"):
            self._ask_to_generate(41)
        self.assertEqual(self._get_waiting(), self.approval)

    # -------------------------------------------------------------------------
    # WHAT BECOMES OF IT
    # -------------------------------------------------------------------------

    def test_it_is_done_as_who_asked_once_it_is_approved(self):
        before = self._count_series()
        self.approval.action_approve()
        series = self.env['refill.card.series'].search([], limit=1)
        self.assertEqual(self._count_series(), before + 1)
        self.assertEqual((series.quantity, series.price, series.state), (40, 25, 'ready'))
        self.assertEqual(series.create_uid, self.accountant)
        self.assertRecordValues(
            self.approval,
            [
                {
                    'state': 'done',
                    'decided_by_id': self.second.id,
                    'res_model': 'refill.card.series',
                    'res_id': series.id,
                }
            ],
        )
        self.assertEqual(self.approval.action_open()['res_id'], series.id)

    def test_it_is_decided_once(self):
        for decide in ('action_approve', 'action_refuse'):
            approval = self._ask_to_generate(50)
            getattr(approval, decide)()
            count = self._count_series()
            for again in ('action_approve', 'action_refuse'):
                with self.assertRaisesRegex(UserError, "cannot be done any more"):
                    getattr(approval, again)()
            with self.assertRaisesRegex(UserError, "cannot be done any more"):
                approval.with_user(self.accountant).action_withdraw()
            with self.assertRaisesRegex(UserError, "cannot be done any more"):
                approval.with_user(self.accountant).action_run()
            self.assertEqual(self._count_series(), count)

    def test_what_is_refused_or_withdrawn_does_not_happen(self):
        other, count = self._ask_to_generate(50), self._count_series()
        self.approval.action_refuse()
        with self.assertRaises(AccessError):
            other.action_withdraw()
        other.with_user(self.accountant).action_withdraw()
        self.assertEqual((self.approval.state, other.state), ('refused', 'withdrawn'))
        with self.assertRaisesRegex(UserError, "cannot be done any more"):
            other.action_approve()
        self.assertEqual(self._count_series(), count)

    def test_it_lapses_after_a_day(self):
        with freeze_time(fields.Datetime.now() + timedelta(hours=25)):
            with self.assertRaisesRegex(UserError, "has lapsed"):
                self.approval.action_approve()
            self.assertEqual(self.approval.state, 'waiting')
            self.env.ref('refill_cards.ir_cron_lapse').method_direct_trigger()
            self.assertEqual(self.approval.state, 'lapsed')
            self.assertFalse(self.approval.activity_ids)
            again = self._ask_to_generate()
            self.assertNotEqual(again, self.approval)

    def test_what_was_decided_while_others_lapse_does_not_lapse(self):
        self._ask_to_generate(50)
        both = self._get_waiting()
        tell = type(self.approvals)._tell_decided
        told = []

        def decide_the_other(approval):
            told.append(approval)
            (both - approval).write({'state': 'refused'})
            self.env.flush_all()
            tell(approval)

        with (
            freeze_time(fields.Datetime.now() + timedelta(hours=25)),
            patch.object(type(self.approvals), '_tell_decided', decide_the_other),
        ):
            self.env.ref('refill_cards.ir_cron_lapse').method_direct_trigger()
        self.assertEqual(len(told), 1)
        both.invalidate_recordset()
        self.assertEqual(set(both.mapped('state')), {'lapsed', 'refused'})

    def test_nothing_lapses_within_the_day(self):
        with freeze_time(fields.Datetime.now() + timedelta(hours=23)):
            self.env.ref('refill_cards.ir_cron_lapse').method_direct_trigger()
            self.approval.action_approve()
        self.assertEqual(self.approval.state, 'done')

    def test_whoever_lost_the_right_meanwhile_does_nothing_by_it(self):
        self.accountant.group_ids = self.env.ref('refill_cards.group_refill_card_user')
        with self.assertRaises(AccessError):
            self.approval.action_approve()
        self.accountant.active = False
        with self.assertRaisesRegex(UserError, "works here no more"), self.env.cr.savepoint():
            self.approval.action_approve()
        self.assertEqual(self.approval.state, 'waiting')

    def test_asking_again_for_the_same_is_the_same(self):
        self.assertEqual(self._ask_to_generate(), self.approval)
        self.assertNotEqual(self._ask_to_generate(41), self.approval)

    def test_nobody_writes_makes_or_deletes_approvals_by_hand(self):
        for user in (self.accountant, self.second):
            approval = self.approval.with_user(user)
            for call in (
                lambda approval=approval: approval.write({'state': 'approved'}),
                lambda approval=approval: approval.unlink(),
                lambda approval=approval: approval.copy(),
                lambda approval=approval: approval.create({'name': "x"}),
                lambda approval=approval: approval.read(['arguments']),
                lambda approval=approval: approval.search([('digest', '!=', False)]),
            ):
                with self.assertRaises(AccessError):
                    call()
        with self.assertRaisesRegex(UserError, "cannot be deleted"):
            self.approval.sudo().unlink()

    # -------------------------------------------------------------------------
    # WHO IS TOLD
    # -------------------------------------------------------------------------

    def test_who_may_approve_it_is_told_and_then_who_asked(self):
        mails = self.env['mail.mail']
        self.assertIn(self.second, self.approval.activity_ids.user_id)
        self.assertNotIn(self.accountant, self.approval.activity_ids.user_id)
        self.assertNotIn(self.clerk, self.approval.activity_ids.user_id)
        subject = [('subject', 'like', "Please approve or refuse: Generate 40 cards")]
        mail = mails.search([*subject, ('recipient_ids', 'in', self.second.partner_id.ids)])
        self.assertEqual(len(mail), 1)
        self.assertIn('1,000.00', mail.body_html)
        self.assertIn(f'/odoo/refill-card-approvals/{self.approval.id}', mail.body_html)
        self.assertFalse(
            mails.search([*subject, ('recipient_ids', 'in', self.accountant.partner_id.ids)])
        )
        self.approval.action_approve()
        self.assertFalse(self.approval.activity_ids)
        told = mails.search(
            [
                ('subject', 'like', "What you asked for: Generate 40 cards"),
                ('recipient_ids', 'in', self.accountant.partner_id.ids),
            ]
        )
        self.assertIn("is done", told.body_html)

    def test_a_manager_who_works_elsewhere_just_now_is_asked_too(self):
        there = self.other_company
        self.second.write({'company_ids': [Command.link(there.id)], 'company_id': there.id})
        approval = self._ask_to_generate(50)
        self.assertIn(self.second, approval.activity_ids.user_id)
        both = (self.company + there).ids
        approval.with_context(allowed_company_ids=both).action_approve()
        self.assertEqual(approval.state, 'done')

    def test_the_audit_log_says_who_asked_and_who_decided(self):
        self.approval.action_approve()
        events = self.env['refill.card.event'].with_user(self.second)
        events = events.search([('serial', '=', self.approval.name)], order='id')
        self.assertEqual(events.user_id, self.accountant + self.second)
        self.assertEqual(
            events.mapped('note'),
            [
                "Approval asked for: Generate 40 cards of $\xa025.00",
                "Approval: approved: Generate 40 cards of $\xa025.00",
            ],
        )
        self.assertEqual(events.mapped('amount'), [LIMIT, LIMIT])

    def test_managers_of_another_company_see_nothing_of_it(self):
        elsewhere = self._new_user(
            'elsewhere', 'account.group_account_manager', company_id=self.other_company.id
        )
        self.assertIn(self.approval, self.approval.search([]))
        for user in (elsewhere, self.clerk):
            self.assertFalse(self.approval.with_user(user).search([]))


@tagged('post_install', '-at_install')
class TestByKey(ApprovalCommon, HttpCase):
    def test_an_api_key_alone_approves_nothing_and_gets_no_codes(self):
        self._limit('export', 0)
        series = self._generate(1)
        action = series._open_export_window(file_format='csv')
        window = self.env['refill.card.export.wizard'].with_user(self.accountant)
        approval = self.approvals.browse(window.browse(action['res_id'])._export()['res_id'])
        for user, method, state in (
            (self.second, 'action_approve', 'waiting'),
            (self.accountant, 'action_run', 'approved'),
        ):
            if state == 'approved':
                approval.with_user(self.second).action_approve()
            key = self.env['res.users.apikeys'].with_user(user)
            key = key._generate('rpc', "Test", fields.Datetime.now() + timedelta(days=1))
            response = self.url_open(
                f'/json/2/refill.card.approval/{method}',
                json={'ids': approval.ids},
                headers={'Authorization': f'Bearer {key}'},
            )
            self.assertEqual(response.json()['res_model'], 'res.users.identitycheck')
            approval.invalidate_recordset()
            self.assertEqual(approval.state, state)
        self.assertFalse(self.env['refill.card.export'].search([]))

    def _call_by_new_key(self, method, model='refill.card', **body):
        """Call a method of JSON-2 with an API key that is used for nothing else."""
        self.authenticate(None, None)
        key = self.env['res.users.apikeys'].with_user(self.accountant)
        key = key._generate('rpc', "Test", fields.Datetime.now() + timedelta(days=1))
        response = self.url_open(
            f'/json/2/{model}/{method}', json=body, headers={'Authorization': f'Bearer {key}'}
        )
        self.env.invalidate_all()
        return response

    def test_several_keys_of_one_user_have_one_limit(self):
        cards = self._generate(4, activation_required=True).card_ids
        self._stock(4)
        sale = {'partner_id': self.buyer.id, 'product_id': self.product.id, 'quantity': 1}
        used = self._generate(3).card_ids
        for card in used:
            self._redeem(card)
        for kind in ('generation', 'activation', 'sale_on_account', 'undo'):
            self._limit(kind, 60)
        call = self._call_by_new_key
        answers = [call('generate', quantity=2, price=25).json()['state'] for _again in range(2)]
        self.assertEqual(answers, ['ready', 'waiting'])
        reasons = [
            call('activate', first=card.name, last=card.name).json()[0].get('reason')
            for card in cards[:3]
        ]
        self.assertEqual(reasons, [None, None, 'approval'])
        sold = [call('sell', **sale, confirm=True) for _again in range(3)]
        self.assertEqual([each.json()['state'] for each in sold], ['posted', 'posted', 'draft'])
        for number, card in enumerate(used):
            window = self.env['refill.card.undo'].with_user(self.accountant)
            window = window.create({'card_id': card.id, 'reason': "Wrong customer"})
            call('action_undo', 'refill.card.undo', ids=window.ids)
            self.assertEqual(card.state, 'active' if number < 2 else 'used')
        self.assertEqual(
            set(self._get_waiting().mapped('kind')),
            {'generation', 'activation', 'sale_on_account', 'undo'},
        )


@tagged('post_install', '-at_install')
class TestPlace(ApprovalCommon):
    """What another addon, and the import, have wait."""

    def _require(self, user=None, **values):
        approvals = self.approvals.with_user(user or self.accountant)
        amounts = {self.company.currency_id: 10}
        return approvals._try(
            lambda: approvals._require(
                'import', 'x', self.company, amounts, {'batch': 7}, "Import", **values
            )
        )[0]

    def test_what_is_below_the_limit_waits_where_it_always_does(self):
        self.assertFalse(self._require())
        self.assertTrue(self._require(always=True))
        self.assertFalse(self._require(user=self.env.ref('base.user_root'), always=True))

    def test_no_client_forges_an_approval_in_the_context(self):
        self._limit('generation', 0)
        for value in (True, 1, {'digest': 'x'}):
            window = self._open_generate().with_context(refill_card_approval=value)
            self._assert_waits(window.action_generate(), 'generation', LIMIT)

    def test_cards_are_frozen_as_ranges_however_many(self):
        cards = self._generate(30).card_ids.with_user(self.accountant)
        self._limit('import', 0)
        chosen = cards[:10] + cards[20:]
        approval = self._require(cards=Domain('id', 'in', chosen.ids))
        self.assertEqual(
            approval.sudo().selection['ranges'],
            [[chosen[0].id, chosen[9].id], [chosen[10].id, chosen[19].id]],
        )
        self.assertEqual(cards.search(approval._get_frozen_domain()), chosen)
