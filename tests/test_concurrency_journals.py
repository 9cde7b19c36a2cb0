from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyJournals(ConcurrencyCase):
    """Redemptions of one company are booked at the same time, each in a journal of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls._committing() as env:
            company = env['res.company'].browse(cls.company_id)
            journal = company._get_refill_card_method_line().journal_id
            further = company._add_refill_card_journal()
            cls.journal_ids = [journal.id, further.id]
            cls.addClassCleanup(cls._remove_journal, further.id)
            partners = env['res.partner'].create([{'name': "Second"}, {'name': "Third"}])
            cls.other_customer_ids = partners.ids
            cls.addClassCleanup(cls._remove_customers)

    @classmethod
    def _remove_journal(cls, journal_id):
        with cls._committing() as env:
            env['account.journal'].browse(journal_id).unlink()

    @classmethod
    def _remove_customers(cls):
        with cls._committing() as env:
            env['res.partner'].browse(cls.other_customer_ids).unlink()

    def setUp(self):
        super().setUp()
        self.customers = [self.customer_id, *self.other_customer_ids]

    def _redeem_for(self, code, partner_id):
        return self._request('refill.card', 'redeem_code', code, partner_id)

    def _use_one_journal(self):
        """Archive the further journal until the test is over."""

        def activate(active):
            with self._committing() as env:
                env['account.journal'].browse(self.journal_ids[1]).active = active

        activate(False)
        self.addCleanup(activate, True)

    def _find_journals(self, *results):
        with self._committing() as env:
            payments = env['account.payment'].browse(result['payment_id'] for result in results)
            return [payment.journal_id.id for payment in payments]

    def _assert_no_gap(self):
        with self._committing() as env:
            for journal in env['account.journal'].browse(self.journal_ids):
                domain = [('journal_id', '=', journal.id), ('state', '=', 'posted')]
                every = env['account.move'].search(domain, order='sequence_number')
                self.assertFalse(any(every.mapped('made_sequence_gap')))
                for prefix, moves in every.grouped('sequence_prefix').items():
                    numbers = moves.mapped('sequence_number')
                    self.assertEqual(numbers, list(range(1, len(moves) + 1)), prefix)

    # -------------------------------------------------------------------------
    # WAITING
    # -------------------------------------------------------------------------

    def test_with_one_journal_the_second_redemption_waits_and_then_succeeds(self):
        self._use_one_journal()
        _series_id, codes = self._generate_cards(2)
        with self._transaction() as first:
            redeemed = first['refill.card'].redeem_code(codes[0], self.customers[0])
            first.flush_all()
            with self._in_background(self._redeem_for, codes[1], self.customers[1]) as second:
                self._wait_until_blocked_by(first, second)
                self.assertFalse(second.done())
                first.cr.commit()
        self.assertEqual(self._find_journals(redeemed, second.result()), self.journal_ids[:1] * 2)
        self._assert_no_gap()

    def test_a_second_redemption_is_committed_while_the_first_is_still_open(self):
        _series_id, codes = self._generate_cards(4)
        # Customers who never paid, and some who did: Odoo counts that on them.
        for _round in range(2):
            with self._transaction() as first:
                redeemed = first['refill.card'].redeem_code(codes.pop(), self.customers[0])
                first.flush_all()
                with self._in_background(
                    self._redeem_for, codes.pop(), self.customers[1]
                ) as second:
                    self._wait_until_blocked_by(first, second)
                    self.assertTrue(second.done(), "it waits for no row that the first one wrote")
                    self.assertEqual(second.result()['amount'], 25)
                first.cr.commit()
            self.assertEqual(self._find_journals(redeemed, second.result()), self.journal_ids)
        self._assert_no_gap()

    def test_a_second_batch_is_committed_while_the_first_is_still_open(self):
        _series_id, codes = self._generate_cards(6)
        with self._transaction() as first:
            answers = first['refill.card'].redeem_codes(codes[:3], self.customers[0])
            first.flush_all()
            batch = ('refill.card', 'redeem_codes', codes[3:], self.customers[1])
            with self._in_background(self._request, *batch) as second:
                self._wait_until_blocked_by(first, second)
                self.assertTrue(second.done(), "it waits for no row that the first one wrote")
            first.cr.commit()
        self.assertEqual(
            self._find_journals(*answers, *second.result()),
            [journal_id for journal_id in self.journal_ids for _card in range(3)],
        )
        for code in codes:
            self._assert_redeemed_once(code)
        self._assert_no_gap()

    def test_a_card_in_two_batches_is_redeemed_in_one_of_them(self):
        _series_id, codes = self._generate_cards(5)
        with self._transaction() as first:
            first['refill.card'].redeem_codes(codes[:3], self.customers[0])
            first.flush_all()
            answers = self._request('refill.card', 'redeem_codes', codes[2:], self.customers[1])
            self.assertEqual([each.get('reason') for each in answers], ['busy', None, None])
            first.cr.commit()
        answers = self._request('refill.card', 'redeem_codes', codes[1:3], self.customers[1])
        self.assertEqual([each.get('reason') for each in answers], ['used', 'used'])
        self.assertFalse(any(each['used_for_this_customer'] for each in answers))
        for code in codes:
            self._assert_redeemed_once(code)
        self._assert_attempts('busy', 'used', 'used')
        self._assert_no_gap()

    def test_when_all_journals_are_held_a_redemption_waits_for_one_of_them(self):
        _series_id, codes = self._generate_cards(3)
        with self._transaction() as first, self._transaction() as second:
            for env, code, customer_id in zip(
                (first, second), codes[:2], self.customers[:2], strict=True
            ):
                env['refill.card'].redeem_code(code, customer_id)
                env.flush_all()
            with self._in_background(self._redeem_for, codes[2], self.customers[2]) as third:
                self._wait_until_blocked_by(first, third, second)
                self.assertFalse(third.done())
                first.cr.commit()
                second.cr.commit()
        self.assertEqual(third.result()['amount'], 25)
        self._assert_no_gap()

    def test_the_journal_is_free_again_after_commit_and_rollback(self):
        _series_id, codes = self._generate_cards(3)
        with self._transaction() as first:
            first['refill.card'].redeem_code(codes[0], self.customers[0])
            first.cr.rollback()
            second = self._redeem_for(codes[1], self.customers[1])
            first['refill.card'].redeem_code(codes[0], self.customers[0])
            first.cr.commit()
        third = self._redeem_for(codes[2], self.customers[2])
        self.assertEqual(self._find_journals(second, third), self.journal_ids[:1] * 2)
        self._assert_no_gap()

    def test_a_transaction_stays_in_the_journal_that_it_took(self):
        _series_id, codes = self._generate_cards(4)
        with self._transaction() as first, self._transaction() as second:
            first['refill.card'].redeem_code(codes[0], self.customers[0])
            results = [second['refill.card'].redeem_code(codes[1], self.customers[1])]
            first.cr.commit()
            results.append(second['refill.card'].redeem_code(codes[2], self.customers[1]))
            second.cr.commit()
        self.assertEqual(self._find_journals(*results), self.journal_ids[1:] * 2)
        self._assert_no_gap()

    # -------------------------------------------------------------------------
    # NUMBERS
    # -------------------------------------------------------------------------

    def test_no_number_is_missing_after_rollbacks_errors_and_undone_redemptions(self):
        series_id, codes = self._generate_cards(9)
        with self._transaction() as held:
            for code in codes[:4]:
                with self._transaction() as env:
                    held['refill.card'].redeem_code(code, self.customers[0])
                    held.flush_all()
                    env['refill.card'].redeem_code(codes[4], self.customers[1])
                    env.flush_all()
                    held.cr.rollback()  # what was numbered is not there
                    env.cr.rollback()
        results = []
        for pair in zip(codes[:8:2], codes[1:8:2], strict=True):
            with self._transaction() as first, self._transaction() as second:
                for env, code, customer_id in zip(
                    (first, second), pair, self.customers[:2], strict=True
                ):
                    results.append(env['refill.card'].redeem_code(code, customer_id))
                first.cr.commit()
                second.cr.commit()
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id', '=', series_id)])
            cards = cards.filtered(
                lambda card: card.name in [each['serial'] for each in results[:3]]
            )
            for card in cards:
                card.with_user(self.accountant_id).with_company(self.company_id)._undo("Wrong")
        self._assert_no_gap()
        journals = self._find_journals(*results)
        self.assertEqual(journals, self.journal_ids * 4)

    def test_as_many_redemptions_at_once_as_there_are_cards_leave_no_gap(self):
        _series_id, codes = self._generate_cards(8)
        with self._meeting_after('_find_by_code', 8):
            results = self._at_once(self._redeem, codes)
        self.assertEqual({result['amount'] for result in results}, {25})
        self.assertEqual(set(self._find_journals(*results)), set(self.journal_ids))
        self._assert_no_gap()

    def test_the_numbers_of_a_journal_secured_by_hashes_stay_a_chain(self):
        with self._committing() as env:
            env['account.journal'].browse(self.journal_ids).restrict_mode_hash_table = True
        self.addCleanup(self._unsecure)
        _series_id, codes = self._generate_cards(4)
        for pair in zip(codes[::2], codes[1::2], strict=True):
            with self._transaction() as first, self._transaction() as second:
                for env, code, customer_id in zip(
                    (first, second), pair, self.customers[:2], strict=True
                ):
                    env['refill.card'].redeem_code(code, customer_id)
                second.cr.commit()
                first.cr.commit()
        with self._transaction() as env:
            env.user.sudo().group_ids += env.ref('account.group_account_user')
            company = env['res.company'].browse(self.company_id)
            report = company._check_hash_integrity()['results']
            ours = [each for each in report if each['journal_name'].startswith("Refill Cards")]
            self.assertEqual([each['status'] for each in ours], ['verified'] * 2)
        self._assert_no_gap()

    def _unsecure(self):
        """In SQL, as Odoo keeps a chain that was begun."""
        with self._committing() as env:
            self._delete_cards(env)
            self._delete_entries(env)
            env.cr.execute(
                SQL(
                    "UPDATE account_journal SET restrict_mode_hash_table = FALSE"
                    " WHERE id = ANY(%s)",
                    self.journal_ids,
                )
            )
