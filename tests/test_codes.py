"""The codes themselves: pure Python, no database."""

import base64
import time
from collections import Counter
from itertools import pairwise

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odoo.tests import BaseCase
from stdnum import luhn

from ..refill_cards import codes

LENGTHS = [(alphabet, length) for alphabet in codes.ALPHABETS for length in codes.LENGTHS[alphabet]]
# What people and machines put between characters, or what sticks to them when they paste.
SEPARATORS = [
    *' \t\n\r\v\f',
    *'\u00a0\u1680\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u2028\u2029',
    *'\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f',
    *'-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d',
]
LOOK_ALIKES = dict.fromkeys('O0', 'Oo0') | dict.fromkeys('IL1', 'IiLl1')
# The zeros of full-width, Arabic-Indic, Persian, Devanagari, Bengali, Thai and bold digits.
ZEROS = '0\uff10\u0660\u06f0\u0966\u09e6\u0e50\U0001d7ce'

thoroughly = settings(deadline=None, derandomize=True, max_examples=100, database=None)
prefixes = st.text('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', max_size=codes.PREFIX_LENGTH)
formats = st.builds(
    lambda pair, prefix: codes.Format(*pair, prefix), st.sampled_from(LENGTHS), prefixes
)


@st.composite
def bodies(draw, fmt):
    """Draw a body of the format."""
    length = fmt.length
    random = draw(st.text(fmt.characters, min_size=length, max_size=length))
    return random + luhn.calc_check_digit(random, alphabet=fmt.characters)


@st.composite
def typed(draw, text):
    """Draw a way in which somebody may type a printed code."""
    pieces = []
    for character in text.replace('-', ''):
        ways = list(LOOK_ALIKES.get(character, character + character.lower()))
        if character.isdigit():
            ways += [chr(ord(zero) + int(character)) for zero in ZEROS]
        else:
            ways += [chr(ord(way) - 0x21 + 0xFF01) for way in (character, character.lower())]
        pieces.append(draw(st.text(SEPARATORS, max_size=2)))
        pieces.append(draw(st.sampled_from(ways)))
    pieces.append(draw(st.text(SEPARATORS, max_size=2)))
    return ''.join(pieces)


class TestGenerating(BaseCase):
    def test_a_body_has_the_length_the_alphabet_and_the_check_character_of_its_format(self):
        for alphabet, length in LENGTHS:
            fmt = codes.Format(alphabet, length)
            made = fmt.generate(100)
            self.assertEqual(len(made), 100)
            for body in made:
                self.assertEqual(len(body), length + 1)
                self.assertLessEqual(set(body), set(codes.ALPHABETS[alphabet]))
                self.assertEqual(luhn.validate(body, alphabet=codes.ALPHABETS[alphabet]), body)

    def test_no_body_comes_twice(self):
        for alphabet in codes.ALPHABETS:
            fmt = codes.Format(alphabet, codes.DEFAULT_LENGTHS[alphabet])
            self.assertEqual(len(set(fmt.generate(5_000) + fmt.generate(5_000))), 10_000)

    def test_no_bodies_are_generated_when_none_are_wanted(self):
        self.assertEqual(codes.Format('base32', 12).generate(0), [])

    def test_every_character_is_equally_likely_in_every_place(self):
        for alphabet, characters in codes.ALPHABETS.items():
            length = codes.DEFAULT_LENGTHS[alphabet]
            made = codes.Format(alphabet, length).generate(20_000)
            for place in range(length):
                counts = Counter(body[place] for body in made)
                expected = len(made) / len(characters)
                chi_square = sum((counts[char] - expected) ** 2 / expected for char in characters)
                # With 31 or 9 degrees of freedom, chance exceeds this once in 10^12 runs.
                self.assertLess(chi_square, 130, f'{alphabet}, place {place}')

    def test_no_digit_is_favoured_by_leaving_bytes_over(self):
        # 256 is no multiple of 10: without the rejection 0 to 5 would come 26 times and 6 to 9
        # 25 times in 256, which 2 million characters tell from chance.
        text = ''.join(body[:-1] for body in codes.Format('digits', 20).generate(100_000))
        counts = Counter(text)
        low = sum(counts[digit] for digit in '012345')
        self.assertAlmostEqual(low / len(text), 0.6, delta=0.0035)  # ten standard deviations

    def test_neighbouring_bodies_have_nothing_in_common(self):
        # The expected number of equal characters in equal places is 1 in 32.
        made = codes.Format('base32', 12).generate(5_000)
        equal = sum(
            one == other
            for first, second in pairwise(made)
            for one, other in zip(first[:12], second[:12], strict=True)
        )
        self.assertAlmostEqual(equal / (12 * 4_999), 1 / 32, delta=0.0072)  # ten deviations


class TestReading(BaseCase):
    @thoroughly
    @given(st.data(), st.lists(formats, min_size=1, max_size=6))
    def test_what_is_printed_is_read_back_however_it_is_typed(self, data, several):
        fmt = several[0]
        body = data.draw(bodies(fmt))
        text = data.draw(st.sampled_from([fmt.display(body), body]))
        way = data.draw(typed(text))
        self.assertIn(body, codes.read(way, several))
        self.assertEqual(codes.read(way, [fmt]), {body})

    def test_every_kind_of_separator_may_stand_anywhere(self):
        fmt = codes.Format('base32', 12, 'QUICK')
        [body] = fmt.generate(1)
        for separator in SEPARATORS:
            with self.subTest(separator=f'U+{ord(separator):04X}'):
                text = separator + separator.join(f'QUICK{body}') + separator
                self.assertEqual(codes.read(text, [fmt]), {body})

    def test_a_prefix_with_look_alikes_is_read_however_it_is_typed(self):
        fmt = codes.Format('base32', 12, 'OIL0')
        [body] = fmt.generate(1)
        for prefix in ('OIL0', 'oilo', '0110', 'O1L0', 'OLIO', 'ｏｉｌ０'):
            self.assertEqual(codes.read(f'{prefix}-{body}', [fmt]), {body}, prefix)

    def test_of_a_link_only_the_fragment_is_read(self):
        fmt = codes.Format('base32', 12, 'QUICK')
        [body] = fmt.generate(1)
        printed = fmt.display(body)
        for link in (
            f'https://example.com/my/refill#{printed}',
            f'HTTP://EXAMPLE.COM:8069/MY/REFILL#{printed.lower()}',
            f'example.com/my/refill#{printed}',
            f'/my/refill?db=one&lang=de#{printed}',
            f'https://{"very-" * 50}long.example.com/my/refill#{printed}',
            f'https://example.com/my/refill#{"".join(f"%{ord(each):02X}" for each in printed)}',
            f'#{printed}',
            f' https://example.com/my/refill#{printed}. ',
        ):
            with self.subTest(link=link):
                self.assertEqual(codes.read(link, [fmt]), {body})
                self.assertTrue(fmt.pattern(link).fullmatch(body))

    def test_a_link_without_a_code_or_with_another_one_is_a_typo(self):
        fmt = codes.Format('base32', 12, 'QUICK')
        [body] = fmt.generate(1)
        for link in (
            'https://example.com/my/refill',
            'https://example.com/my/refill#',
            'https://example.com/my/refill#%',
            f'https://example.com/my/refill/{body}',
            f'https://example.com/my/refill#code={body}',
            f'https://example.com/#{body}#{body}',
            f'https://example.com/my/refill#{body[1:]}',
            f'https://{"very-" * 500}long.example.com/my/refill#{body}',
        ):
            with self.subTest(link=link), self.assertRaises(codes.Typo):
                codes.read(link, [fmt])

    def test_a_full_stop_behind_is_no_part_of_a_code(self):
        fmt = codes.Format('base32', 12, 'QUICK')
        [body] = fmt.generate(1)
        for end in ('.', '. ', '...', '\u3002', '\u06d4', '\uff0e'):
            with self.subTest(end=end):
                self.assertEqual(codes.read(fmt.display(body) + end, [fmt]), {body})
        with self.assertRaises(codes.Typo):
            codes.read(f'.{body}', [fmt])

    def test_a_serial_number_is_cut_into_its_series_and_its_number_however_it_is_typed(self):
        for text in (
            '2026-0001-000123',
            ' 2026-0001-000123. ',
            '20260001000123',
            '2026 0001 000123',
            '2026\u20130001\u2014000123',
            '2026/0001/000123',
            '\u0662\u0660\u0662\u0666-\u0660\u0660\u0660\u0661-\u0660\u0660\u0660\u0661\u0662\u0663',
            'https://example.com/my/refill#2026-0001-000123',
        ):
            with self.subTest(text=text):
                self.assertIn(('20260001', '000123'), codes.read_serial(text, [6]))
        self.assertEqual(
            codes.read_serial('lot 7/a-1000000', [6, 7]),
            [('10T7A1', '000000'), ('10T7A', '1000000')],
        )
        self.assertIn(('10T7', '000001'), codes.read_serial('Lot #7-000001', [6]))

    def test_what_cannot_be_a_serial_number_is_cut_into_nothing(self):
        for text in (
            '',
            '.',
            '000123',
            'TOUR',
            '2026-0001-00012X',
            '#',
            '1' * 129,
            '1#' * 2_000,
            '🃏' * 300,
        ):
            with self.subTest(text=text):
                self.assertEqual(codes.read_serial(text, [6]), [])

    def test_a_code_that_fits_two_formats_is_read_as_both(self):
        # A zero in front adds nothing to the check sum, so both readings are valid.
        long, short = codes.Format('digits', 15), codes.Format('digits', 14, '0')
        [body] = short.generate(1)
        self.assertEqual(codes.read(f'0{body}', [long, short]), {f'0{body}', body})
        self.assertEqual(codes.read(f'0{body}', [short]), {body})
        self.assertEqual(codes.read(f'0{body}', [long]), {f'0{body}'})

    @thoroughly
    @given(st.data(), formats)
    def test_every_single_wrong_character_is_a_typo(self, data, fmt):
        body = data.draw(bodies(fmt))
        for place, right in enumerate(body):
            for wrong in set(fmt.characters) - {right}:
                with self.assertRaises(codes.Typo):
                    codes.read(body[:place] + wrong + body[place + 1 :], [fmt])

    def test_swapped_neighbours_are_a_typo_but_for_the_first_and_the_last_of_the_alphabet(self):
        for alphabet, characters in codes.ALPHABETS.items():
            fmt = codes.Format(alphabet, codes.DEFAULT_LENGTHS[alphabet])
            missed, swaps = set(), 0
            for body in fmt.generate(2_000):
                for place, (one, other) in enumerate(pairwise(body)):
                    if one == other:
                        continue
                    swaps += 1
                    swapped = body[:place] + other + one + body[place + 2 :]
                    if fmt.match(swapped):
                        missed.add(one + other)
            # What the Luhn algorithm is known not to notice: 09 and 90, or 0Z and Z0.
            first, last = characters[0], characters[-1]
            self.assertEqual(missed, {first + last, last + first})
            self.assertGreater(swaps, 20_000)

    def test_all_but_a_few_swaps_of_letters_and_digits_are_noticed(self):
        fmt = codes.Format('base32', 12)
        noticed = swaps = 0
        for one in fmt.characters:
            for other in set(fmt.characters) - {one}:
                body = (one + other) * 6
                body += luhn.calc_check_digit(body, alphabet=fmt.characters)
                swaps += 1
                noticed += fmt.match(other + one + body[2:]) is None
        self.assertEqual((swaps, noticed), (32 * 31, 32 * 31 - 2))

    def test_a_missing_or_an_extra_character_is_a_typo(self):
        for alphabet, length in LENGTHS:
            fmt = codes.Format(alphabet, length, 'QUICK')
            [body] = fmt.generate(1)
            for place in range(len(body)):
                shorter = body[:place] + body[place + 1 :]
                longer = body[:place] + fmt.characters[place % 10] + body[place:]
                for wrong in (shorter, longer):
                    with self.assertRaises(codes.Typo):
                        codes.read(fmt.display(wrong), [fmt])
                    with self.assertRaises(codes.Typo):
                        codes.read(wrong, [fmt])

    def test_another_prefix_or_a_part_of_it_is_a_typo(self):
        fmt = codes.Format('base32', 12, 'QUICK')
        [body] = fmt.generate(1)
        for prefix in ('SLOW', 'QUIC', 'UICK', 'QUICKQUICK', 'QUICKE', 'K', 'QUIKC'):
            with self.assertRaises(codes.Typo, msg=prefix):
                codes.read(f'{prefix}-{body}', [fmt])
        with self.assertRaises(codes.Typo):
            codes.read(f'{body}-QUICK', [fmt])
        with self.assertRaises(codes.Typo):
            codes.read(f'QUICK-{body}', [codes.Format('base32', 12)])

    def test_a_letter_that_no_code_has_is_a_typo(self):
        fmt = codes.Format('base32', 12)
        [body] = fmt.generate(1)
        for letter in 'Uu*?.,;:/\\\'"%&=+<>()[]{}#@!$^~|_äñЯ字\0':
            with self.subTest(letter=letter), self.assertRaises(codes.Typo):
                codes.read(letter + body[1:], [fmt])
        digits = codes.Format('digits', 16)
        [body] = digits.generate(1)
        with self.assertRaises(codes.Typo):
            codes.read('A' + body[1:], [digits])

    def test_text_that_is_no_code_is_a_typo_and_quickly_so(self):
        every = [codes.Format(*pair, prefix) for pair in LENGTHS for prefix in ('', 'QUICK')]
        started = time.process_time()
        for text in (
            '',
            ' ',
            '-' * 128,
            '\0',
            '\0' * 128,
            '\ud800' * 13,
            '🎁' * 14,
            '👨\u200d👩\u200d👧',
            'e\u0301' * 64,
            '\ufdfa' * 128,  # the one character that compatibility turns into eighteen
            '0' * 129,
            "'; DROP TABLE refill_card; --",
            '%' * 128,
            '7' * 10_000_000,
            '\u202e' * 10_000_000,
        ):
            with self.subTest(text=text[:20]), self.assertRaises(codes.Typo):
                codes.read(text, every)
        self.assertLess(time.process_time() - started, 1)

    def test_without_any_series_everything_is_a_typo(self):
        [body] = codes.Format('base32', 12).generate(1)
        with self.assertRaises(codes.Typo):
            codes.read(body, [])

    @thoroughly
    @given(
        st.text() | st.text(codes.ALPHABETS['base32'], min_size=11, max_size=24),
        st.lists(formats, max_size=4),
    )
    def test_any_text_is_either_a_typo_or_read_as_bodies_of_the_formats(self, text, several):
        try:
            read = codes.read(text, several)
        except codes.Typo:
            return
        self.assertTrue(read)
        for body in read:
            self.assertTrue(any(fmt.match(body) == body for fmt in several))

    @thoroughly
    @given(st.text())
    @example('Õ¯')
    def test_reading_twice_what_was_normalized_changes_nothing(self, text):
        once = codes.normalize(text)
        self.assertEqual(codes.normalize(once), once)

    def test_a_typo_does_not_repeat_the_text(self):
        with self.assertRaises(codes.Typo) as caught:
            codes.read('QUICK-7K2M', [codes.Format('base32', 12, 'QUICK')])
        self.assertEqual(str(caught.exception), '')


class TestPrinting(BaseCase):
    @thoroughly
    @given(st.data(), formats)
    def test_a_code_is_printed_in_groups_of_four_after_its_prefix(self, data, fmt):
        body = data.draw(bodies(fmt))
        groups = fmt.display(body).split('-')
        if fmt.prefix:
            self.assertEqual(groups.pop(0), fmt.prefix)
        self.assertEqual(''.join(groups), body)
        self.assertEqual({len(group) for group in groups[:-1]}, {4})
        self.assertIn(len(groups[-1]), (2, 3, 4, 5))

    def test_a_last_character_does_not_stand_alone(self):
        self.assertEqual(
            codes.Format('base32', 12, 'QUICK').display('7K2M9XQ4R3TZA'), 'QUICK-7K2M-9XQ4-R3TZA'
        )
        self.assertEqual(codes.Format('base32', 13).display('7K2M9XQ4R3TZAB'), '7K2M-9XQ4-R3TZ-AB')
        self.assertEqual(
            codes.Format('digits', 16).display('12345678901234567'), '1234-5678-9012-34567'
        )

    @thoroughly
    @given(st.data(), formats)
    def test_a_masked_code_shows_the_prefix_and_the_last_four_characters_only(self, data, fmt):
        body = data.draw(bodies(fmt))
        masked, whole = fmt.mask(body), fmt.display(body)
        self.assertEqual(len(masked), len(whole))
        shown = masked.removeprefix(f'{fmt.prefix}-').replace('-', '')
        self.assertEqual(shown, codes.MASK * (len(body) - 4) + body[-4:])
        self.assertNotIn(codes.MASK, codes.ALPHABETS['base32'])

    def test_a_masked_code_cannot_be_redeemed(self):
        fmt = codes.Format('base32', 12, 'QUICK')
        [body] = fmt.generate(1)
        with self.assertRaises(codes.Typo):
            codes.read(fmt.mask(body), [fmt])


class TestSealing(BaseCase):
    def setUp(self):
        super().setUp()
        self.key = codes.generate_key()
        self.sealer = codes.Sealer(self.key)

    def test_a_malformed_key_is_a_wrong_key(self):
        for key in (
            '',
            'secret',
            '00',
            self.key[:-1],
            self.key[:-2],
            self.key + '00',
            self.key[:-1] + 'g',
            '0x' + self.key[2:],
            'é' * 128,
        ):
            with self.subTest(key=key[:10]), self.assertRaises(codes.WrongKey):
                codes.Sealer(key)

    def test_another_key_does_not_open_a_seal(self):
        sealed = self.sealer.seal('7K2M9XQ4R3TZA')
        flipped = f'{int(self.key[0], 16) ^ 1:x}' + self.key[1:]
        for key in (codes.generate_key(), flipped, self.key[64:] + self.key[:64]):
            with self.assertRaises(codes.WrongKey):
                codes.Sealer(key).open(sealed)

    def test_a_tampered_seal_does_not_open(self):
        sealed = base64.urlsafe_b64decode(self.sealer.seal('7K2M9XQ4R3TZA'))
        for place in range(len(sealed)):
            for bit in range(8):
                tampered = bytearray(sealed)
                tampered[place] ^= 1 << bit
                with self.assertRaises(codes.WrongKey):
                    self.sealer.open(base64.urlsafe_b64encode(tampered).decode())

    def test_what_is_no_seal_does_not_open(self):
        sealed = self.sealer.seal('7K2M9XQ4R3TZA')
        for wrong in ('', 'A', 'AAAA', '====', sealed[:-4], sealed[4:], 'é', '\0'):
            with self.subTest(wrong=wrong), self.assertRaises(codes.WrongKey):
                self.sealer.open(wrong)

    def test_the_errors_repeat_neither_key_nor_seal(self):
        sealed = self.sealer.seal('7K2M9XQ4R3TZA')
        for function, secret in ((codes.Sealer, 'no key'), (self.sealer.open, sealed[4:])):
            with self.assertRaises(codes.WrongKey) as caught:
                function(secret)
            self.assertEqual(str(caught.exception), '')
            self.assertTrue(caught.exception.__suppress_context__)

    @thoroughly
    @given(st.data(), formats)
    def test_opening_returns_the_body_that_was_sealed(self, data, fmt):
        sealer = codes.Sealer('01' * codes.KEY_BYTES)
        body = data.draw(bodies(fmt))
        self.assertEqual(sealer.open(sealer.seal(body)), body)

    def test_equal_bodies_have_equal_seals_and_others_have_others(self):
        made = codes.Format('base32', 12).generate(2_000)
        again = codes.Sealer(self.key)
        seals = [self.sealer.seal(body) for body in made]
        self.assertEqual(seals, [again.seal(body) for body in made])
        self.assertEqual(len(set(seals)), len(set(made)))
        self.assertNotEqual(codes.Sealer(codes.generate_key()).seal(made[0]), seals[0])

    def test_a_seal_holds_nothing_of_the_body(self):
        for body in codes.Format('base32', 12).generate(200):
            sealed = self.sealer.seal(body)
            raw = base64.urlsafe_b64decode(sealed)
            self.assertEqual(len(raw), 16 + len(body))
            self.assertFalse(any(body[i : i + 4].encode() in raw for i in range(len(body) - 3)))
            self.assertNotIn(base64.urlsafe_b64encode(body.encode()).decode()[:12], sealed)

    def test_bodies_that_start_alike_have_seals_that_differ_everywhere(self):
        one, other = (
            base64.urlsafe_b64decode(self.sealer.seal(body))
            for body in ('7K2M9XQ4R3TZA', '7K2M9XQ4R3TZB')
        )
        self.assertGreater(sum(a != b for a, b in zip(one, other, strict=True)), len(one) / 2)

    def test_seals_in_the_database_stay_readable(self):
        # RFC 5297 with this key, computed once: another seal would lose every card ever sold.
        key = bytes(range(codes.KEY_BYTES))
        sealed = '9Fo6wvL34hIgDwZRuxvr36g-Lnbn-rT1bKRrURQ='
        self.assertEqual(codes.Sealer(key.hex()).seal('7K2M9XQ4R3TZA'), sealed)
        raw = base64.urlsafe_b64decode(sealed)
        self.assertEqual(AESSIV(key).decrypt(raw, None), b'7K2M9XQ4R3TZA')

    def test_keys_are_random_and_long(self):
        keys = {codes.generate_key() for _number in range(100)}
        self.assertEqual(len(keys), 100)
        self.assertEqual({len(bytes.fromhex(key)) for key in keys}, {64})


class TestGuessing(BaseCase):
    def test_the_default_lengths_are_safe_for_many_cards(self):
        for alphabet, cards in (('base32', 600_000), ('digits', 5_000)):
            fmt = codes.Format(alphabet, codes.DEFAULT_LENGTHS[alphabet])
            self.assertLess(fmt.guessing_probability(cards), codes.MAX_GUESSING_PROBABILITY)

    def test_the_chance_is_cards_times_guesses_in_all_bodies(self):
        # 5 codes at once, after 15 minutes and after an hour, then 5 a day
        self.assertEqual(codes.GUESSES_A_YEAR, 1835)
        self.assertAlmostEqual(
            codes.Format('digits', 16).guessing_probability(1_000), 1_000 * 1835 / 10**16
        )
        self.assertAlmostEqual(
            codes.Format('base32', 12).guessing_probability(1), 1835 / 2**60, delta=1e-25
        )

    @thoroughly
    @given(st.sampled_from(sorted(codes.ALPHABETS)), st.integers(1, 10**9))
    def test_the_safe_length_is_the_shortest_that_is_safe(self, alphabet, cards):
        lengths = codes.LENGTHS[alphabet]
        safe = [
            length
            for length in lengths
            if codes.Format(alphabet, length).guessing_probability(cards)
            < codes.MAX_GUESSING_PROBABILITY
        ]
        for length in (lengths[0], lengths[-1]):
            self.assertEqual(codes.Format(alphabet, length).safe_length(cards), safe[0])

    def test_no_length_is_safe_for_too_many_cards(self):
        for alphabet, characters in codes.ALPHABETS.items():
            longest = codes.Format(alphabet, codes.LENGTHS[alphabet][-1])
            most = codes.MAX_GUESSING_PROBABILITY * len(characters) ** longest.length
            most = int(most / codes.GUESSES_A_YEAR)
            self.assertEqual(longest.safe_length(int(most * 0.99)), longest.length)
            self.assertIsNone(longest.safe_length(int(most * 1.01)))


class TestCheckCharacter(BaseCase):
    def test_known_numbers_are_read(self):
        # Wikipedia, "Luhn algorithm" and "Luhn mod N algorithm"
        for number in ('79927398713', '17893729974'):
            self.assertEqual(codes.Format('digits', 10).match(number), number)
        self.assertIsNone(codes.Format('digits', 10).match('79927398710'))

    @thoroughly
    @given(st.data(), formats)
    def test_a_body_is_read_exactly_when_its_sum_says_so(self, data, fmt):
        """An implementation of Luhn mod N of our own agrees with stdnum's."""
        size = fmt.length + 1
        text = data.draw(st.text(fmt.characters, min_size=size, max_size=size))
        base = len(fmt.characters)
        total = 0
        for place, character in enumerate(reversed(text)):
            value = fmt.characters.index(character) * (place % 2 + 1)
            total += value // base + value % base
        self.assertEqual(fmt.match(text), text if total % base == 0 else None)
        if fmt.prefix:
            self.assertEqual(fmt.match(codes.normalize(fmt.prefix) + text), fmt.match(text))
