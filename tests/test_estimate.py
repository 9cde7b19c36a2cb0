from datetime import timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Date
from odoo.tests import tagged

from .test_currency import CurrencyCommon
from .test_release import ReleaseCommon


class EstimateCommon(ReleaseCommon):
    """A series of ten cards of which a fifth is expected to stay unused."""

    def setUp(self):
        super().setUp()
        self.cards = self._sell(10, till=300)
        self.series = self.cards.series_id.with_user(self.accountant)
        self.series.unused_share = 20

    def _use(self, count):
        for card in self.cards.filtered(lambda card: card.state == 'active')[:count]:
            self._redeem(card, partner=self.stranger)

    def _find(self, series=None):
        estimates = self.env['refill.card.unused.value'].with_user(self.accountant)
        estimates.invalidate_model()
        return estimates.search([('series_id', '=', (series or self.series).id)])

    def _get_estimated(self):
        return self._find().estimated_amount


@tagged('post_install', '-at_install')
class TestEstimate(EstimateCommon):
    """Unused value is recognised in proportion to use, and never beside its release."""

    def test_a_clerk_sees_no_estimate(self):
        with self.assertRaises(AccessError):
            self.env['refill.card.unused.value'].with_user(self.clerk).search([])
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        for user in (self.clerk, manager):
            with self.assertRaises(AccessError):
                self.series.with_user(user).unused_share = 10

    def test_the_share_is_less_than_all(self):
        for share in (-1, 100):
            with self.subTest(share=share), self.assertRaisesRegex(ValidationError, "percent"):
                self.series.unused_share = share

    def test_each_month_recognises_in_proportion_to_what_was_used(self):
        with self.assertRaisesRegex(UserError, "no estimate is due"):
            self._release()
        self._use(4)  # of 8 that are expected to be used: half of the 50
        window = self._open_window()
        self.assertIn("25.00", window.preview)
        move = self._release(post=False)
        self.assertEqual(move.state, 'draft')
        self._assert_entry(move, (self.liability, 25), (self.income, -25))
        with self.assertRaisesRegex(UserError, "no estimate is due"):
            self._release()  # beside the draft
        move.action_post()
        self._assert_owed(150 - 25)
        self._use(2)
        with self._on(31):
            self._assert_entry(self._release(), (self.liability, 12.5), (self.income, -12.5))
        self.assertRecordValues(
            self._find(),
            [
                {
                    'sold_amount': 250,
                    'used_amount': 150,
                    'expected_amount': 50,
                    'recognised_amount': 37.5,
                    'left_amount': 12.5,
                    'due_amount': 0,
                }
            ],
        )

    def test_more_use_than_expected_takes_back_what_was_recognised(self):
        self._use(8)
        self._release()
        self.assertEqual(self._get_estimated(), 50)
        self._use(1)
        move = self._release()
        self._assert_entry(move, (self.liability, -25), (self.income, 25))
        self._use(1)
        self._release()
        self._assert_owed(0)
        self.assertTrue(self._find().is_finished)

    def test_a_redemption_that_is_undone_lowers_the_estimate(self):
        self._use(4)
        self._release()
        self._undo(self.cards.filtered('used_on')[0])
        self._release()
        self.assertEqual(self._get_estimated(), 18.75)

    def test_what_was_recognised_is_not_released_again(self):
        self._use(4)
        self._release()
        with self._on(331 + 1):
            self._expire()
            move = self._release()
            estimate = self._find()
            self.assertEqual((estimate.estimated_amount, estimate.recognised_amount), (0, 150))
        self._assert_entry(move, (self.liability, 150), (self.liability, -25), (self.income, -125))
        self._assert_owed(0)
        with self._on(340):
            with self.assertRaises(UserError):
                self._release()
            move.button_draft()
            self.assertEqual(self._get_estimated(), 25)
            move.action_post()
            move._reverse_moves([{'date': Date.today()}], cancel=True)
            self.assertEqual(self._get_estimated(), 25)
        self._assert_owed(125)

    def test_a_part_that_expires_takes_back_no_more_than_its_value(self):
        self._use(8)
        self._release()
        card = self.cards.filtered(lambda card: card.state == 'active')[0]
        card.with_user(self.accountant)._extend(Date.today())
        with self._on(40):
            self._expire()
            move = self._release()
        self._assert_entry(move, (self.liability, 25), (self.liability, -25))
        self.assertEqual(self._get_estimated(), 25)
        self._assert_owed(0)

    def test_cards_that_are_never_released_are_recognised_when_the_series_ends(self):
        self.company.refill_card_release = False
        self._use(4)
        self._release()
        with self._on(302):
            self._expire()
            self._assert_entry(self._release(), (self.liability, 125), (self.income, -125))
        self._assert_owed(0)

    def test_an_old_draft_recognises_nothing_twice(self):
        self._use(4)
        draft = self._release(post=False)
        with self._on(332):
            self._expire()
            release = self._release(post=False)
            release.filtered(
                lambda move: 'release' in move.line_ids.mapped('refill_card_role')
            ).action_post()
            with self.assertRaisesRegex(UserError, "no longer says"):
                draft.action_post()
        self._assert_owed(0)

    def test_an_estimate_whose_value_was_released_stays(self):
        self._use(4)
        move = self._release()
        with self._on(332):
            self._expire()
            self._release()
        with self.assertRaisesRegex(UserError, "no longer says"):
            move.button_draft()
        with self.assertRaisesRegex(UserError, "no longer says"):
            move._reverse_moves(cancel=True)

    def test_an_estimate_that_is_reset_or_reversed_is_due_again(self):
        self._use(4)
        move = self._release()
        move.button_draft()
        move.unlink()
        move = self._release()
        move._reverse_moves([{'date': Date.today()}], cancel=True)
        self._assert_owed(150)
        self._release()
        self._assert_owed(125)

    def test_the_accountant_may_change_what_is_recognised_and_the_rest_follows(self):
        self._use(4)
        move = self._release(post=False)
        line = move._get_refill_card_lines('estimate')
        income = move.line_ids - line
        for account in (self.company_data['default_account_revenue'], self.liability):
            line.account_id = account
            if account != self.liability:
                with self.assertRaisesRegex(UserError, "no longer says"):
                    move.action_post()
        move.write(
            {
                'line_ids': [
                    (1, line.id, {'balance': 20, 'amount_currency': 20}),
                    (1, income.id, {'balance': -20, 'amount_currency': -20}),
                ]
            }
        )
        move.action_post()
        self.assertEqual(self._find().due_amount, 5)

    def test_the_share_is_proposed_from_finished_series_of_the_face_value(self):
        self.assertFalse(self._find().proposed_share)
        finished = self._sell(4, till=5)
        self._redeem(finished[0], partner=self.stranger)
        self._redeem(finished[1], partner=self.stranger)
        self._redeem(finished[2], partner=self.stranger)
        with self._on(50):
            self._expire()
            self._release()
            self.assertEqual(self._find().proposed_share, 25)
            self.assertEqual(self._find(finished.series_id).left_amount, 0)
            self._find().action_propose()
        self.assertEqual(self.series.unused_share, 25)
        dear = self._generate(1, price=100).card_ids
        self.assertFalse(self._find(dear.series_id))

    def test_the_report_on_what_is_owed_says_what_was_recognised_by_estimate(self):
        self._use(4)
        self._release()
        windows = self.env['refill.card.roll.forward'].with_user(self.accountant)
        window = windows.create({'date_from': self.today, 'date_to': self.today})
        window.action_show()
        reason = window.reason_ids.filtered(lambda reason: 'estimate' in reason.name)
        self.assertEqual(reason.end, -25)
        self.assertNotIn('unexplained', window.reason_ids.mapped('kind'))
        action = reason.action_open()
        lines = self.env[action['res_model']].search(action['domain'])
        self.assertEqual(lines.mapped('balance'), [25])

    def test_amounts_of_two_currencies_are_not_added_up(self):
        other = self._generate(1, currency_id=self.other_currency.id).card_ids
        other.sudo()._set_terms([('id', 'in', other.ids)], terms='sold')
        other.sudo()._log(**other._get_movement('sold', self.today))
        [[total]] = self.env['refill.card.unused.value']._read_group(
            [], aggregates=['sold_amount:sum']
        )
        self.assertFalse(total)


@tagged('post_install', '-at_install')
class TestEstimateInCurrency(CurrencyCommon):
    def test_what_was_recognised_of_cards_is_taken_back_at_another_rate_than_they_had(self):
        self._stock(10, valid_till=self.today + timedelta(days=20))
        first = self._get_cards(self._sell(5))  # worth 12.50 each
        self._set_rate(1, self.today)
        second = self._get_cards(self._sell(5))  # worth 25 each
        first.series_id.unused_share = 60
        for card in first[:4]:
            self._redeem(card)
        moves = self.env['account.move'].with_user(self.accountant)
        estimate = moves._recognise_unused_refill_cards(self.company, self.today)
        estimate.action_post()  # all six that are left
        self._change(second[:4], 'extend', valid_till=self.today + timedelta(days=300))
        with freeze_time(self.today + timedelta(days=60)):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
            self.env.invalidate_all()
            release = moves._recognise_unused_refill_cards(self.company, Date.today())
            release.action_post()
        booked = release.line_ids.sorted('balance')
        self.assertEqual(booked.mapped('balance'), [-45.83, 8.33, 37.5])
        self.assertEqual(booked.mapped('amount_currency'), [-50, 0, 50])
        self.assertEqual(booked[1].account_id, self.company.refill_card_expired_account_id)
