"""From which value on a second manager is asked, and who changes that."""

from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import tagged

from .test_approval import KINDS, LIMIT, ApprovalCommon


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

    def _rate(self, rate, user=None, days=0):
        """Enter what a unit of the company's currency is in the other one."""
        rates = self.env['res.currency.rate'].with_user(user or self.second)
        day = fields.Date.subtract(fields.Date.context_today(rates), days=days)
        values = {'currency_id': self.other_currency.id, 'rate': rate, 'name': day}
        return rates.create({**values, 'company_id': self.company.id})

    def _forget_rates(self):
        domain = [('currency_id', '=', self.other_currency.id)]
        self.env['res.currency.rate'].search(domain).unlink()

    def test_cards_in_another_currency_are_converted(self):
        self._limit('generation')
        self._forget_rates()
        self._rate(0.5)
        currency = self.other_currency
        self._generate(19, currency_id=currency.id)
        self.assertEqual(self._ask_to_generate(20, currency_id=currency.id).amount, LIMIT)

    def test_nobody_makes_the_rate_that_the_own_cards_are_judged_by(self):
        self._limit('generation')
        self._forget_rates()
        self._rate(0.5, days=20)
        self._rate(1, days=10)
        self._rate(100, self.accountant)
        currency = self.other_currency
        self._generate(19, currency_id=currency.id)
        self.assertEqual(self._ask_to_generate(20, currency_id=currency.id).amount, LIMIT)

    def test_where_nobody_else_entered_a_rate_within_a_month_the_cards_wait(self):
        self._limit('generation')
        currency = self.other_currency
        for quantity, days, user in ((1, 0, self.accountant), (2, 32, self.second)):
            self._forget_rates()
            self._rate(100, user, days)
            self.assertTrue(self._ask_to_generate(quantity, currency_id=currency.id))
        self._forget_rates()
        self.assertTrue(self._ask_to_generate(3, currency_id=currency.id))

    def test_a_series_is_not_turned_into_another_currency_alone(self):
        series = self._generate(30)
        self._limit('generation')
        self._forget_rates()
        self._rate(100, self.accountant)
        with self.assertRaisesRegex(UserError, "another manager has to approve"):
            series.currency_id = self.other_currency

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

    def _make_branch(self):
        branch = self.env['res.company'].create({'name': "Branch", 'parent_id': self.company.id})
        (self.accountant + self.second).company_ids += branch
        return branch

    def test_what_branches_accept_too_counts_once(self):
        self._make_branch()
        self._limit('generation')
        self._generate(39)
        self.assertFalse(self._get_waiting())
        self._ask_to_generate(1)
        self.assertEqual(self._get_waiting().day_amount, LIMIT)

    def test_all_whose_limit_is_reached_approve_it(self):
        self.accountant.company_ids += self.other_company
        there = self._new_user(
            'there', 'account.group_account_manager', company_id=self.other_company.id
        )
        both = self._new_user('both', 'account.group_account_manager')
        both.company_ids += self.other_company
        there.email, both.email = 'there@example.com', 'both@example.com'
        self._limit('generation')
        limits = {'refill_card_approval_generation': True}
        self.other_company.sudo().write({**limits, 'refill_card_approval_generation_from': 500})
        approval = self._ask_to_generate(company_ids=[Command.clear()])
        self.assertIn(f"Needs a manager of: {self.company.name}", approval.details)
        for user in (self.second, there):
            with self.assertRaises(AccessError):
                approval.with_user(user).action_approve()
        self.assertEqual(approval.activity_ids.user_id & (self.second + there + both), both)
        approval.with_user(both).action_approve()
        self.assertEqual(approval.state, 'done')

    def test_where_nobody_manages_all_of_them_nothing_waits(self):
        self.accountant.company_ids += self.other_company
        self._limit('generation')
        self.other_company.sudo().refill_card_approval_generation = True
        others = self.company._get_refill_card_managers() - self.accountant
        others.company_ids -= self.other_company
        with self.assertRaisesRegex(UserError, f"{self.other_company.name}, and there is none"):
            self._ask_to_generate(company_ids=[Command.clear()])

    def _make_elsewhere(self, quantity):
        """Generate cards in a company without a limit, for that company."""
        windows = self.env['refill.card.generate'].with_user(self.accountant)
        windows = windows.with_context(allowed_company_ids=self.other_company.ids)
        window = windows.create({'quantity': quantity, 'price': 25})
        series_id = window.action_generate()['domain'][0][2]
        series = self.env['refill.card.series'].with_user(self.accountant).browse(series_id)
        both = (self.other_company + self.company).ids
        return series.with_context(allowed_company_ids=both)

    def test_cards_for_companies_that_are_not_ticked_wait_and_change_too(self):
        self.accountant.company_ids += self.other_company
        (self.second + self.accountant).company_ids += self.other_company
        self._limit('generation')
        series = self._make_elsewhere(39).with_context(allowed_company_ids=self.other_company.ids)
        self.env.invalidate_all()
        series.write({'company_ids': [Command.link(self.company.id)]})
        self.env.invalidate_all()
        window = self._open_generate(1)
        window.company_ids = self.company + self.other_company
        window = window.with_context(allowed_company_ids=self.company.ids)
        self.env.invalidate_all()
        approval = self._assert_waits(window.action_generate(), 'generation', 25)
        self.assertIn(self.other_company.name, approval.details)
        approval.action_approve()
        self.assertEqual(approval.state, 'done')

    def test_cards_do_not_come_alone_to_a_company_with_a_limit(self):
        self.accountant.company_ids += self.other_company
        self._limit('generation')
        series = self._make_elsewhere(50)
        self.assertFalse(self._get_waiting())
        cards = series.card_ids
        for call in (
            lambda: series.write({'company_ids': [Command.clear()]}),
            lambda: series.write({'company_ids': [Command.link(self.company.id)]}),
            lambda: self._change(series, 'companies', company_ids=self.company.ids),
            lambda: self._change(cards[:40], 'companies', company_ids=self.company.ids),
        ):
            with self.assertRaisesRegex(UserError, "would owe"), self.env.cr.savepoint():
                call()
        self._change(cards[:39], 'companies', company_ids=self.company.ids)
        self.assertIn(self.company, cards[0].sudo().series_id.accepting_company_ids)
        with self.assertRaisesRegex(UserError, "would owe"), self.env.cr.savepoint():
            self._change(cards[40], 'companies', company_ids=self.company.ids)

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

    def test_what_was_tightened_meanwhile_is_not_loosened(self):
        self._limit('generation')
        self.company.with_user(self.administrator).refill_card_approval_generation_from = LIMIT * 2
        approval = self._get_waiting().with_user(self.second)
        self._limit('generation', 10)
        with self.assertRaisesRegex(UserError, "Something has changed"), self.env.cr.savepoint():
            approval.action_approve()
        self.assertEqual(self.company.refill_card_approval_generation_from, 10)

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
        alone._get_refill_card_managers().company_ids -= alone
        self.accountant.company_ids += alone
        with self.assertRaisesRegex(ValidationError, "Only one person"):
            alone.refill_card_approval_undo = True
        with self.assertRaisesRegex(ValidationError, "zero or more"):
            self.company.refill_card_approval_undo_from = -1
