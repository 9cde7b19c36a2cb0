"""What staff type or scan: serial numbers, codes and links, into windows and search boxes."""

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon

ARABIC = str.maketrans('0123456789', '\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669')


@tagged('post_install', '-at_install')
class TestFind(RefillCardCommon):
    def _ways(self, serial):
        """Return ways to type a serial number."""
        return (
            serial,
            serial.lower(),
            f' {serial}. ',
            serial.replace('-', ''),
            serial.replace('-', ' '),
            serial.replace('-', '\N{EN DASH}'),
            serial.replace('-', '/'),
            serial.translate(ARABIC),
            f'https://example.com/my/refill#{serial}',
        )

    def _links(self, card):
        """Return a card's code, and the links with which it may be scanned."""
        code = card.sudo().code
        return (
            code,
            f'{code.lower()}.',
            f'https://example.com/my/refill#{code}',
            f'HTTP://192.168.0.1:8069/MY/REFILL#{code}',
            f'/my/refill#{code}',
        )

    def _type(self, text):
        """Return the card that the clerk's window shows for what is typed."""
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        spec = {'typed': {}, 'typed_refusal': {}, 'card_id': {}, 'refusal': {}}
        values = wizards.onchange({'typed': text}, ['typed'], spec)['value']
        return values.get('card_id') or values.get('refusal')

    def test_the_window_finds_a_card_by_serial_number_code_and_link(self):
        card = self._generate_card()
        for text in (*self._ways(card.name), *self._links(card)):
            with self.subTest(text=text):
                self.assertEqual(self._type(text), card.id)
        self.assertFalse(self.env['refill.card.attempt'].search([]))

    def test_a_range_takes_serial_numbers_codes_and_links(self):
        first, _second, last = self._generate(3).card_ids
        for one, other in zip(self._ways(first.name), self._ways(last.name), strict=True):
            with self.subTest(text=one):
                self.assertEqual(self._range(one, other, operation='deactivate').card_count, 3)
        for one, other in zip(self._links(first), self._links(last), strict=True):
            self.assertEqual(self._range(one, other, operation='deactivate').card_count, 3)

    def test_the_search_box_takes_serial_numbers_codes_and_links(self):
        card, *others = self._generate(3).card_ids
        cards = self.env['refill.card'].with_user(self.clerk)
        for text in (*self._ways(card.name), *self._links(card)):
            with self.subTest(text=text):
                self.assertEqual(cards.search([('display_name', '=', text)]).ids, card.ids)
        beginning = card.name.rpartition('-')[0]
        found = cards.search([('display_name', '=', beginning)])
        self.assertEqual(set(found.ids), {card.id, *(other.id for other in others)})
        self.assertFalse(cards.search([('display_name', '=', '%')]))

    def test_the_history_is_searched_as_the_cards_are(self):
        card = self._generate_card()
        self._redeem(card)
        events = self.env['refill.card.event'].with_user(self.accountant)
        for text in (card.name.replace('-', ''), *self._links(card)):
            with self.subTest(text=text):
                self.assertEqual(events.search([('card_id.display_name', '=', text)]).card_id, card)

    def test_the_api_takes_a_link_and_no_serial_number(self):
        card = self._generate_card()
        cards = self.env['refill.card'].with_user(self.clerk)
        for text in self._ways(card.name):
            with self.subTest(text=text), self.assertRaises(UserError):
                cards.redeem_code(text, self.customer.id)
        result = cards.redeem_code(self._links(card)[3], self.customer.id)
        self.assertEqual(result['serial'], card.name)

    def test_a_link_with_an_unknown_code_is_counted_as_one(self):
        [body] = self._generate_card().series_id._get_format().generate(1)
        self.assertIn("no card with this code", self._type(f'https://example.com/my/refill#{body}'))
        self.assertEqual(self.env['refill.card.attempt'].search([]).reason, 'unknown')

    def test_serial_numbers_follow_the_company_s_own_format(self):
        sequence = self.env.ref('refill_cards.sequence_refill_card_series')
        for prefix in ('RC/%(y)s/', 'lot_', 'Straße #', '\u5e8f\u5217.', 'A-B-'):
            sequence.prefix = prefix
            card = self._generate_card()
            for text in self._ways(card.name)[:4]:
                with self.subTest(text=text):
                    self.assertEqual(self._type(text), card.id)

    def test_two_series_that_read_alike_are_told_apart_by_the_dash(self):
        one, other = self._generate_card(), self._generate_card()
        one.series_id.sudo().name, other.series_id.sudo().name = '7-77', '77-7'
        one.sudo()._operating().name = '7-77-000001'
        other.sudo()._operating().name = '77-7-000001'
        self.assertEqual(self._type('7-77-000001'), one.id)
        self.assertEqual(self._type('77-7-000001'), other.id)
        self.assertIsInstance(self._type('777000001'), str)

    def test_a_card_that_moved_to_another_series_keeps_its_serial_number(self):
        first, *_others = self._generate(3).card_ids
        self._change(first, 'companies', company_ids=[Command.set(self.company.ids)])
        self.assertNotIn(first.series_id.name, first.name)
        self.assertEqual(self._type(first.name.replace('-', '')), first.id)

    def test_a_serial_number_out_of_sight_finds_nothing(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        for text in self._ways(card.name):
            with self.subTest(text=text):
                self.assertIsInstance(self._type(text), str)
        cards = self.env['refill.card'].with_user(self.clerk)
        self.assertFalse(cards.search([('display_name', 'in', self._ways(card.name))]))
        with self.assertRaises(AccessError):
            self.env['refill.card'].with_user(self.employee).search([('display_name', '=', 'x')])

    def test_staff_are_told_that_there_is_no_such_serial_number(self):
        hidden = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        visible = self._generate_card()
        for text in (*self._ways(hidden.name), visible.name[:-1] + '9'):
            with self.subTest(text=text):
                self.assertRegex(self._type(text), "no card with this serial number")
        self.assertRegex(self._type("2026 nonsense"), "not a card's code")

    def test_a_mistyped_serial_number_in_a_range_is_said_at_once(self):
        wizards = self.env['refill.card.change'].with_user(self.accountant)
        result = wizards.onchange({'first': '2026-9999-000001'}, ['first'], {'first': {}})
        self.assertIn("No card has the serial number", result['warning']['message'])

    def test_the_window_says_before_a_customer_is_chosen_that_a_card_will_be_refused(self):
        used, inactive = self._generate_card(), self._generate_card(activation_required=True)
        expired, disabled = self._generate_card(), self._generate_card()
        self._redeem(used)
        expired.sudo()._operating().valid_till = '2026-01-31'
        self._change(disabled, 'disable', reason='lost')
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        for card, sentence in (
            (used, "already used"),
            (inactive, "not active yet"),
            (expired, "valid till"),
            (disabled, "was disabled"),
        ):
            with self.subTest(sentence=sentence):
                self.assertIn(sentence, wizards.create({'card_id': card.id}).refusal)

    def test_codes_are_read_in_the_formats_of_today(self):
        series = self.env['refill.card.series']
        self.assertEqual(set(series._get_formats()), set(series._read_formats()))
        made = self._generate(1, alphabet='digits', code_length=18, prefix='NEW')
        card = made.card_ids
        typed = card.sudo().code.replace('NEW', 'NEWER')
        self.assertEqual(self._search_typed(card.sudo().code), card)
        self.assertFalse(self._search_typed(typed))
        made.write({'prefix': 'NEWER'})
        self.assertEqual(self._search_typed(typed), card)
        self.assertEqual(set(series._get_formats()), set(series._read_formats()))
        made.unlink()
        self.assertEqual(set(series._get_formats()), set(series._read_formats()))

    def test_a_code_is_read_though_another_thread_made_its_format_just_now(self):
        card = self._generate_card()
        self.env['refill.card.series']._get_formats()
        self.env.flush_all()
        self.cr.execute("UPDATE refill_card_series SET prefix = 'ANOTHER'")
        self.env.invalidate_all()
        typed = card.sudo().code
        self.assertTrue(typed.startswith('ANOTHER'))
        self.assertEqual(self._search_typed(typed), card)

    def _search_typed(self, typed):
        """Return the card that a clerk finds by a typed code."""
        found = self.env['refill.card'].with_user(self.clerk).search([('code', '=', typed)])
        return found.with_env(self.env)

    def test_a_card_is_found_by_its_code_with_few_queries(self):
        code = self._generate_card().sudo().code
        cards = self.env['refill.card'].with_user(self.clerk)
        cards._find_by_code(code, self.customer, channel='backend')
        self.env.flush_all()
        cards.invalidate_model()
        self.env['refill.card.lockout'].invalidate_model()
        # Holding the counts, between two statements of the test's second transaction, and the card.
        with self.assertQueryCount(4):
            cards._find_by_code(code, self.customer, channel='backend')
