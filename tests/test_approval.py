"""What waits for a second manager, through every door; who decides; what is done then."""

from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
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
        self.assertEqual(self.approval.state, 'waiting')

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
        others = self.company._get_refill_card_approvers() - self.accountant
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


@tagged('post_install', '-at_install')
class TestLimits(ApprovalCommon):
    """From which value on somebody is asked, and who changes that."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._new_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )

    def test_without_a_limit_nobody_is_asked(self):
        self._limit('export', 0)
        self.assertTrue(self._open_generate(1000).action_generate()['domain'])
        self.assertFalse(self.approvals.search([]))

    def test_less_than_the_limit_waits_for_nobody(self):
        self._limit('generation')
        self._generate(39)
        self.assertFalse(self._get_waiting())
        self._limit('generation', 0)
        self.assertTrue(self._ask_to_generate(1))

    def test_many_small_ones_within_a_day_count_as_one(self):
        self._limit('generation')
        now = fields.Datetime.now()
        with freeze_time(now):
            self._generate(20)
        with freeze_time(now + timedelta(hours=23)):
            self._generate(10)
            self.assertTrue(self._ask_to_generate(10))
            self.assertEqual(self._get_waiting().day_amount, LIMIT)
        with freeze_time(now + timedelta(hours=25)):
            self._generate(20)
            self.assertTrue(self._ask_to_generate(10))

    def test_others_have_a_limit_of_their_own_but_not_the_same_person(self):
        self._limit('generation')
        self._generate(39)
        self._generate(39, user=self.second)
        twin = self._new_user(
            'twin', 'account.group_account_manager', partner_id=self.accountant.partner_id.id
        )
        self.assertTrue(self._ask_to_generate(1, user=twin))

    def test_what_was_approved_does_not_count_again(self):
        self._limit('generation')
        self._ask_to_generate(100).action_approve()
        self._generate(39)

    def test_cards_in_another_currency_are_converted(self):
        self._limit('generation')
        currency = self.other_currency
        self.env['res.currency.rate'].search([('currency_id', '=', currency.id)]).unlink()
        currency.rate_ids = [Command.create({'rate': 0.5, 'name': '2020-01-01'})]
        self._generate(19, currency_id=currency.id)
        self.assertEqual(self._ask_to_generate(20, currency_id=currency.id).amount, LIMIT)

    def test_the_limits_of_whoever_accepts_the_cards_count_too(self):
        self._limit('generation')
        self.accountant.company_ids += self.other_company
        windows = self._open_generate(company_ids=[Command.clear()])
        windows = windows.with_context(allowed_company_ids=self.other_company.ids)
        approval = self._assert_waits(windows.action_generate(), 'generation', LIMIT)
        approval.action_approve()
        series = self.env['refill.card.series'].search([], limit=1)
        self.assertEqual((series.company_id, series.quantity), (self.other_company, 40))

    def test_a_branch_has_the_limits_of_its_root_company(self):
        self._limit('generation')
        branch = self.env['res.company'].create({'name': "Branch", 'parent_id': self.company.id})
        (self.accountant + self.second).company_ids += branch
        window = self._open_generate().with_context(allowed_company_ids=branch.ids)
        approval = self.approvals.browse(window.action_generate()['res_id'])
        self.assertEqual((approval.kind, approval.company_id), ('generation', branch))

    # -------------------------------------------------------------------------
    # THE SETTINGS
    # -------------------------------------------------------------------------

    def _save_settings(self, **values):
        settings = self.env['res.config.settings'].with_user(self.administrator)
        names = {f'refill_card_approval_{name}': value for name, value in values.items()}
        settings.create(names).execute()

    def test_the_settings_switch_all_of_them_on(self):
        for kind in KINDS:
            self._save_settings(**{kind: True, f'{kind}_from': 500})
        self.assertFalse(self._get_waiting())
        for kind in KINDS:
            self.assertTrue(self.company[f'refill_card_approval_{kind}'])
            self.assertEqual(self.company[f'refill_card_approval_{kind}_from'], 500)

    def test_nobody_loosens_a_limit_alone(self):
        self._limit('generation')
        company = self.company.with_user(self.administrator)
        for values in (
            {'refill_card_approval_generation': False},
            {'refill_card_approval_generation_from': LIMIT + 1},
        ):
            company.write({**values, 'name': "Renamed"})
            waiting = self._get_waiting()
            self.assertEqual((len(waiting), waiting.kind), (1, 'limits'))
            self.assertIn("Generation: from $\xa01,000.00 on →", waiting.details)
            self.assertRecordValues(
                self.company,
                [
                    {
                        'refill_card_approval_generation': True,
                        'refill_card_approval_generation_from': LIMIT,
                        'name': "Renamed",
                    }
                ],
            )
            waiting.with_user(self.second).action_approve()
            [[fname, value]] = values.items()
            self.assertEqual(self.company[fname], value)
            self._limit('generation')

    def test_the_settings_loosen_nothing_alone(self):
        self._limit('generation')
        self._save_settings(generation=False, generation_from=0)
        self.assertTrue(self.company.refill_card_approval_generation)
        self.assertEqual(self.company.refill_card_approval_generation_from, 0)
        settings = self.env['res.config.settings'].with_user(self.administrator)
        self.assertTrue(settings.create({}).refill_card_limits_wait)
        self._save_settings(generation_from=5)
        self.assertEqual(self.company.refill_card_approval_generation_from, 0)
        self.assertEqual(len(self._get_waiting()), 2)

    def test_a_limit_is_tightened_alone(self):
        self._limit('generation')
        self._save_settings(generation_from=10, undo=True, undo_from=0)
        self.assertFalse(self._get_waiting())
        self.assertEqual(self.company.refill_card_approval_generation_from, 10)

    def test_the_audit_log_tells_of_each_change(self):
        self._save_settings(generation=True, generation_from=1000)
        self._save_settings(generation_from=10)
        events = self.env['refill.card.event'].with_user(self.accountant)
        events = events.search([('serial', '=', "Settings")], order='id')
        self.assertEqual(events.user_id, self.administrator)
        self.assertEqual(
            events.mapped('note'),
            [
                "Second manager, Generation: nobody is asked → from $\xa01,000.00 on",
                "Second manager, Generation: from $\xa01,000.00 on → from $\xa010.00 on",
            ],
        )

    def test_one_manager_alone_is_not_locked_out_of_everything(self):
        alone = self.env['res.company'].create({'name': "Alone"})
        alone._get_refill_card_approvers().company_ids -= alone
        self.accountant.company_ids += alone
        with self.assertRaisesRegex(ValidationError, "Only one person"):
            alone.refill_card_approval_undo = True
        with self.assertRaisesRegex(ValidationError, "zero or more"):
            self.company.refill_card_approval_undo_from = -1


@tagged('post_install', '-at_install')
class TestGeneration(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('generation')

    def test_no_door_generates_more_alone(self):
        count = self._count_series()
        cards = self.env['refill.card'].with_user(self.accountant)
        self._assert_waits(self._open_generate().action_generate(), 'generation', LIMIT)
        answer = cards.generate(41, 25)
        self.assertEqual((answer['state'], answer['series_id']), ('waiting', None))
        self.assertEqual(self.approvals.browse(answer['approval_id']).amount, 41 * 25)
        code = "env['refill.card.generate'].create({'quantity': 42, 'price': 25}).action_generate()"
        action = self.env['ir.actions.server'].create(
            {
                'name': "x",
                'model_id': self.env['ir.model']._get_id('refill.card'),
                'state': 'code',
                'code': code,
                'group_ids': [Command.link(self.env.ref('account.group_account_manager').id)],
            }
        )
        action.with_user(self.accountant).run()
        self.assertEqual(self._count_series(), count)
        self.assertEqual(len(self._get_waiting()), 3)

    def test_superuser_code_of_another_addon_asks_nobody(self):
        windows = self.env['refill.card.generate'].with_user(self.accountant).sudo()
        action = windows.create({'quantity': 100, 'price': 25}).action_generate()
        self.assertTrue(action['domain'])
        self.assertFalse(self._get_waiting())

    def test_what_cannot_be_generated_is_not_asked_for(self):
        for values in ({'quantity': 2_000_000}, {'price': -1}, {'code_length': 8}):
            with self.assertRaises(ValidationError):
                self._open_generate(**values).action_generate()
        self.assertFalse(self._get_waiting())

    def test_who_does_not_manage_cards_asks_for_nothing(self):
        with self.assertRaises(AccessError):
            self.env['refill.card'].with_user(self.clerk).generate(100, 25)

    def test_what_was_approved_is_what_is_generated(self):
        window = self._open_generate(prefix='FIRST', activation_required=True, validity_days=90)
        approval = self._assert_waits(window.action_generate(), 'generation', LIMIT)
        window.write({'quantity': 4000, 'prefix': 'OTHER'})
        self.assertIn('FIRST', approval.details)
        approval.action_approve()
        series = self.env['refill.card.series'].search([], limit=1)
        self.assertRecordValues(
            series,
            [{'quantity': 40, 'prefix': 'FIRST', 'validity_days': 90, 'valid_till': False}],
        )

    def test_a_higher_face_value_is_generated_value(self):
        series = self._generate(30)
        with self.assertRaisesRegex(UserError, "another manager has to approve"):
            series.price = 40
        series.price = 30
        self.assertEqual(series.price, 30)
        series.price = 20

    def test_a_repeated_call_asks_once(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        first = cards.generate(41, 25, reference='order 7')
        self.assertEqual(cards.generate(41, 25, reference='order 7'), first)
        self.assertEqual(len(self._get_waiting()), 1)

    def test_what_is_made_to_order_by_an_invoice_is_generated(self):
        product = self._make_product(refill_card_source='made')
        invoice = self._draft(40, product=product, refill_card_works='paid')
        action = invoice.action_post()
        approval = self._assert_waits(action, 'generation', LIMIT)
        self.assertEqual(invoice.state, 'draft')
        self.assertFalse(self._count_series())
        approval.action_approve()
        self.assertEqual((invoice.state, len(self._get_cards(invoice))), ('posted', 40))


@tagged('post_install', '-at_install')
class TestActivation(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('activation')
        cls.series = cls._generate(60, activation_required=True)

    def _ask(self, records=None):
        action = self._change(self.series if records is None else records, 'activate')
        return self._assert_waits(
            action, 'activation', 25 * len(self.series.card_ids if records is None else records)
        )

    def _count_active(self):
        return self.env['refill.card'].search_count(
            [('series_id', '=', self.series.id), ('state', '=', 'active')]
        )

    def test_no_door_activates_more_alone(self):
        cards = self.series.card_ids
        self._ask()
        self._ask(cards[:40])
        window = self._range(cards[0].name, cards[49].name, operation='activate')
        self._assert_waits(window.action_confirm(), 'activation', 50 * 25)
        with self.assertRaises(UserError), self.env.cr.savepoint():
            cards._activate()
        answers = cards.browse().activate(cards[0].name, cards[44].name)
        self.assertEqual({answer['reason'] for answer in answers}, {'approval'})
        self.assertIn("another manager", answers[0]['message'])
        self.assertEqual(len(self._get_waiting()), 4)
        self.assertEqual(self._count_active(), 0)
        self.assertFalse(cards.event_ids)

    def test_one_after_the_other_is_not_less(self):
        cards = self.series.card_ids
        for card in cards[:39]:
            card._activate()
        self._change(cards[39], 'activate')
        self.assertEqual(self._count_active(), 39)
        self.assertEqual(self._get_waiting().day_amount, LIMIT)

    def test_a_sale_and_superuser_code_activate_as_ever(self):
        self._sell_cards(self.series.card_ids[:45], self.buyer, works='confirmed')
        self.assertEqual(self._count_active(), 45)
        self.series.card_ids.sudo()._activate()
        self.assertEqual(self._count_active(), 60)
        self.assertFalse(self._get_waiting())

    def test_the_cards_that_were_approved_are_activated_and_no_others(self):
        cards = self.series.card_ids
        approval = self._ask(cards[5:45])
        self.assertEqual(approval.card_count, 40)
        self.assertIn(f'{cards[5].name} – {cards[44].name}', approval.details)
        approval.action_approve()
        self.assertEqual(set(cards[5:45].mapped('state')), {'active'})
        self.assertEqual(self._count_active(), 40)
        event = cards[5].event_ids[0]
        self.assertEqual((event.user_id, event.reference), (self.accountant, approval.name))

    def test_cards_that_join_the_series_later_are_not_activated_along(self):
        approval = self._ask()
        self.series.sudo()._add_cards(5)
        approval.action_approve()
        self.assertEqual(self._count_active(), 60)

    def test_nothing_is_done_once_a_card_has_changed(self):
        cards = self.series.card_ids

        def change_value():
            self.series.sudo().price = 26

        for number, change in enumerate(
            (
                lambda: cards[7].sudo()._activate(),
                lambda: cards[8].sudo()._disable('lost'),
                lambda: cards[9].write({'valid_till': '2029-01-01'}),
                lambda: cards[10].sudo()._consign(self.stranger),
                lambda: cards[11].unlink(),
                change_value,
            )
        ):
            with self.subTest(number), self.env.cr.savepoint() as savepoint:
                approval = self._ask()
                change()
                before = self._count_active()
                with (
                    self.assertRaisesRegex(UserError, "Something has changed"),
                    self.env.cr.savepoint(),
                ):
                    approval.action_approve()
                self.assertEqual(self._count_active(), before)
                self.assertEqual(approval.state, 'waiting')
                savepoint.rollback()
                self.env.invalidate_all()

    def test_cards_of_several_companies_are_activated_by_themselves(self):
        self.accountant.company_ids += self.other_company
        daughter = self.accountant.with_company(self.other_company)
        windows = self.env['refill.card.generate'].with_user(daughter)
        windows = windows.with_context(allowed_company_ids=self.other_company.ids)
        values = {'quantity': 1, 'price': 25, 'activation_required': True}
        windows.create(values).action_generate()
        theirs = self.env['refill.card.series'].search([], limit=1)
        both = (self.series + theirs).with_user(self.accountant)
        both = both.with_context(allowed_company_ids=(self.company + self.other_company).ids)
        with self.assertRaisesRegex(UserError, "each company by themselves"):
            self._change(both, 'activate')


@tagged('post_install', '-at_install')
class TestUndo(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('undo', 50)

    def setUp(self):
        super().setUp()
        self.cards = self._generate(3).card_ids.with_user(self.accountant)
        for card in self.cards:
            self._redeem(card)

    def test_no_door_undoes_more_alone(self):
        self._undo(self.cards[0])
        self.assertEqual(self.cards[0].state, 'active')
        self._assert_waits(self._undo(self.cards[1]), 'undo', 25)
        with self.assertRaises(UserError), self.env.cr.savepoint():
            self.cards[1]._undo("Wrong customer")
        self.assertEqual((self.cards[1].state, self._balance()), ('used', 50))

    def test_it_is_undone_once_it_is_approved(self):
        self._limit('undo', 0)
        approval = self._assert_waits(self._undo(self.cards[0]), 'undo', 25)
        self.assertIn("Wrong customer", approval.details)
        approval.action_approve()
        self.assertEqual((self.cards[0].state, self._balance()), ('active', 50))
        self.assertEqual(self.cards[0].event_ids[0].user_id, self.accountant)

    def test_a_card_that_was_given_back_meanwhile_stays_as_it_is(self):
        self._limit('undo', 0)
        approval = self._assert_waits(self._undo(self.cards[0]), 'undo', 25)
        self.cards[0].sudo().payment_id.action_cancel()
        self.assertEqual(self.cards[0].state, 'disabled')
        with self.assertRaisesRegex(UserError, "Something has changed"):
            approval.action_approve()

    def test_superuser_code_undoes_as_ever(self):
        self._limit('undo', 0)
        self.cards[0].sudo()._undo("Wrong customer")
        self.assertEqual(self.cards[0].state, 'active')


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
        from unittest.mock import patch

        from ..refill_cards.models import refill_card_export

        return patch.object(refill_card_export, 'IMMEDIATE', {'csv': 0})

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


@tagged('post_install', '-at_install')
class TestSaleOnAccount(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('sale_on_account')
        cls.series = cls._generate(120)
        cls.series.sudo().for_sale = True

    def _ask(self, invoice):
        return self._assert_waits(invoice.action_post(), 'sale_on_account', LIMIT)

    def _count_sold(self):
        return self.env['refill.card'].search_count([('terms', '=', 'sold')])

    def test_no_door_sells_more_on_account_alone(self):
        invoice = self._draft(40)
        self._ask(invoice)
        cards = self.env['refill.card'].with_user(self.accountant)
        answer = cards.sell(self.buyer.id, product_id=self.product.id, quantity=41, confirm=True)
        self.assertEqual(answer['state'], 'draft')
        self.assertTrue(answer['approval_id'])
        for call in (
            lambda: invoice._post(),
            lambda: invoice.write({'state': 'posted'}),
            lambda: (invoice + invoice.copy()).action_post(),
            lambda: (
                self.env['validate.account.move']
                .with_user(self.accountant)
                .create({'move_ids': [Command.set(invoice.ids)]})
                .validate_move()
            ),
        ):
            with self.assertRaisesRegex(UserError, "another manager"), self.env.cr.savepoint():
                call()
        self.assertEqual((invoice.state, self._count_sold()), ('draft', 0))
        self.assertEqual(len(self._get_waiting()), 2)

    def test_a_bookkeeper_asks_and_a_manager_decides(self):
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        invoice = self._draft(40, user=bookkeeper)
        action = invoice.action_post()
        approval = self.approvals.browse(action['res_id'])
        self.assertTrue(approval.with_user(bookkeeper).summary)
        with self.assertRaises(AccessError):
            approval.with_user(bookkeeper).action_approve()
        approval.with_user(self.second).action_approve()
        self.assertEqual((invoice.state, self._count_sold()), ('posted', 40))

    def test_cards_that_work_once_they_are_paid_are_not_sold_on_account(self):
        self._draft(50, refill_card_works='paid').action_post()
        self.assertEqual(self._count_sold(), 50)

    def test_small_sales_within_a_day_add_up(self):
        self._draft(39).action_post()
        invoice = self._draft(1)
        self._assert_waits(invoice.action_post(), 'sale_on_account', 25)

    def test_superuser_code_sells_as_ever(self):
        self._draft(50).sudo().action_post()
        self.assertEqual(self._count_sold(), 50)

    def test_the_cards_that_were_chosen_when_it_was_asked_for_are_sold(self):
        invoice = self._draft(40)
        approval = self._ask(invoice)
        kept = self.env['refill.card'].search([('reserved_line_id', '!=', False)])
        self.assertEqual(len(kept), 40)
        self._generate(10, valid_till='2026-12-31').sudo().for_sale = True  # would be sold first
        approval.action_approve()
        self.assertEqual(self._get_cards(invoice), kept)
        self.assertEqual(invoice.state, 'posted')

    def test_nothing_is_sold_once_invoice_or_cards_have_changed(self):
        for number, change in enumerate(
            (
                lambda invoice: invoice.write({'partner_id': self.stranger.id}),
                lambda invoice: invoice.invoice_line_ids.write({'price_unit': 1}),
                lambda invoice: invoice.invoice_line_ids.write({'quantity': 41}),
                lambda invoice: invoice.write({'refill_card_works': 'now'}),
                lambda invoice: invoice.write({'refill_card_recipient_id': self.stranger.id}),
                self._choose_others,
            )
        ):
            with self.subTest(number), self.env.cr.savepoint() as savepoint:
                invoice = self._draft(40)
                approval = self._ask(invoice)
                change(invoice)
                with (
                    self.assertRaisesRegex(UserError, "Something has changed"),
                    self.env.cr.savepoint(),
                ):
                    approval.action_approve()
                self.assertEqual((invoice.state, self._count_sold()), ('draft', 0))
                savepoint.rollback()
                self.env.invalidate_all()

    def _choose_others(self, invoice):
        cards, line = self.env['refill.card'], invoice.invoice_line_ids
        cards._free(line)
        cards._reserve(line, Domain('id', 'in', self.series.card_ids[-40:].ids))

    def test_what_the_job_confirms_is_judged_as_if_who_made_it_did(self):
        invoice = self._draft(40, auto_post='at_date')
        job = self.env.ref('base.user_root')
        with self.assertRaisesRegex(UserError, "another manager"), self.env.cr.savepoint():
            invoice.with_user(job)._post()
        self._draft(39, auto_post='at_date').with_user(job)._post()
        self.assertEqual(self._count_sold(), 39)

    def test_what_cannot_be_sold_is_not_asked_for(self):
        with self.assertRaisesRegex(UserError, r"cards are missing \(10\)"):
            self._draft(130).action_post()
        self.assertFalse(self._get_waiting())

    def test_other_invoices_are_confirmed_as_ever(self):
        sold = self._sell_cards(self.series.card_ids[:1], self.buyer)
        self._limit('sale_on_account', 0)
        invoice = self._invoice(5000, partner=self.buyer)
        self.assertEqual(invoice.state, 'posted')
        reversal = sold.with_user(self.accountant)._reverse_moves()
        reversal.action_post()
        self.assertEqual(reversal.state, 'posted')
        self.assertFalse(self._get_waiting())


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
