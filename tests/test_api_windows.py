from datetime import datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import ButtonCalls
from .test_sale import SaleCommon


@tagged('post_install', '-at_install')
class TestApiGenerate(SaleCommon):
    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card'].with_user(self.accountant)

    def test_who_does_not_manage_cards_generates_none(self):
        for user in (self.clerk, self.employee, self.customer_user):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.env['refill.card'].with_user(user).generate(1, 25)
        with self.assertRaisesRegex(AccessError, "in this company"):
            self.env['refill.card'].with_user(self.accountant).generate(
                1, 25, company_id=self._make_company().id
            )

    def _make_company(self):
        return self.env['res.company'].create({'name': "Another"})

    def test_what_does_not_fit_is_refused_by_a_sentence_and_burns_no_number(self):
        before = self.cards.generate(1, 25)['series']
        for values, sentence in (
            ({'quantity': 0}, "“quantity” is given as a whole number"),
            ({'quantity': '5'}, "“quantity” is given as a whole number"),
            ({'quantity': True}, "“quantity” is given as a whole number"),
            ({'quantity': 10**400}, "“quantity” is given as a whole number"),
            ({'quantity': 1_000_001}, "between 1 and 1,000,000"),
            ({'price': 'x'}, "“price” is given as a number"),
            ({'price': float('nan')}, "“price” is given as a number"),
            ({'price': float('inf')}, "“price” is given as a number"),
            ({'price': -1}, ""),
            ({'prefix': 5}, "“prefix” is given as text"),
            ({'prefix': 'A B!'}, ""),
            ({'currency': 5}, "“currency” is given as text"),
            ({'currency': 'XXX'}, "no active currency XXX"),
            ({'company_ids': 'x'}, "“company_ids” is given as a list"),
            ({'company_ids': ['x']}, "“company_ids” is given as a list"),
            ({'company_id': 'x'}, "numeric ids"),
            ({'valid_till': 'x'}, "YYYY-MM-DD"),
            ({'valid_till': '20300101'}, "YYYY-MM-DD"),
            ({'valid_till': 5}, "YYYY-MM-DD"),
            ({'valid_till': '2020-01-01'}, "has passed"),
            ({'activation_required': 'yes'}, "true or false"),
            ({'validity_days': 1.5}, "“validity_days” is given as a whole number"),
            ({'for_sale': 1}, "true or false"),
            ({'alphabet': 'klingon'}, "is one of: base32, digits"),
            ({'code_length': 1}, ""),
        ):
            with self.subTest(values=values), self.assertRaisesRegex(UserError, sentence):
                self.cards.generate(**{'quantity': 1, 'price': 25, **values})
        after = self.cards.generate(1, 25)['series']
        self.assertEqual(int(after[-4:]), int(before[-4:]) + 1)

    def test_what_is_left_out_is_as_the_window_proposes(self):
        answer = self.cards.generate(3, 25)
        series = self.env['refill.card.series'].browse(answer['series_id'])
        proposed = self._generate(3, prefix=False)
        for fname in ('company_id', 'company_ids', 'valid_till', 'alphabet', 'code_length'):
            self.assertEqual(series[fname], proposed[fname])
        self.assertEqual(series.currency_id, self.company.currency_id)
        self.assertEqual(
            answer,
            {
                'series_id': series.id,
                'series': series.name,
                'quantity': 3,
                'state': 'ready',
                'first': f'{series.name}-000001',
                'last': f'{series.name}-000003',
            },
        )

    def test_a_series_is_as_it_was_asked_for(self):
        answer = self.cards.generate(
            2,
            12.5,
            currency='eur',
            prefix='shop',
            company_ids=[],
            valid_till='',
            activation_required=True,
            validity_days=90,
            for_sale=True,
            alphabet='digits',
            code_length=17,
        )
        series = self.env['refill.card.series'].browse(answer['series_id'])
        self.assertRecordValues(
            series,
            [
                {
                    'price': 12.5,
                    'currency_id': self.env.ref('base.EUR').id,
                    'prefix': 'SHOP',
                    'company_ids': [],
                    'valid_till': False,
                    'activation_required': True,
                    'validity_days': 90,
                    'for_sale': True,
                    'alphabet': 'digits',
                    'code_length': 17,
                    'create_uid': self.accountant.id,
                }
            ],
        )

    def test_the_company_that_is_named_issues_the_cards(self):
        answer = self.cards.generate(1, 25, company_id=self.other_company.id)
        series = self.env['refill.card.series'].browse(answer['series_id'])
        self.assertEqual((series.company_id, series.company_ids), (self.other_company,) * 2)

    def test_many_cards_are_made_in_the_background(self):
        answer = self.cards.generate(20_001, 25)
        self.assertEqual((answer['state'], answer['first']), ('generating', None))
        self.assertFalse(self.cards.search_count([('series_id', '=', answer['series_id'])]))

    def test_a_repeated_call_generates_no_other_series(self):
        first = self.cards.generate(1, 25, reference='order 7')
        self.assertEqual(self.cards.generate(1, 25, reference='order 7'), first)
        self.assertEqual(self.env['refill.card.series'].search_count([]), 1)
        with self.assertRaisesRegex(UserError, "used for another call"):
            self.cards.generate(2, 25, reference='order 7')


@tagged('post_install', '-at_install')
class TestApiSell(SaleCommon):
    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card'].with_user(self.accountant)
        self.series = self._generate(5)

    def _sell(self, user=None, **values):
        cards = self.cards.with_user(user) if user else self.cards
        return cards.sell(**{'partner_id': self.buyer.id, **values})

    def test_only_accountants_who_manage_the_cards_sell_them(self):
        manager = self._new_user('card_manager', 'refill_cards.group_refill_card_manager')
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        for user in (self.clerk, manager, bookkeeper, self.customer_user):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self._sell(user, series_id=self.series.id)

    def test_what_does_not_fit_is_refused_by_a_sentence(self):
        first = self.series.card_ids[0].name
        for values, sentence in (
            ({}, "Choose a series"),
            ({'partner_id': None}, "numeric ids"),
            ({'partner_id': 'x'}, "numeric ids"),
            ({'series_id': 'x'}, "numeric ids"),
            ({'series_id': self.series.id, 'quantity': 6}, "nobody has 5"),
            ({'series_id': self.series.id, 'quantity': 'x'}, "“quantity”"),
            ({'series_id': self.series.id, 'quantity': -1}, "“quantity”"),
            ({'series_id': self.series.id, 'discount': 'x'}, "“discount”"),
            ({'series_id': self.series.id, 'works': 'x'}, "is one of: now, confirmed, paid"),
            ({'series_id': self.series.id, 'works': 5}, "“works” is given as text"),
            ({'series_id': self.series.id, 'confirm': 'x'}, "“confirm” is given as true"),
            ({'first': first}, "first and the last"),
            ({'first': first, 'last': 5}, "“last” is given as text"),
            ({'first': first, 'last': 'x'}, "No card has"),
            ({'product_id': 'x'}, "numeric ids"),
            ({'product_id': self.product_a.id, 'quantity': 1}, "is a refill card"),
        ):
            with self.subTest(values=values), self.assertRaisesRegex(UserError, sentence):
                self._sell(**values)
        self.assertFalse(self.series.card_ids.reserved_line_id)

    def test_a_card_that_cannot_be_sold_is_named(self):
        card = self.series.card_ids[2]
        self._redeem(card)
        with self.assertRaisesRegex(UserError, f"{card.name}: used already"):
            self._sell(series_id=self.series.id)

    def test_a_series_is_kept_for_a_draft(self):
        answer = self._sell(series_id=self.series.id)
        invoice = self.env['account.move'].browse(answer['invoice_id'])
        self.assertEqual(
            (invoice.state, invoice.partner_id, invoice.amount_total), ('draft', self.buyer, 125)
        )
        first, last = (self.series.card_ids[number].name for number in (0, -1))
        self.assertEqual(
            answer,
            {
                'invoice_id': invoice.id,
                'invoice': None,
                'state': 'draft',
                'amount': 125,
                'currency': self.company.currency_id.name,
                'count': 5,
                'numbers': f'{first} – {last}',
            },
        )
        self.assertEqual(self.series.card_ids.reserved_line_id, invoice.invoice_line_ids)

    def test_a_range_is_sold_at_a_discount_by_a_confirmed_invoice(self):
        first, second = self.series.card_ids[1:3]
        answer = self._sell(
            first=first.name, last=second.name, discount=10, works='paid', confirm=True
        )
        invoice = self.env['account.move'].browse(answer['invoice_id'])
        self.assertEqual((answer['state'], answer['invoice']), ('posted', invoice.name))
        self.assertEqual((answer['amount'], answer['count']), (45, 2))
        self.assertEqual(invoice.refill_card_works, 'paid')
        self.assertEqual((first + second).mapped('terms'), ['sold', 'sold'])

    def test_the_next_cards_of_a_series_or_of_a_product_are_sold(self):
        answer = self._sell(series_id=self.series.id, quantity=2, confirm=True)
        self.assertEqual(answer['count'], 2)
        product = self.env['product.product']._get_refill_card_product(25, self.company.currency_id)
        self.series.for_sale = True
        draft = self._sell(product_id=product.id, quantity=2)
        self.assertEqual((draft['state'], draft['count'], draft['amount']), ('draft', 0, 50))
        answer = self._sell(product_id=product.id, quantity=2, discount=50, confirm=True)
        self.assertEqual((answer['count'], answer['amount']), (2, 25))
        with self.assertRaises(UserError):
            self._sell(product_id=product.id, quantity=2, confirm=True)

    def test_a_repeated_call_makes_no_other_invoice(self):
        values = {'series_id': self.series.id, 'quantity': 1, 'reference': 'a'}
        first = self._sell(**values)
        self.assertEqual(self._sell(**values), first)
        self.assertEqual(len(self.series.card_ids.reserved_line_id), 1)


@tagged('post_install', '-at_install')
class TestApiExport(SaleCommon, ButtonCalls, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = cls._generate(3)

    def _export_by_key(self, user, **body):
        self.authenticate(None, None)
        keys = self.env['res.users.apikeys'].with_user(user)
        key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        return self.url_open(
            '/json/2/refill.card/export', json=body, headers={'Authorization': f'Bearer {key}'}
        )

    def _export_in_session(self, **values):
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw/refill.card/export',
            {'model': 'refill.card', 'method': 'export', 'args': [], 'kwargs': values},
        )

    @mute_logger('odoo.http')
    def test_an_api_key_exports_nothing(self):
        admin = self._new_user('admin', 'base.group_system,account.group_account_manager')
        for user in (self.accountant, admin):
            response = self._export_by_key(user, series_ids=self.series.ids)
            self.assertEqual(response.status_code, 403)
            self.assertIn("An API key alone opens no codes", response.json()['message'])
        self.assertFalse(self.env['refill.card.export'].search([]))

    @mute_logger('odoo.http')
    def test_who_does_not_manage_cards_exports_nothing(self):
        for user in (self.clerk, self.employee):
            response = self._export_by_key(user, series_ids=self.series.ids)
            self.assertEqual(response.status_code, 403)

    def test_the_password_is_asked_for_and_the_answer_is_that_of_the_window(self):
        self.authenticate(self.accountant.login, self.accountant.login)
        values = {'series_ids': self.series.ids, 'reference': 'a'}
        asked = self._export_in_session(**values)
        self.assertEqual(asked['res_model'], 'res.users.identitycheck')
        self.assertFalse(self.env['refill.card.export'].search([]))
        identity = self.env[asked['res_model']].browse(asked['res_id'])
        answer = self._call_button(identity, 'run_check', {'password': self.accountant.login})
        self.assertEqual((answer['state'], answer['count'], answer['amount']), ('ready', 3, 75))
        content = self.url_open(answer['url']).text
        for card in self.series.card_ids.sudo():
            self.assertIn(f'{card.name},{card.code},25.00,', content)
        again = self._export_in_session(**values)
        self.assertEqual(again, {name: answer[name] for name in again})
        self.assertIn('export_id', again)
        self.assertEqual(self.env['refill.card.export'].search_count([]), 1)

    def test_what_does_not_fit_is_refused_by_a_sentence(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        for values, sentence in (
            ({}, "Choose a series"),
            ({'series_ids': 'x'}, "“series_ids” is given as a list"),
            ({'first': 5}, "“first” is given as text"),
            ({'series_ids': self.series.ids, 'scope': 'x'}, "is one of: redeemable, new, all"),
            ({'series_ids': self.series.ids, 'file_format': 'doc'}, "is one of: pdf, xlsx, csv"),
            ({'series_ids': self.series.ids, 'file_format': 5}, "“file_format” is given as text"),
            ({'series_ids': self.series.ids, 'csv_reader': 5}, "“csv_reader” is given as text"),
            ({'series_ids': self.series.ids, 'layout_id': 'x'}, "numeric ids"),
        ):
            with self.subTest(values=values), self.assertRaisesRegex(UserError, sentence):
                cards.export(**values)

    def test_a_range_is_exported_in_the_format_that_is_asked_for(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        first, second = self.series.card_ids[:2]
        for file_format, layout in (('xlsx', None), ('pdf', True)):
            layout_id = layout and self.env['refill.card.layout'].search([], limit=1).id
            answer = cards.export(
                first=first.name,
                last=second.name,
                scope='all',
                file_format=file_format,
                layout_id=layout_id,
            )
            export = self.env['refill.card.export'].browse(answer['export_id'])
            self.assertEqual((export.file_format, export.card_count), (file_format, 2))
            self.assertEqual(answer['name'], export.name)
