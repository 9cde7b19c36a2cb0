from datetime import timedelta

from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Date
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestValidityLaw(RefillCardCommon):
    """Where the law has cards be valid for a hundred days at least."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = cls.company._get_refill_card_day()
        cls.short, cls.long = cls.today + timedelta(days=99), cls.today + timedelta(days=100)
        cls.short_series = cls._generate(valid_till=cls.short)
        cls.inactive = cls._generate(valid_till=cls.short, activation_required=True)
        cls.counting = cls._generate(valid_till=False, activation_required=True, validity_days=99)
        laws = cls.env['refill.card.validity.law']
        laws.search([('country_id', '=', cls.company.country_id.id)]).unlink()
        cls.law = laws.create(
            {
                'country_id': cls.company.country_id.id,
                'days': 100,
                'law': "Card Act",
                'source': "https://law.example.com",
                'enforcement': 'refuse',
            }
        )

    def _assert_too_short(self, function, *args, **kwargs):
        with self.assertRaisesRegex(ValidationError, "at least 100 days.*Card Act"):
            function(*args, **kwargs)

    def test_cards_are_not_generated_for_fewer_days(self):
        self._assert_too_short(self._generate, valid_till=self.short)
        counting = {'valid_till': False, 'activation_required': True}
        self._assert_too_short(self._generate, **counting, validity_days=99)
        self._generate(valid_till=self.long)
        self._generate(valid_till=False)
        self._generate(**counting, validity_days=100)

    def test_cards_are_not_activated_for_fewer_days(self):
        for series in (self.inactive, self.counting):
            self._assert_too_short(self._change, series, 'activate')
            self._assert_too_short(self._change, series.card_ids[0], 'activate')
        self._change(self.inactive, 'extend', valid_till=self.long)
        self._change(self.inactive, 'activate')
        self.assertEqual(set(self.inactive.card_ids.mapped('state')), {'active'})

    def test_a_card_with_a_day_of_its_own_is_activated_whatever_its_series_counts(self):
        card = self.counting.card_ids[0]
        card.valid_till = self.long
        self._change(card, 'activate')
        self.assertEqual(card.state, 'active')

    def test_no_door_gives_cards_fewer_days(self):
        series = self._generate(valid_till=self.long)
        card = series.card_ids[0]
        self._assert_too_short(self._change, series, 'extend', valid_till=self.short)
        self._assert_too_short(self._change, card, 'extend', valid_till=self.short)
        self._assert_too_short(card.write, {'valid_till': self.short})
        self._assert_too_short(card.sudo().write, {'valid_till': self.short})
        self._assert_too_short(series.write, {'valid_till': self.short})
        card.valid_till = False
        self.assertFalse(card.valid_till)

    def test_sold_cards_are_activated_when_they_are_paid_whatever_the_law(self):
        cards = self.inactive.card_ids.with_user(self.accountant)
        invoice = self._sell_cards(cards, self.stranger, works='paid')
        register = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        )
        register.create({})._create_payments()
        self.assertEqual(set(cards.mapped('state')), {'active'})

    def test_programs_are_told_of_each_card_that_the_law_keeps_back(self):
        first, second, third = self.inactive.card_ids
        second.valid_till = self.long
        cards = self.env['refill.card'].with_user(self.accountant)
        answers = cards.activate(first.name, third.name)
        self.assertEqual([answer['reason'] for answer in answers], ['law', None, 'law'])
        self.assertIn("at least 100 days", answers[0]['message'])
        self.assertEqual(second.state, 'active')
        self.assertEqual(first.state, 'inactive')

    def test_days_count_from_the_sale(self):
        card = self.short_series.card_ids[0]
        card.sudo()._operating().write({'terms': 'given', 'handed_out_on': self.today})
        self._assert_too_short(card.write, {'valid_till': self.short})
        card.sudo()._operating().write({'handed_out_on': self.today - timedelta(days=1)})
        card.valid_till = self.today + timedelta(days=99)
        self.assertEqual(card.valid_till, self.short)

    def test_the_law_of_the_country_of_the_issuer_counts(self):
        self.law.country_id = self.env.ref('base.is')
        self._generate(valid_till=self.short)
        self._change(self.inactive, 'activate')

    def test_an_archived_law_does_not_count(self):
        self.law.active = False
        self._generate(valid_till=self.short)

    def test_windows_warn_and_let_pass(self):
        self.law.enforcement = 'warn'
        windows = self.env['refill.card.generate'].with_user(self.accountant)
        window = windows.create({'valid_till': self.short})
        self.assertIn("at least 100 days", window.law_warning)
        window.valid_till = self.long
        self.assertFalse(window.law_warning)
        window.write({'activation_required': True, 'validity_days': 99})
        self.assertTrue(window.law_warning)
        for series, operation, values in (
            (self.inactive, 'activate', {}),
            (self.counting, 'activate', {}),
            (self.short_series, 'extend', {'valid_till': self.short}),
        ):
            window = self._wizard(series, operation, **values)
            self.assertIn("Card Act", window.law_warning)
            window.action_confirm()
        self.assertEqual(set(self.counting.card_ids.mapped('state')), {'active'})
        window = self._wizard(self.short_series, 'extend', valid_till=self.long)
        self.assertFalse(window.law_warning)
        self.assertFalse(self._wizard(self.short_series, 'disable').law_warning)

    def test_forms_warn_of_a_day_that_is_typed(self):
        card = self.short_series.card_ids[0]
        for record in (card, self.short_series):
            for day, warned in ((self.short, True), (self.long, False), (False, False)):
                values = {'valid_till': Date.to_string(day) if day else False}
                spec = {'valid_till': {}, 'company_id': {}}
                if record == card:
                    del spec['company_id']
                result = record.onchange(values, ['valid_till'], spec)
                self.assertEqual('Card Act' in str(result.get('warning')), warned)

    def test_only_accountants_change_laws(self):
        laws = self.law.with_user(self.clerk)
        self.assertEqual(laws.read(['days'])[0]['days'], 100)
        with self.assertRaises(AccessError):
            laws.days = 1
        self.law.with_user(self.accountant).days = 99
        self._generate(valid_till=self.short)

    def test_what_the_addon_brings_along_names_its_source_and_day(self):
        for country in ('au', 'br', 'ie', 'nz'):
            law = self.env.ref(f'refill_cards.refill_card_validity_law_{country}')
            self.assertEqual(law.enforcement, 'warn')
            self.assertTrue(law.source.startswith('https://'))
            self.assertLessEqual(law.checked_on, Date.today())
