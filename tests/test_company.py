import csv

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import SQL, file_open

from ..refill_cards.hooks import pre_init_hook, uninstall_hook
from ..refill_cards.models.res_company import CUSTOMER_ADVANCES
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestCompany(RefillCardCommon):
    def test_a_company_without_chart_of_accounts_is_left_alone(self):
        company = self.env['res.company'].create({'name': "No chart"})
        company._setup_refill_cards()
        self.assertFalse(company._get_refill_card_method_line())
        self.env.user.company_ids += company
        (self.clerk + self.accountant).company_ids += company
        card = self._generate_card(company_ids=[Command.clear()])
        cards = self.env['refill.card'].with_user(self.clerk)
        with self.assertRaisesRegex(UserError, "No chart has no journal"):
            cards.redeem_code(card.sudo().code, self.customer.id, company.id)
        self.assertEqual(card.state, 'active')

    def test_a_chart_of_accounts_brings_journal_account_and_method(self):
        line = self.company._get_refill_card_method_line()
        self.assertRecordValues(
            line.journal_id,
            [
                {
                    'code': 'RFC',
                    'type': 'cash',
                    'sequence': 100,
                    'show_on_dashboard': False,
                    'currency_id': False,
                    'outbound_payment_method_line_ids': [],
                    'default_account_id': line.payment_account_id.id,
                }
            ],
        )
        self.assertRecordValues(
            line.payment_account_id, [{'account_type': 'liability_current', 'reconcile': False}]
        )
        self.assertEqual(line.journal_id.inbound_payment_method_line_ids, line)

    def test_the_account_is_where_an_accountant_of_the_country_looks_for_advances(self):
        """Of the charts that are installed; ``--beside`` the localisations for the others."""
        expected = {
            'br': '2.01.01.05.03',
            'de_skr03': '1712',
            'de_skr04': '3251',
            'es_pymes': '438001',
            'fr': '419101',
            'generic_coa': '212001',
            'in': '100851',
            'it': '253001',
            'mx': '206.01.02',
            'sa': '201021',
        }
        charts = self.env['account.chart.template']
        known = charts._get_chart_template_mapping()
        for template in filter(lambda template: known[template]['installed'], expected):
            with self.subTest(template):
                company = self.env['res.company'].create({'name': template})
                charts.try_loading(template, company, install_demo=False)
                account = company._get_refill_card_method_line().payment_account_id
                self.assertEqual(account.with_company(company).code, expected[template])
                self.assertEqual(account.account_type, 'liability_current')

    def test_each_chart_has_the_account_for_advances(self):
        known = self.env['account.chart.template']._get_chart_template_mapping(get_all=True)
        for template, xmlid in CUSTOMER_ADVANCES.items():
            module = known[template]['module']
            path = f'{module}/data/template/account.account-{template}.csv'
            with self.subTest(template), file_open(path) as file:
                accounts = {row['id']: row['account_type'] for row in csv.DictReader(file)}
                self.assertIn(accounts.get(xmlid), ('liability_current', 'liability_payable'))

    def test_no_other_cash_journal_gets_the_method(self):
        others = self.env['account.journal'].search([('type', '=', 'cash'), ('code', '!=', 'RFC')])
        self.assertTrue(others)
        lines = others.inbound_payment_method_line_ids
        self.assertNotIn('refill_card', lines.mapped('code'))

    def test_setting_up_again_changes_nothing(self):
        def count():
            domain = [('company_id', '=', self.company.id)]
            accounts = self.env['account.account'].search_count(
                [('company_ids', 'in', self.company.ids)]
            )
            return accounts, self.env['account.journal'].search_count(domain)

        before = count()
        self.company._setup_refill_cards()
        self.assertEqual(count(), before)

    def test_a_journal_whose_method_was_removed_is_taken_up_again(self):
        journal = self.company._get_refill_card_method_line().journal_id
        journal.inbound_payment_method_line_ids = [Command.clear()]
        self.assertFalse(self.company._get_refill_card_method_line())
        self.company._setup_refill_cards()
        self.assertEqual(self.company._get_refill_card_method_line().journal_id, journal)

    def test_a_taken_journal_code_is_not_a_problem(self):
        company = self._create_company(name="Taken")
        journal = company._get_refill_card_method_line().journal_id
        journal.inbound_payment_method_line_ids = [Command.clear()]
        journal.default_account_id = self.env['account.account'].search(
            [('company_ids', 'in', company.ids), ('account_type', '=', 'asset_cash')], limit=1
        )
        company._setup_refill_cards()
        self.assertEqual(company._get_refill_card_method_line().journal_id.code, 'RFC1')

    def test_the_journal_keeps_its_type_and_currency(self):
        journal = self.company._get_refill_card_method_line().journal_id
        for values in ({'type': 'bank'}, {'currency_id': self.other_currency.id}):
            with self.subTest(**values), self.assertRaises(UserError):
                journal.write(values)
        journal.write({'type': 'cash', 'currency_id': False, 'name': "Cards"})
        self.assertTrue(self.company._get_refill_card_method_line())

    def test_a_branch_books_in_the_journal_of_its_root_company(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        branch._setup_refill_cards()
        self.assertFalse(self.env['account.journal'].search([('company_id', '=', branch.id)]))
        self.clerk.company_ids += branch
        card = self._generate_card(company_ids=[Command.clear()])
        cards = self.env['refill.card'].with_user(self.clerk)
        result = cards.redeem_code(card.sudo().code, self.customer.id, branch.id)
        payment = self.env['account.payment'].browse(result['payment_id'])
        self.assertEqual(payment.company_id, branch)
        self.assertEqual(payment.move_id.company_id, branch)
        self.assertEqual(payment.journal_id.company_id, self.company)
        self.assertEqual(payment.state, 'paid')
        self.assertEqual(self._balance(), 25, "balances are per root company")

    def test_a_card_in_another_currency_is_converted(self):
        rate = self.other_currency._get_conversion_rate(
            self.other_currency, self.company.currency_id, self.company, '2026-11-21'
        )
        self.assertNotEqual(rate, 1)
        card = self._generate_card(currency_id=self.other_currency.id)
        payment = self._redeem(card)
        self.assertEqual(payment.currency_id, self.other_currency)
        self.assertEqual(payment.amount, 25)
        self.assertAlmostEqual(self._balance(), 25 * rate, 2)

    def test_a_card_in_a_currency_without_rate_is_refused(self):
        franc = self.env.ref('base.CHF')
        franc.active = True
        franc.rate_ids.unlink()
        self.env['res.currency.rate'].create(
            {'currency_id': self.company.currency_id.id, 'company_id': self.company.id, 'rate': 1}
        )
        card = self._generate_card(currency_id=franc.id)
        self._assert_refused('company', self._redeem, card)
        self.assertEqual(card.state, 'active')

    def test_a_card_redeemed_in_another_company_is_booked_there(self):
        clerk = self._new_user(
            'daughter_clerk',
            'refill_cards.group_refill_card_user',
            company_id=self.other_company.id,
        )
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        payment = self._redeem(card, user=clerk)
        self.assertEqual(payment.company_id, self.other_company)
        self.assertEqual(payment.journal_id.company_id, self.other_company)
        self.assertEqual(self._balance(company=self.company), 0)
        self.assertNotEqual(self._balance(company=self.other_company), 0)

    def test_serial_numbers_go_on_after_a_new_installation(self):
        self._generate_card()
        sequence = self.env.ref('refill_cards.sequence_refill_card_series')
        method = self.env.ref('refill_cards.account_payment_method_refill_card')
        uninstall_hook(self.env)
        owned = self.env['ir.model.data'].search([('module', '=', 'refill_cards')])
        for kept in (sequence, method):
            with self.subTest(kept._name):
                self.assertNotIn((kept._name, kept.id), owned.mapped(lambda x: (x.model, x.res_id)))
        number = sequence.number_next_actual
        pre_init_hook(self.env)
        self.assertEqual(self.env.ref('refill_cards.sequence_refill_card_series'), sequence)
        self.assertEqual(self.env.ref('refill_cards.account_payment_method_refill_card'), method)
        self.assertEqual(sequence.number_next_actual, number)

    def test_uninstalling_is_not_held_up_by_files_and_history(self):
        card = self._generate_card()
        self._redeem(card)
        layout = self.env['refill.card.layout']._get_default()
        other = self._generate_card()
        export = (
            self.env['refill.card.export']
            .sudo()
            .create(
                {
                    'name': "cards.pdf",
                    'company_id': self.company.id,
                    'currency_id': self.company.currency_id.id,
                    'series_ids': [Command.set(other.series_id.ids)],
                    'scope': 'all',
                    'file_format': 'pdf',
                    'layout_id': layout.id,
                }
            )
        )
        uninstall_hook(self.env)
        self.assertFalse(export.exists())
        self.assertFalse(self.env['refill.card.event'].search_count([]))
        self.env.cr.execute(SQL("SELECT proname FROM pg_proc WHERE proname ^@ 'refill_card'"))
        self.assertFalse(self.env.cr.fetchall())
        layout.sudo().unlink()
