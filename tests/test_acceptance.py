from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import Form, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestAcceptance(RefillCardCommon):
    """A company redeems, and its users see, what it agreed to: its books owe what cards are worth.

    The main company's clerk redeems; the daughter's manager, who has no business in the main
    company, issues.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=cls.other_company.id
        )
        cls.anyone = {'company_ids': [Command.clear()]}
        cls.for_main = {'company_ids': [Command.set(cls.company.ids)]}

    def _assert_rejected(self, series):
        """Assert that the main company neither redeems the cards nor shows them."""
        card = series.sudo().card_ids[0]
        clerk = self.env(user=self.clerk)
        self._assert_refused('company', self._redeem, card)
        self.assertEqual(self._balance(), 0)
        self._assert_sight(series, False)
        with self.assertRaises(AccessError):
            card.with_env(clerk).read(['name'])
        with self.assertRaises(AccessError):
            series.with_env(clerk).read(['name'])
        self.assertFalse(clerk['refill.card'].search([('code', '=', card.code)]))
        self.assertNotIn(self.company, series.sudo().accepting_company_ids)

    def _assert_accepted(self, series):
        self._assert_sight(series, True)
        card = series.sudo().card_ids[0]
        self.assertEqual(self._redeem(card).company_id, self.company)
        self._undo(card, user=self.env.ref('base.user_root'))

    def _assert_sight(self, series, seen, user=None):
        """Assert that the clerk sees the series, its cards and their events, or none of them."""
        env = self.env(user=user or self.clerk)
        self.assertEqual(bool(env['refill.card.series'].search([('id', '=', series.id)])), seen)
        of_series = [('series_id', '=', series.id)]
        self.assertEqual(bool(env['refill.card'].search(of_series)), seen)
        series.sudo().card_ids[-1]._log(note="Something")
        events = env['refill.card.event'].search(of_series)
        self.assertEqual(bool(events), seen)
        self.assertTrue(all(events.mapped('card_id')), "what concerns the whole is the issuer's")

    # -------------------------------------------------------------------------
    # WHO AGREES
    # -------------------------------------------------------------------------

    def _see_every_company(self):
        """Let the daughter's manager name companies without working in them, as administrators."""
        self.manager.group_ids += self.env.ref('base.group_erp_manager')

    def test_who_does_not_see_a_company_does_not_name_it(self):
        for call in (
            lambda: self._generate(user=self.manager, **self.for_main),
            lambda: self._generate(user=self.manager).write(self.for_main),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_no_door_makes_a_company_accept_what_it_did_not_agree_to(self):
        self._see_every_company()

        def generated(**values):
            return self._generate(user=self.manager, **values)

        def written(values, **context):
            series = generated(company_ids=[Command.set(self.other_company.ids)])
            series.with_context(**context).write(values)
            return series

        def imported():
            series = generated()
            fnames, row = ['.id', 'company_ids/.id'], [str(series.id), str(self.company.id)]
            self.assertTrue(series.load(fnames, [row])['ids'])
            return series

        def changed(companies):
            series = generated()
            self._change(series, 'companies', company_ids=companies.ids)
            return series

        def split():
            cards = generated().card_ids
            self._change(cards[:2], 'companies', company_ids=self.company.ids)
            return cards[0].series_id

        def made_by_code():
            values = {'quantity': 1, 'price': 25, **self.anyone}
            series = self.env['refill.card.series'].with_user(self.manager)
            series = series.with_company(self.other_company).sudo().create(values)
            series._generate()
            return series

        for number, door in enumerate(
            (
                lambda: generated(**self.anyone),
                lambda: generated(**self.for_main),
                lambda: written(self.anyone),
                lambda: written(self.for_main),
                lambda: written(self.for_main, allowed_company_ids=self.other_company.ids),
                lambda: written({'company_ids': [Command.link(self.company.id)]}),
                imported,
                lambda: changed(self.company.browse()),
                lambda: changed(self.company),
                split,
                made_by_code,
            )
        ):
            with self.subTest(door=number):
                self._assert_rejected(door())

    def test_nobody_writes_by_hand_who_agreed(self):
        series = self._generate(user=self.manager, **self.anyone)
        agreed = {'agreed_company_ids': [Command.link(self.company.id)]}
        with self.assertRaises(AccessError):
            series.write(agreed)
        with self.assertRaises(AccessError):
            series.read(['agreed_company_ids'])
        with self.assertRaises(AccessError):
            self.company.with_user(self.manager).write({'refill_card_accept_all': True})

    def test_cards_of_somebody_who_manages_in_both_companies_are_accepted(self):
        both = self.company + self.other_company
        self.manager.company_ids = both
        for values in (self.anyone, self.for_main, {'company_ids': [Command.set(both.ids)]}):
            series = self._generate(user=self.manager, **values)
            self.assertEqual(series.company_id, self.other_company)
            self._assert_accepted(series)

    def test_a_later_change_of_rights_changes_nothing(self):
        self.manager.company_ids += self.company
        agreed = self._generate(user=self.manager, **self.anyone)
        self.manager.company_ids = self.other_company
        later = self._generate(user=self.manager, **self.anyone)
        self._assert_accepted(agreed)
        self._assert_rejected(later)
        self.manager.company_ids += self.company
        self._assert_rejected(later)

    def test_who_chooses_the_companies_agrees_and_who_agreed_before_still_does(self):
        self._see_every_company()
        third = self.setup_other_company(name="Third")['company']
        self.manager.company_ids += self.company
        series = self._generate(user=self.manager, **self.anyone)
        self.manager.company_ids = self.other_company + third
        series.company_ids = self.company + third
        self.assertEqual(series.sudo().accepting_company_ids, self.company + third)
        series.company_ids = third
        series.company_ids = self.company + third
        self.assertEqual(series.sudo().accepting_company_ids, third, "given up, and not theirs")

    def test_a_new_price_is_agreed_to_only_where_whoever_sets_it_manages(self):
        both = self._new_user(
            *('both_manager', 'account.group_account_manager'),
            company_id=self.other_company.id,
            company_ids=[Command.set((self.company + self.other_company).ids)],
        )
        for vals in ({'price': 9999}, {'currency_id': self.other_currency.id}):
            with self.subTest(**vals):
                series = self._generate(user=both, **self.anyone)
                series.with_user(self.manager).write({'prefix': 'OTHER', 'price': series.price})
                self._assert_sight(series, True)
                series.with_user(self.manager).write(vals)
                self._assert_rejected(series)
        series = self._generate(user=both, **self.anyone)
        series.with_user(both).price = 50
        self._assert_accepted(series)
        series = self._generate(user=self.manager, **self.anyone)
        series.with_user(self.env.ref('base.user_root')).price = 50
        self._assert_rejected(series)

    def test_cards_that_move_are_still_accepted_where_somebody_agreed(self):
        self.manager.company_ids += self.company
        both = [Command.set((self.company + self.other_company).ids)]
        series = self._generate(user=self.manager, company_ids=both)
        self.manager.company_ids -= self.company
        card = series.card_ids[0]
        self._change(card, 'companies', company_ids=[Command.clear()])
        self.assertNotEqual(card.series_id, series)
        self._assert_accepted(card.series_id)

    def test_a_clerk_of_a_company_does_not_agree_for_it(self):
        self.manager.company_ids += self.company
        wizard = self.env['refill.card.generate'].with_user(self.manager).create(self.anyone)
        values = wizard._prepare_series_values()
        clerk = self._new_user(
            *('both_clerk', 'refill_cards.group_refill_card_user'),
            company_id=self.other_company.id,
            company_ids=[Command.set((self.company + self.other_company).ids)],
        )
        # As a program would that may do everything.
        series = self.env['refill.card.series'].with_user(clerk).sudo().create(values)
        self.assertEqual(series.accepting_company_ids, self.other_company)

    # -------------------------------------------------------------------------
    # A COMPANY'S SETTING
    # -------------------------------------------------------------------------

    def test_a_company_names_the_issuers_that_it_accepts(self):
        series = self._generate(user=self.manager, **self.anyone)
        third = self.setup_other_company(name="Third")['company']
        self.company.refill_card_issuer_ids = third
        self._assert_rejected(series)
        self.company.refill_card_issuer_ids += self.other_company
        self._assert_accepted(series)
        self.assertNotIn(third, series.sudo().accepting_company_ids)
        self.company.refill_card_issuer_ids = False
        self._assert_rejected(series)
        self.company.refill_card_accept_all = True
        self._assert_accepted(series)

    def test_the_setting_accepts_only_what_is_meant_for_the_company(self):
        self.company.refill_card_accept_all = True
        series = self._generate(user=self.manager)
        self.assertEqual(series.company_ids, self.other_company)
        self._assert_rejected(series)

    def test_the_setting_is_in_the_settings(self):
        series = self._generate(user=self.manager, **self.anyone)
        with Form(self.env['res.config.settings'].with_company(self.company)) as settings:
            settings.refill_card_issuer_ids.add(self.other_company)
        settings.record.execute()
        self._assert_accepted(series)

    def test_the_setting_counts_for_branches_and_names_issuers_with_theirs(self):
        issuer = self._branch("Daughter's branch", self.other_company)
        branch = self._branch("Branch", self.company)
        self.manager.write({'company_id': issuer.id, 'company_ids': [Command.set(issuer.ids)]})
        series = self._generate(user=self.manager, **self.anyone)
        self.assertEqual(series.company_id, issuer)
        self.assertEqual(series.sudo().accepting_company_ids, issuer)
        self.company.refill_card_issuer_ids = self.other_company
        self.assertEqual(series.sudo().accepting_company_ids, issuer + self.company + branch)

    def test_a_card_redeemed_here_stays_in_sight_when_the_setting_changes(self):
        self.company.refill_card_accept_all = True
        series = self._generate(user=self.manager, **self.anyone)
        used, other = series.sudo().card_ids[:2]
        self._redeem(used)
        self.company.refill_card_accept_all = False
        cards = self.env['refill.card'].with_user(self.clerk)
        self.assertEqual(cards.search([('series_id', '=', series.id)]).ids, used.ids)
        self.assertTrue(used.with_user(self.clerk).event_ids)
        self._assert_refused('company', self._redeem, other)

    # -------------------------------------------------------------------------
    # HEAD OFFICE AND BRANCHES
    # -------------------------------------------------------------------------

    def _branch(self, name, parent):
        branch = self._create_company(name=name, parent_id=parent.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        return branch

    def test_a_series_for_a_company_serves_its_branches_also_later_ones(self):
        series = self._generate()
        self.assertEqual(series.company_ids, self.company)
        self.assertEqual(series.accepted_by, self.company.name)
        branch = self._branch("Branch", self._branch("Region", self.company))
        clerk = self._new_user(
            'branch_clerk', 'refill_cards.group_refill_card_user', company_id=branch.id
        )
        self._assert_sight(series, True, clerk)
        seen = series.with_user(clerk)
        self.assertEqual((seen.card_count, seen.active_count), (3, 3))
        self.assertEqual((seen.company_names, seen.accepted_by), (self.company.name,) * 2)
        self.assertEqual(seen.card_ids[0].read(['name'])[0]['name'], series.card_ids[0].name)
        self.assertEqual(self._redeem(series.card_ids[0], user=clerk).company_id, branch)
        seen.invalidate_recordset()
        self.assertEqual(seen.used_count, 1)
        found = seen.search([('accepting_company_ids', 'ilike', "Branch")])
        self.assertIn(series.id, found.ids)

    def test_a_series_for_a_branch_is_not_for_head_office_or_other_branches(self):
        branch, other = self._branch("Branch", self.company), self._branch("Other", self.company)
        self.accountant.company_ids += branch + other
        series = self._generate(company_ids=[Command.set(branch.ids)])
        self.assertEqual(series.sudo().accepting_company_ids, branch)
        self._assert_rejected(series)
        clerk = self._new_user(
            'other_clerk', 'refill_cards.group_refill_card_user', company_id=other.id
        )
        self._assert_sight(series, False, clerk)
        self._assert_refused('company', self._redeem, series.card_ids[0], user=clerk)

    def test_who_manages_in_a_branch_agrees_for_the_branch_only(self):
        self._see_every_company()
        branch = self._branch("Branch", self.company)
        self.manager.company_ids += branch
        for values in (self.anyone, self.for_main):
            series = self._generate(user=self.manager, **values)
            self._assert_rejected(series)
            self.assertIn(branch, series.sudo().accepting_company_ids)

    # -------------------------------------------------------------------------
    # THE WINDOWS
    # -------------------------------------------------------------------------

    def test_the_window_shows_which_companies_accept(self):
        self._see_every_company()
        third = self.setup_other_company(name="Third")['company']
        wizards = self.env['refill.card.generate'].with_user(self.manager)
        wizard = wizards.create(self.anyone)
        self.assertEqual((wizard.accepted_by, wizard.not_accepted_by), ("Daughter", ''))
        third.refill_card_issuer_ids = self.other_company
        wizard.company_ids = self.company + third
        self.assertEqual((wizard.accepted_by, wizard.not_accepted_by), ("Third", self.company.name))
        action = wizard.action_generate()
        series = wizard.env['refill.card.series'].browse(action['domain'][0][2])
        self.assertEqual(series.accepted_by, "Third")
        wizard.company_ids = self.company
        self.assertEqual(wizard.accepted_by, "No company")

    def test_the_windows_offer_and_show_all_companies_that_the_user_works_in(self):
        self.accountant.group_ids += self.env.ref('base.group_multi_company')
        both = self.company + self.other_company
        ticked = {'allowed_company_ids': self.company.ids}
        env = self.env(user=self.accountant, context=ticked)
        with Form(env['refill.card.generate']) as form:
            form.company_ids.add(self.other_company.with_env(env))
            self.env.flush_all()
            self.env.invalidate_all()
            form.quantity = 7
        wizard = form.record
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(set(wizard.company_ids.ids), set(both.ids))
        series = env['refill.card.series'].browse(wizard.action_generate()['domain'][0][2])
        self.assertEqual(series.company_names, ', '.join(both.mapped('name')))
        self.assertEqual(series.company_id, self.company)
        offered = env['res.company'].with_context(allowed_company_ids=[]).name_search('')
        self.assertEqual({company_id for company_id, _name in offered}, set(both.ids))
        change = env['refill.card.change'].browse(series.action_change()['res_id'])
        with Form(change) as form:
            form.operation = 'companies'
            form.company_ids.add(self.other_company.with_env(env))
        change.action_confirm()
        self.assertEqual(series.company_names, self.other_company.name)

    def test_the_acceptance_costs_a_redemption_one_query(self):
        series = self._generate(**self.anyone).sudo()
        self.env.flush_all()
        with self.assertQueryCount(1):
            self.assertTrue(series._is_available_to(self.company))


@tagged('post_install', '-at_install')
class TestUpdate(RefillCardCommon):
    """A database of before is brought up to date."""

    def test_what_was_accepted_before_still_is_where_the_maker_manages_both(self):
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = self._generate(user=manager, company_ids=[Command.clear()])
        ours = self._generate(company_ids=[Command.clear()])
        (theirs + ours).sudo().write({'agreed_company_ids': [Command.clear()]})
        self.assertNotIn(self.other_company, ours.sudo().accepting_company_ids)
        self._migrate('19.0.1.1.0', 'post-series')
        self.assertEqual(ours.sudo().accepting_company_ids, self.company + self.other_company)
        self.assertEqual(theirs.sudo().accepting_company_ids, self.other_company)

    def test_series_whose_codes_left_are_frozen_and_their_prefixes_read(self):
        self.env['res.lang']._activate_lang('fr_FR')
        kept, exported, shown, other = (self._generate() for _number in range(4))
        self.env['refill.card.export'].sudo().create(
            {
                'name': "cards.csv",
                'company_id': self.company.id,
                'currency_id': exported.currency_id.id,
                'series_ids': [Command.set(exported.ids)],
                'scope': 'all',
                'file_format': 'csv',
            }
        )
        self._change(exported.card_ids[0], 'companies', company_ids=self.other_company.ids)
        moved = exported.search([], limit=1)
        shown.card_ids[0]._log_shown()
        other.card_ids[0]._log(note="Valid without end")
        code = shown.card_ids[0].sudo().code
        shown.prefix = 'NEW'
        shown.sudo().former_prefixes = False
        self.env['mail.tracking.value'].create(
            {
                'mail_message_id': shown.message_post(body="Changed").id,
                'field_id': self.env['ir.model.fields']._get(shown._name, 'prefix').id,
                'old_value_char': "QUICK",
                'new_value_char': "NEW",
            }
        )
        layout = kept.layout_id.create({'name': "Of before"})
        self._migrate('19.0.1.1.0', 'post-series')
        self.assertFalse(layout.company_id)
        series = kept + exported + moved + shown + other
        self.assertEqual(
            [bool(each.codes_left_on) for each in series], [False, True, True, True, False]
        )
        self.assertEqual(shown.former_prefixes, 'QUICK')
        found = self.env['refill.card'].with_user(self.accountant).search([('code', '=', code)])
        self.assertEqual(found, shown.card_ids[0])


@tagged('post_install', '-at_install')
class TestLayoutsOfCompanies(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=cls.other_company.id
        )
        cls.layouts = cls.env['refill.card.layout'].with_user(cls.accountant)
        cls.own = cls.layouts.create({'name': "Ours"})
        cls.shared = cls.env.ref('refill_cards.refill_card_layout_sheet')

    def _assert_untouchable(self, layout):
        for call in (
            lambda: layout.write({'name': "Theirs"}),
            lambda: layout.action_archive(),
            lambda: layout.unlink(),
            lambda: layout.write({'company_id': self.other_company.id}),
        ):
            with self.assertRaises(AccessError):
                call()
        imported = layout.load(['.id', 'name'], [[str(layout.id), "Theirs"]])
        self.assertTrue(imported['messages'])

    def test_managers_of_another_company_neither_see_nor_change_a_layout(self):
        self.assertEqual(self.own.company_id, self.company)
        theirs = self.own.with_user(self.manager)
        self.assertFalse(theirs.search([('id', '=', theirs.id)]))
        with self.assertRaises(AccessError):
            theirs.read(['name'])
        self._assert_untouchable(theirs)
        series = self._generate(user=self.manager)
        with self.assertRaises(UserError):
            series.layout_id = theirs.id
        self.assertNotEqual(series.layout_id.id, self.own.id)

    def test_what_all_share_is_changed_by_who_manages_everywhere(self):
        theirs = self.shared.with_user(self.manager)
        self.assertTrue(theirs.search([('id', '=', theirs.id)]))
        self.assertFalse(theirs.can_manage)
        self._assert_untouchable(theirs)
        with self.assertRaises(AccessError):
            theirs.create({'name': "For all", 'company_id': False})
        copied = theirs.copy()
        self.assertEqual((copied.company_id, copied.can_manage), (self.other_company, True))
        self.manager.company_ids = self.env['res.company'].search([])
        self.assertTrue(theirs.with_context(allowed_company_ids=self.other_company.ids).can_manage)
        theirs.name = "For all"
        self._create_company(name="Just founded")
        with self.assertRaises(AccessError):
            theirs.name = "For all but one"
        self.manager.group_ids += self.env.ref('base.group_system')
        theirs.name = "The administrator's"

    def test_a_layout_is_given_only_to_the_companies_that_its_manager_works_in(self):
        layout = self.env['refill.card.layout'].with_user(self.manager).create({'name': "Theirs"})
        for company in (self.company, self.company.browse()):
            with self.subTest(company=company.name), self.assertRaises(AccessError):
                layout.company_id = company

    def test_branches_use_the_layouts_of_head_office_and_do_not_change_them(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.manager.write({'company_id': branch.id, 'company_ids': [Command.set(branch.ids)]})
        theirs = self.own.with_user(self.manager)
        series = self._generate(user=self.manager)
        series.layout_id = theirs
        self.assertFalse(theirs.can_manage)
        self._assert_untouchable(theirs)

    def test_a_layout_by_which_others_print_stays_theirs(self):
        self.manager.company_ids += self.company
        series = self._generate(user=self.manager)
        series.layout_id = self.shared
        with self.assertRaisesRegex(UserError, "printed by layout"):
            self.shared.company_id = self.company
        self.shared.company_id = self.other_company
