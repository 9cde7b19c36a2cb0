"""Codes of other systems beside ours: how people type them, and guess them."""

import string
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.tests import BaseCase, tagged

from ..refill_cards import codes, foreign
from ..refill_cards.foreign import ForeignFormat, Strength
from .import_common import SPLYNX, ImportCommon

LETTERS = string.ascii_letters + string.digits
OWN = codes.Format('base32', 12, 'QUICK')


class TestForeignCodes(BaseCase):
    @given(
        st.lists(st.text(LETTERS, min_size=1, max_size=9), min_size=1, max_size=5),
        st.sampled_from('-._/ '),
        st.sampled_from(foreign.CASES),
        st.data(),
    )
    @settings(deadline=None)
    def test_what_people_type_finds_the_code(self, groups, separator, case, data):
        printed = separator.join(groups)
        try:
            code, _characters = foreign.read(printed, case)
        except foreign.NoCode:
            return
        fmt = ForeignFormat(case, (foreign.tell_form(code),))
        typed = data.draw(
            st.sampled_from(
                [
                    printed,
                    ''.join(groups),
                    ' '.join(groups),
                    '\N{EN DASH}'.join(groups),
                    f'  {printed}\n',
                    f'https://example.com/my/refill#{"-".join(groups)}',
                ]
            )
        )
        self.assertIn(code, codes.read(typed, [fmt, OWN]))
        if case != 'exact':
            self.assertIn(code, codes.read(typed.swapcase(), [fmt]))

    def test_case_matters_where_it_did(self):
        fmt = ForeignFormat('exact', ('8',))
        self.assertEqual(codes.read('irfUPbEZ', [fmt]), {'irfUPbEZ'})
        self.assertEqual(codes.read('IRFUPBEZ', [fmt]), {'IRFUPBEZ'})
        fmt = ForeignFormat('upper', ('8',))
        self.assertEqual(codes.read('irfUPbEZ', [fmt]), {'IRFUPBEZ'})

    def test_o_and_0_are_not_the_same_in_them(self):
        fmt = ForeignFormat('exact', ('6',))
        self.assertEqual(codes.read('O0OIl1', [fmt]), {'O0OIl1'})

    def test_what_fits_no_form_is_a_typing_error(self):
        fmt = ForeignFormat('exact', ('4-4', '6'), digits_only=True)
        for text in ('1234567', '123456789', 'abcdef', '12345a', ''):
            with self.subTest(text=text), self.assertRaises(codes.Typo):
                codes.read(text, [fmt])
        self.assertEqual(codes.read('12345678', [fmt]), {'1234-5678'})
        self.assertEqual(codes.read('\N{ARABIC-INDIC DIGIT ONE}23456', [fmt]), {'123456'})

    def test_own_codes_are_read_beside_them(self):
        [body] = OWN.generate(1)
        fmt = ForeignFormat('exact', ('18', '6-11-8'))
        self.assertEqual(
            codes.read(OWN.display(body), [fmt, OWN]), {body, OWN.display(body).replace('-', '')}
        )

    def test_they_are_shown_as_they_were_printed_and_masked(self):
        fmt = ForeignFormat('exact', ('6-11-8',))
        code = '202201-QuickAccess-irfUPbEZ'
        self.assertEqual(fmt.display(code), code)
        self.assertEqual(fmt.mask(code), '••••••-•••••••••••-••••PbEZ')
        self.assertEqual(set(fmt.nothing()), {'•'})

    def test_a_damaged_one_is_found_by_what_is_readable(self):
        fmt = ForeignFormat('exact', ('6-11-8',))
        pattern = fmt.pattern('202201QuickAccess-irf?P??Z')
        self.assertTrue(pattern.fullmatch('202201-QuickAccess-irfUPbEZ'))
        self.assertFalse(pattern.fullmatch('202201-QuickAccess-irfUPbEz'))
        for text in ('202201-QuickAccess-irf', '?????????????????????????'):
            with self.subTest(text=text), self.assertRaises(codes.Typo):
                fmt.pattern(text)

    def test_cards_made_for_such_a_series_have_codes_of_ours(self):
        fmt = ForeignFormat('exact', ('8',))
        [body] = fmt.generate(1)
        self.assertEqual(codes.read(fmt.display(body), [fmt]), {body})
        self.assertEqual(fmt.display(body).count('-'), 2)
        self.assertTrue(fmt.mask(body).endswith(body[-4:]))

    # -------------------------------------------------------------------------
    # HOW HARD THEY ARE TO GUESS
    # -------------------------------------------------------------------------

    def _rate(self, *texts, others=0):
        strength = Strength()
        strength.add(texts)
        return strength.guessing_probability(others)

    def test_what_codes_have_alike_is_no_secret(self):
        alike = self._rate('202201QuickAccessirfUP', '202201QuickAccessKmPqT')
        short = self._rate('irfUP', 'KmPqT')
        self.assertEqual(alike, short)
        self.assertEqual(alike, 2 * codes.GUESSES_A_YEAR / (52 * 26 * 52 * 52 * 26))

    def test_numbers_that_follow_each_other_are_found_for_certain(self):
        self.assertEqual(self._rate(*(f'10000{number:05}' for number in range(100))), 1)

    def test_only_characters_that_are_seen_count_where_there_are_enough(self):
        few = self._rate('0123abcd', 'beef4567')
        hexadecimal = [f'{number * 2654435761 % 2**32:08x}' for number in range(1, 1_001)]
        many = self._rate(*hexadecimal)
        self.assertAlmostEqual(many, 1_000 * codes.GUESSES_A_YEAR / 16**8, places=8)
        self.assertLess(few, many / 100)

    def test_a_place_counts_for_what_stands_there(self):
        told = [f'{n % 2}{n * 2654435761 % 2**32:08x}' for n in range(1, 1_001)]
        self.assertAlmostEqual(
            self._rate(*told) / (1_000 * codes.GUESSES_A_YEAR / (2 * 16**8)), 1, places=2
        )

    def test_a_beginning_that_many_codes_share_is_known(self):
        told = [f'{n % 10}' * 4 + f'{n * 2654435761 % 2**32:08x}' for n in range(1, 2_501)]
        self.assertAlmostEqual(
            self._rate(*told) / (250 * codes.GUESSES_A_YEAR / 16**8), 1, places=2
        )

    def test_more_cards_that_look_alike_are_found_more_easily(self):
        self.assertGreater(self._rate('aB3xK9mQ2z', others=9), self._rate('aB3xK9mQ2z') * 9.9)

    def test_it_is_put_together_batch_by_batch(self):
        strength, whole = Strength(), Strength()
        every = [f'{number * 7919:07}x' for number in range(100)]
        whole.add(every)
        for start in range(0, 100, 7):
            strength.add(every[start : start + 7])
        self.assertEqual(strength.guessing_probability(), whole.guessing_probability())


@tagged('post_install', '-at_install')
class TestImportTyped(ImportCommon):
    def setUp(self):
        super().setUp()
        self.record = self._import(SPLYNX)
        self.cards = self.env['refill.card'].with_user(self.clerk)

    def _get_lockout(self):
        self.env.invalidate_all()
        lockouts = self.env['refill.card.lockout'].sudo()
        return lockouts.search([('partner_id', '=', self.customer.id)])

    def test_however_it_is_typed_it_is_the_card(self):
        for typed in (
            '202201-QuickAccess-irfUPbEZ',
            '202201QuickAccessirfUPbEZ',
            ' 202201 QuickAccess irfUPbEZ ',
            '202201\N{EN DASH}QuickAccess\N{EN DASH}irfUPbEZ.',
        ):
            with self.subTest(typed=typed):
                self.assertTrue(self.cards.check_code(typed)['redeemable'])

    def test_of_two_that_differ_by_case_the_one_that_was_typed_is_redeemed(self):
        self._import("Code,Price\nabcDEF77,1\nABCdef77,2\n", preset='other')
        for typed, price in (('abcDEF77', 1), ('abc-DEF77', 1), ('ABCdef77', 2)):
            with self.subTest(typed=typed):
                self.assertEqual(self.cards.check_code(typed)['amount'], price)
        answers = self.cards.redeem_codes(['ABCdef77', 'abc-DEF77'], self.customer.id)
        self.assertEqual([answer['amount'] for answer in answers], [2, 1])

    def test_another_case_is_another_code(self):
        self._assert_refused(
            'unknown', self.cards.redeem_code, '202201-QUICKACCESS-IRFUPBEZ', self.customer.id
        )

    def test_a_wrong_one_is_a_guess_and_each_case_of_it_is_another(self):
        self.env['ir.config_parameter'].set_param('refill_cards.short_guesses', '5')
        wrong = '202201-QuickAccess-irfUPbEX'
        for typed in (wrong, wrong.upper()):
            self._assert_refused('unknown', self.cards.redeem_code, typed, self.customer.id)
        self._assert_refused('unknown', self.cards.redeem_code, wrong, self.customer.id)
        self.assertEqual(len(self._get_lockout().last_unknown.split()), 2)

    def test_two_wrong_codes_that_could_be_guessed_lock_out(self):
        self.assertTrue(self.record.series_ids.mapped('has_short_codes'))
        for ending in ('X', 'Y'):
            self._assert_refused(
                'unknown',
                self.cards.redeem_code,
                f'202201-QuickAccess-irfUPbE{ending}',
                self.customer.id,
            )
        self.assertTrue(self._get_lockout().is_locked)

    def test_five_of_ours_lock_out_still(self):
        fmt = self._generate_card().series_id._get_format()
        for number, body in enumerate(fmt.generate(5), start=1):
            self._assert_refused(
                'unknown', self.cards.redeem_code, fmt.display(body), self.customer.id
            )
            self.assertEqual(self._get_lockout().is_locked, number == 5)

    def test_our_own_cards_are_found_and_mistyped_as_before(self):
        ours = self._generate_card().sudo()
        self.assertTrue(self.cards.check_code(ours.code)['redeemable'])
        self._assert_refused('typo', self.cards.redeem_code, ours.code[:-1], self.customer.id)

    def test_one_look_up_finds_whatever_it_is(self):
        self.cards.check_code('202201-QuickAccess-irfUPbEZ')
        self.env.invalidate_all()
        looked = []
        get_ids = type(self.env['refill.card.code'])._get_ids
        with patch.object(
            type(self.env['refill.card.code']),
            '_get_ids',
            lambda model, *args: looked.append(args) or get_ids(model, *args),
        ):
            self.cards.check_code('202201-QuickAccess-irfUPbEZ')
        self.assertEqual(len(looked), 1)

    def test_a_customer_redeems_one_in_the_portal_service(self):
        payment = (
            self.env['refill.card']
            .sudo()
            ._redeem_code(
                '202201 quickaccess'.replace('quickaccess', 'QuickAccess') + ' KmPqTzWx',
                self.customer,
                self.company,
                channel='portal',
            )
        )
        self.assertEqual(payment.amount, 25)

    def test_many_codes_at_once_are_found_too(self):
        ours = self._generate_card().sudo()
        answers = self.cards.redeem_codes(
            ['202201-QuickAccess-irfUPbEZ', ours.code, '202201-QuickAccess-aBcDeFgH'],
            self.customer.id,
        )
        self.assertEqual([answer.get('reason') for answer in answers], [None, None, 'used'])


@tagged('post_install', '-at_install')
class TestImportLookUp(ImportCommon):
    def _count_queries(self, code):
        cards = self.env['refill.card'].with_user(self.clerk)
        cards.check_code(code)
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.assertTrue(cards.check_code(code)['redeemable'])
        return self.env.cr.sql_log_count - before

    def test_codes_of_others_cost_no_query_more(self):
        ours = self._generate_card().sudo()
        before = self._count_queries(ours.code)
        for code in ('aB3xK-9mQ2z', '0441-b5a6-4c72-11ee', 'kT7Qm2xPz', '7f3c9d.21aa'):
            self._import(f"Code,Price\n{code},25\n", preset='other')
        self.assertEqual(self._count_queries(ours.code), before)
        self.assertEqual(self._count_queries('0441-b5a6-4c72-11ee'), before)
