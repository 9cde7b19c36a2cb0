from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestRights(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.card = cls._generate_card()
        cls.elsewhere = cls._generate_card(company_ids=[Command.set(cls.other_company.ids)])

    def test_an_accountant_of_either_kind_has_the_designed_group(self):
        invoicing = self._new_user('invoicing', 'account.group_account_invoice')
        self.assertTrue(invoicing.has_group('refill_cards.group_refill_card_user'))
        self.assertFalse(invoicing.has_group('refill_cards.group_refill_card_manager'))
        self.assertTrue(self.accountant.has_group('refill_cards.group_refill_card_manager'))

    def test_a_clerk_sees_only_what_the_own_companies_accept(self):
        anywhere = self._generate_card(company_ids=[Command.clear()])
        cards = self.env['refill.card'].with_user(self.clerk).search([])
        self.assertIn(self.card.id, cards.ids)
        self.assertIn(anywhere.id, cards.ids)
        self.assertNotIn(self.elsewhere.id, cards.ids)
        series = self.env['refill.card.series'].with_user(self.clerk).search([])
        self.assertNotIn(self.elsewhere.series_id.id, series.ids)
        with self.assertRaises(AccessError):
            self.elsewhere.with_user(self.clerk).read(['name'])

    def test_a_clerk_does_not_see_who_used_a_card_in_another_company(self):
        anywhere = self._generate_card(company_ids=[Command.clear()])
        self._redeem(anywhere)
        clerk = self._new_user(
            'daughter_clerk',
            'refill_cards.group_refill_card_user',
            company_id=self.other_company.id,
        )
        cards = self.env['refill.card'].with_user(clerk)
        self.assertFalse(cards.search([('id', '=', anywhere.id)]))
        events = self.env['refill.card.event'].with_user(clerk)
        self.assertFalse(events.search([('serial', '=', anywhere.name)]))
        self.assertTrue(anywhere.with_user(self.clerk).event_ids)

    def test_everybody_sees_masked_codes_and_finds_cards_by_whole_ones(self):
        code = self.card.sudo().code
        for user in (self.clerk, self.accountant, self.env.ref('base.user_admin')):
            self.assertEqual(self.card.with_user(user).code, f'QUICK-••••-••••-•{code[-4:]}')
        masked = self.card.with_user(self.clerk)
        found = masked.search([('code', '=', code.lower().replace('-', ' '))])
        self.assertEqual(found.id, self.card.id)
        self.assertFalse(masked.search([('code', '=', code[-4:])]))
        self.assertEqual(masked.search([('code', 'in', ['nonsense', code])]).id, self.card.id)
        self.assertEqual(
            masked.read(['code'])[0]['code'], masked.code, "over RPC nothing else is read"
        )

    def test_a_clerk_changes_nothing_by_rpc(self):
        card = self.card.with_user(self.clerk)
        series = card.series_id
        for call in (
            lambda: card.write({'valid_till': '2030-01-01'}),
            lambda: card.write({'state': 'active'}),
            lambda: card.unlink(),
            lambda: card.action_delete(),
            lambda: card.copy(),
            lambda: card.create({'series_id': series.id, 'number': 9, 'name': 'x'}),
            lambda: series.write({'price': 1}),
            lambda: series.unlink(),
            lambda: series.action_delete(),
            lambda: series.create({'quantity': 1, 'price': 1}),
            lambda: series._open_export_window(),
            lambda: series.env['refill.card.generate'].create({}),
            lambda: series.env['refill.card.attempt'].search([]),
        ):
            with self.assertRaises(AccessError):
                call()
        self.assertTrue(self.card.exists())

    def test_a_manager_creates_cards_only_by_generating(self):
        card = self.card.with_user(self.accountant)
        for call in (
            lambda: card.create({'series_id': card.series_id.id, 'number': 9, 'name': 'x'}),
            lambda: card.series_id.create({'quantity': 1, 'price': 1}),
            lambda: card.series_id.copy(),
            lambda: card.copy(),
        ):
            with self.assertRaises(AccessError):
                call()
        before = self.env['refill.card'].search_count([])
        columns = ['name', 'number', 'series_id/.id', 'state']
        loaded = card.load(columns, [['x', '1', str(card.series_id.id), 'active']])
        self.assertFalse(loaded['ids'])
        self.assertIn("not allowed to create", loaded['messages'][0]['message'])
        self.assertEqual(self.env['refill.card'].search_count([]), before)

    def test_a_manager_writes_only_what_the_form_offers(self):
        card = self.card.with_user(self.accountant)
        for values in (
            {'state': 'used'},
            {'partner_id': self.customer.id},
            {'payment_id': False},
            {'number': 7},
            {'name': 'x'},
            {'used_on': '2026-01-01'},
            {'series_id': self.elsewhere.series_id.id},
            {'event_ids': [Command.clear()]},
            {'code': 'x'},
            {'price': 1000},
        ):
            with self.subTest(**values), self.assertRaises(AccessError):
                card.write(values)
        for values in (
            {'state': 'draft'},
            {'quantity': 5},
            {'name': 'x'},
            {'code_length': 3},
            {'company_id': self.other_company.id},
            {'generated': 0},
            {'card_ids': [Command.clear()]},
        ):
            with self.subTest(**values), self.assertRaises(AccessError):
                card.series_id.write(values)

    def test_a_manager_of_another_company_may_use_but_not_change_a_series(self):
        series = self._generate(company_ids=[Command.clear()])
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = series.with_user(manager)
        self.assertEqual(theirs.card_count, 3)
        self.assertFalse(theirs.can_manage)
        self.assertIn('•', theirs.card_ids[0].code)
        for call in (
            lambda: theirs.write({'price': 1}),
            lambda: theirs.unlink(),
            lambda: theirs._open_export_window(),
            lambda: theirs.card_ids[0].write({'valid_till': '2030-01-01'}),
            lambda: theirs.card_ids[0].unlink(),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_history_is_only_added_to_even_by_the_superuser(self):
        self._redeem(self.card)
        event = self.card.sudo().event_ids
        for user in (self.accountant, self.env.ref('base.user_root')):
            with self.assertRaises(UserError):
                event.with_user(user).write({'note': "nothing happened"})
            with self.assertRaises(UserError):
                event.with_user(user).unlink()
        with self.assertRaises(AccessError):
            event.with_user(self.accountant).create({'serial': 'x'})

    def test_a_deleted_cards_history_stays(self):
        name = self.card.name
        self.card.with_user(self.accountant).unlink()
        events = self.env['refill.card.event'].with_user(self.accountant)
        self.assertRecordValues(
            events.search([('serial', '=', name)]),
            [{'new_state': 'deleted', 'user_id': self.accountant.id, 'card_id': False}],
        )

    def test_attempts_are_seen_in_the_own_companies_only(self):
        self._assert_refused(
            'typo', self.env['refill.card'].with_user(self.clerk).redeem_code, 'x', self.customer.id
        )
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        attempts = self.env['refill.card.attempt']
        self.assertTrue(attempts.with_user(self.accountant).search([]))
        self.assertFalse(attempts.with_user(manager).search([]))

    def test_a_customer_with_refused_codes_can_be_deleted(self):
        cards = self.env['refill.card'].with_user(self.customer_user).sudo()
        self._assert_refused(
            'typo', cards._redeem_code, 'x', self.customer, self.company, channel='portal'
        )
        self.customer_user.unlink()
        self.assertFalse(self.customer_user.exists())

    def test_a_mixed_selection_leaves_other_companies_cards_alone(self):
        both = [Command.set((self.company + self.other_company).ids)]
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        ours = self._generate_card(company_ids=both)
        theirs = self._generate_card(
            company_ids=[Command.set(self.other_company.ids)], user=manager
        )
        mixed = (ours + theirs).with_user(manager)
        self._change(mixed, 'disable', reason='lost')
        self.assertEqual((ours + theirs).mapped('state'), ['active', 'disabled'])
        for call in (
            lambda: mixed.write({'valid_till': '2099-01-01'}),
            lambda: mixed.unlink(),
            lambda: mixed._open_export_window(),
            lambda: mixed.action_send(),
        ):
            with self.assertRaises(AccessError):
                call()
        self.assertEqual(len(mixed.exists()), 2)
        windows = self.env['refill.card.send'].with_user(manager)
        window = windows.create({'card_ids': ours.ids, 'partner_ids': self.customer.ids})
        with self.assertRaises(AccessError):
            type(window).action_send.__wrapped__(window)

    def test_a_clerk_sees_the_app_with_one_menu(self):
        menus = self.env['ir.ui.menu'].with_user(self.clerk)
        visible = menus.browse(menus._visible_menu_ids())
        app = self.env.ref('account.menu_finance')
        self.assertIn(app, visible)
        self.assertEqual(
            visible.filtered(lambda menu: menu.parent_id == app),
            self.env.ref('refill_cards.menu_refill_cards'),
        )
        self.assertEqual(
            visible.filtered(
                lambda menu: menu.parent_id == self.env.ref('refill_cards.menu_refill_cards')
            ),
            self.env.ref('refill_cards.menu_refill_card_redeem')
            + self.env.ref('refill_cards.menu_refill_card')
            + self.env.ref('refill_cards.menu_refill_card_reporting'),
        )

    def test_the_accountants_menus_stay(self):
        menus = self.env['ir.ui.menu'].with_user(self.accountant)
        visible = menus._visible_menu_ids()
        for name in ('menu_finance_receivables', 'menu_finance_payables', 'menu_finance'):
            self.assertIn(self.env.ref(f'account.{name}').id, visible)
        for name in ('generate', 'series', 'redeem', 'attempt'):
            self.assertIn(self.env.ref(f'refill_cards.menu_refill_card_{name}').id, visible)
