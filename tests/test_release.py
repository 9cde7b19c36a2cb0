from datetime import timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command, Date, Domain
from odoo.tests import Form, tagged

from .common import RefillCardCommon


class ReleaseCommon(RefillCardCommon):
    """A customer who bought cards that expired."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.liability = cls.company._get_refill_card_method_line().payment_account_id
        cls.income = cls.company.refill_card_expired_account_id
        cls.today = Date.context_today(cls.customer)
        # Of the accountant, who works in the company.
        cls.moves = cls.env['account.move'].with_user(cls.accountant)

    def _on(self, days):
        """Let it be so many days later."""
        return freeze_time(f'{self.today + timedelta(days=days)} 12:00:00')

    def _sell(self, quantity=1, till=10, **values):
        """Return sold cards that are valid for some days."""
        day = self.today + timedelta(days=till)
        cards = self._generate(quantity, valid_till=day, **values).card_ids
        self._sell_cards(cards, self.customer)
        return cards

    def _expire(self):
        self._run_job('expire')

    def _run_job(self, name):
        self.env.ref(f'refill_cards.ir_cron_{name}').method_direct_trigger()
        self.env.invalidate_all()

    def _open_window(self, user=None, **values):
        windows = self.env['refill.card.release'].with_user(user or self.accountant)
        with Form(windows) as form:
            for name, value in values.items():
                form[name] = value
        return form.record

    def _release(self, post=True, user=None, **values):
        """Release what expired by the window; return the entries."""
        action = self._open_window(user, **values).action_release()
        domain = action.get('domain') or [('id', '=', action['res_id'])]
        moves = self.env['account.move'].search(domain)
        if post:
            moves.with_user(self.accountant).action_post()
        return moves

    def _assert_entry(self, move, *lines):
        """Assert what an entry books: account and balance of each line."""
        self.assertEqual(
            sorted((line.account_id.name, line.balance) for line in move.line_ids),
            sorted((account.name, balance) for account, balance in lines),
        )

    def _get_balance(self, account):
        lines = self.env['account.move.line'].search(
            [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
        )
        return sum(lines.mapped('balance'))

    def _assert_owed(self, amount):
        self.assertEqual(self._get_balance(self.liability), -amount)


@tagged('post_install', '-at_install')
class TestRelease(ReleaseCommon):
    """What is owed for sold cards is released some time after they expired."""

    def test_a_clerk_releases_nothing(self):
        with self.assertRaises(AccessError):
            self._open_window(self.clerk)
        self._sell()
        with self._on(45):
            self._expire()
            with self.assertRaises(AccessError):
                self.env['account.move'].with_user(self.clerk)._release_expired_refill_cards(
                    self.company, Date.today()
                )

    def test_a_company_in_which_the_user_does_not_work_is_released_by_others(self):
        with self.assertRaisesRegex(AccessError, "choose it among your companies"):
            self.moves.with_company(self.company)._release_expired_refill_cards(
                self.other_company, self.today
            )

    def test_a_branch_releases_nothing_by_itself(self):
        branch = self.env['res.company'].create({'name': "Branch", 'parent_id': self.company.id})
        self.accountant.write({'company_ids': [Command.link(branch.id)]})
        self.company.refill_card_release = False
        cards = self._sell()
        cards.series_id.sudo().company_id = branch
        with self._on(60):
            self._expire()
            windows = self.env['refill.card.release'].with_user(self.accountant)
            window = windows.create({'company_id': branch.id})
            self.assertFalse(window.has_value)
            with self.assertRaisesRegex(AccessError, f"released by {self.company.name}"):
                window.action_release()

    def test_cards_that_expired_are_released_by_a_line_a_series(self):
        first, second = self._sell(3), self._sell(2)
        with self._on(10 + 31):
            self._expire()
            window = self._open_window()
            self.assertEqual(window.card_count, 5)
            self.assertIn("125.00", window.preview)
            move = self._release(post=False)
            self.assertEqual((move.state, move.date), ('draft', Date.today()))
            self._assert_owed(125)
            self.assertEqual(first.release_id, move)
            move.with_user(self.accountant).action_post()
        self._assert_entry(move, (self.liability, 75), (self.liability, 50), (self.income, -125))
        self.assertEqual(move.line_ids.refill_card_series_id, (first + second).series_id)
        self._assert_owed(0)
        self.assertEqual(first[0].action_open_release()['res_id'], move.id)
        self.assertEqual(move.refill_card_count, 5)
        opened = move.with_user(self.accountant).action_open_refill_cards()
        self.assertEqual(self.env['refill.card'].search(opened['domain']), first + second)
        self.assertIn(move.name, first[0].event_ids[0].summary)

    def test_nothing_is_released_before_its_day(self):
        self._sell()
        for days in (5, 40):
            with self._on(days):
                self._expire()
                with self.assertRaisesRegex(UserError, "30 days"):
                    self._release()
        self.company.refill_card_release_days = 0
        with self._on(12):
            self.assertEqual(self._release().line_ids[0].balance, 25)

    def test_nothing_is_ever_released_twice(self):
        self._sell(2)
        with self._on(45):
            self._expire()
            self._release(post=False)
            with self.assertRaisesRegex(UserError, "not released yet"):
                self._release()
            self.moves.search([('line_ids.refill_card_role', '=', 'release')]).action_post()
            with self.assertRaisesRegex(UserError, "not released yet"):
                self._release()
        self._assert_owed(0)

    def test_a_company_may_never_release(self):
        self._sell()
        self.company.refill_card_release = False
        with self._on(45):
            self._expire()
            self.assertFalse(self._open_window().card_count)
            with self.assertRaises(UserError):
                self._release()
            self._run_job('release')
        self._assert_owed(25)

    def test_only_sold_cards_that_nobody_used_are_released(self):
        valid = self.today + timedelta(days=10)
        used, kept = self._sell(2)
        self._redeem(used, partner=self.stranger)
        consigned, given, unsold = self._generate(3, valid_till=valid).card_ids
        consigned.sudo()._consign(self.stranger)
        given.sudo()._give_away("Fair")
        with self._on(45):
            self._expire()
            move = self._release()
        self.assertEqual(kept.release_id, move)
        self.assertFalse((used + consigned + given + unsold).release_id)
        self._assert_entry(move, (self.liability, 25), (self.income, -25))

    def test_a_card_sold_by_activation_waits_until_it_is_billed(self):
        self.env['refill.card.agreement'].create(
            {'partner_id': self.stranger.id, 'settled_by': 'activation'}
        )
        day = self.today + timedelta(days=10)
        card = self._generate_card(valid_till=day, activation_required=True)
        card.sudo()._consign(self.stranger)
        card.sudo()._activate()
        self.assertEqual(card.terms, 'sold')
        with self._on(45):
            self._expire()
            with self.assertRaises(UserError):
                self._release()
            bill = self.moves._settle_refill_cards(self.company, Date.today(), self.stranger)
            bill.action_post()
            self._release()
        self._assert_owed(0)

    def test_a_disabled_card_is_released_once_its_day_is_over(self):
        card = self._sell()
        card.with_user(self.accountant)._disable('lost')
        with self._on(45):
            self._expire()
            self.assertEqual(card.state, 'disabled')
            self._release()
            self.assertTrue(card.release_id)
        self._assert_owed(0)

    def test_the_settings_are_those_of_the_root_company(self):
        administrator = self._new_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )
        settings = self.env['res.config.settings'].with_user(administrator)
        self.assertTrue(self.company.refill_card_release)
        self.assertEqual(self.company.refill_card_release_days, 30)
        other = self.income.copy()
        with Form(settings) as form:
            form.refill_card_release_days = 7
            form.refill_card_expired_account_id = other
        form.record.execute()
        self.assertRecordValues(
            self.company,
            [{'refill_card_release_days': 7, 'refill_card_expired_account_id': other.id}],
        )
        for days in (-1, 2**20):
            with self.subTest(days=days), self.assertRaisesRegex(ValidationError, "days between"):
                self.company.refill_card_release_days = days

    def test_the_job_prepares_a_draft_and_leaves_an_activity(self):
        self._sell()
        with self._on(45):
            self._expire()
            self._run_job('release')
            self._run_job('release')
        move = self.env['account.move'].search([('line_ids.refill_card_role', '=', 'release')])
        self.assertEqual((len(move), move.state), (1, 'draft'))
        self.assertIn(move.activity_ids.user_id, self.company._get_refill_card_accountants())

    def test_the_value_may_go_to_the_state_and_never_back_to_the_liability_for_cards(self):
        with self.assertRaisesRegex(ValidationError, "Choose another account"):
            self.company.refill_card_expired_account_id = self.liability
        with self.assertRaisesRegex(ValidationError, "of type"):
            self.company.refill_card_expired_account_id = self.company_data[
                'default_account_expense'
            ]
        state = self.income.copy({'account_type': 'liability_current', 'name': "Unclaimed"})
        self.company.refill_card_expired_account_id = state
        self._sell()
        with self._on(45):
            self._expire()
            self._assert_entry(self._release(), (self.liability, 25), (state, -25))

    def test_a_tax_is_taken_out_of_the_value(self):
        tax = self.env['account.tax'].create({'name': "19", 'amount': 19})
        for amount in (19, 7.7, 100):
            with self.subTest(amount=amount):
                tax.amount = amount
                self.company.refill_card_expired_tax_id = tax
                self._sell()
                with self._on(45):
                    self._expire()
                    move = self._release(post=False)
                    self.assertEqual(move.line_ids[0].balance, 25)
                    self.assertNotIn("Automatic Balancing Line", move.line_ids.mapped('name'))
                    taxed = move.line_ids.filtered('tax_line_id')
                    self.assertAlmostEqual(taxed.balance, -25 * amount / (100 + amount), delta=0.01)
                    move.action_post()
        self._assert_owed(0)

    def test_cards_in_another_currency_have_an_entry_of_their_own(self):
        self._sell()
        cards = self._generate(1, currency_id=self.other_currency.id).card_ids
        cards.sudo().write({'valid_till': self.today + timedelta(days=10)})
        products = self.env['product.product'].with_company(self.company)
        product = products._get_refill_card_product(25, self.other_currency)
        invoice = self.env['account.move'].create(
            {
                'move_type': 'out_invoice',
                'partner_id': self.customer.id,
                'currency_id': self.other_currency.id,
                'invoice_line_ids': [Command.create({'product_id': product.id})],
            }
        )
        cards.sudo()._reserve(invoice.invoice_line_ids, Domain('id', 'in', cards.ids))
        invoice.action_post()
        with self._on(45):
            self._expire()
            moves = self._release()
        self.assertEqual(len(moves), 2)
        self.assertEqual(moves.currency_id, self.company.currency_id + self.other_currency)
        for move in moves:
            self.assertEqual(move.line_ids.mapped('amount_currency'), [25, -25])


@tagged('post_install', '-at_install')
class TestReleaseEntry(ReleaseCommon):
    """Cards follow the entry that releases their value, whatever an accountant does to it."""

    def setUp(self):
        super().setUp()
        self.cards = self._sell(3)
        self.startPatcher(self._on(45))
        self._expire()
        self.move = self._release(post=False).with_user(self.accountant)
        self.line = self.move._get_refill_card_lines('release')

    def _assert_free(self):
        self.assertFalse(self.cards.released_line_id)
        again = self._release()
        self.assertEqual(self.cards.release_id, again)
        self._assert_owed(0)

    def test_a_draft_that_is_deleted_frees_the_cards(self):
        self.move.unlink()
        self._assert_free()

    def test_a_draft_that_is_cancelled_frees_the_cards_and_is_never_posted(self):
        self.move.button_cancel()
        self.move.button_draft()
        with self.assertRaisesRegex(UserError, "release again"):
            self.move.action_post()
        self._assert_free()

    def test_a_draft_whose_lines_changed_is_not_posted(self):
        income = self.move.line_ids - self.line
        other = self._generate_card().series_id
        for changes in (
            [(self.line, {'balance': 50}), (income, {'balance': -50})],
            [(self.line, {'account_id': self.company_data['default_account_revenue'].id})],
            [(self.line, {'refill_card_series_id': other.id})],
            [(self.line, {'quantity': 2})],
        ):
            with self.subTest(changes=changes), self.assertRaisesRegex(UserError, "release again"):
                self.move.write(
                    {'line_ids': [Command.update(line.id, values) for line, values in changes]}
                )
                self.move.action_post()

    def test_a_draft_books_nothing_else_on_the_liability(self):
        self.move.write(
            {
                'line_ids': [
                    Command.create({'account_id': account.id, 'balance': balance})
                    for account, balance in ((self.liability, 10), (self.income, -10))
                ]
            }
        )
        with self.assertRaisesRegex(UserError, "release again"):
            self.move.action_post()

    def test_the_value_may_go_elsewhere(self):
        income = self.move.line_ids - self.line
        income.account_id = self.company_data['default_account_revenue']
        self.move.action_post()
        self._assert_owed(0)

    def test_an_entry_that_is_reset_to_draft_keeps_its_cards(self):
        self.move.action_post()
        self.move.button_draft()
        self._assert_owed(75)
        with self.assertRaisesRegex(UserError, "not released yet"):
            self._release()
        self.move.action_post()
        self._assert_owed(0)
        self.assertEqual(self.cards.release_id, self.move)

    def test_an_entry_that_is_cancelled_frees_its_cards(self):
        self.move.action_post()
        self.move.button_draft()
        self.move.button_cancel()
        self._assert_free()

    def test_an_entry_that_is_reversed_frees_its_cards(self):
        self.move.action_post()
        self.move._reverse_moves([{'date': Date.today()}], cancel=True)
        self._assert_owed(75)
        with self.assertRaisesRegex(UserError, "it was reversed"):
            self.move.button_draft()
        self._assert_free()

    def test_an_entry_is_reversed_once_and_as_a_whole(self):
        self.move.action_post()
        first, second = (self.move._reverse_moves([{'date': Date.today()}]) for _n in range(2))
        line = second._get_refill_card_lines('release')
        income = second.line_ids - line
        second.write(
            {
                'line_ids': [
                    Command.update(line.id, {'balance': -25}),
                    Command.update(income.id, {'balance': 25}),
                ]
            }
        )
        with self.assertRaisesRegex(UserError, "once and as a whole"):
            second.action_post()
        first.action_post()
        with self.assertRaisesRegex(UserError, "it was reversed"):
            second.action_post()
        for move in first:
            with self.assertRaisesRegex(UserError, "stays as it is"):
                move.button_draft()
            with self.assertRaisesRegex(UserError, "stays as it is"):
                move._reverse_moves(cancel=True)
        self._assert_owed(75)

    def test_a_posted_line_stays(self):
        self.move.action_post()
        other = self._generate_card().series_id
        for values in ({'refill_card_series_id': other.id}, {'quantity': 1}, {'balance': 1}):
            with self.subTest(values=values), self.assertRaises(UserError):
                self.line.write(values)
        with self.assertRaises(UserError):
            self.line.with_context(dynamic_unlink=True).unlink()

    def test_a_duplicate_has_no_cards_behind_it(self):
        copy = self.move.copy()
        self.assertFalse(any(copy.line_ids.mapped('refill_card_role')))
        self.assertFalse(copy.line_ids.refill_card_series_id)

    def test_nobody_types_a_release(self):
        values = {
            'move_type': 'entry',
            'line_ids': [
                Command.create(
                    {
                        'account_id': account.id,
                        'balance': balance,
                        'refill_card_role': 'release',
                    }
                )
                for account, balance in ((self.liability, 10), (self.income, -10))
            ],
        }
        typed = self.moves.with_context(refill_card_releasing=True).create(values)
        self.assertFalse(any(typed.line_ids.mapped('refill_card_role')))
        with self.assertRaises(AccessError):
            self.cards.with_user(self.accountant).write({'released_line_id': self.line.id})

    def test_a_card_that_comes_back_is_not_released_by_a_draft(self):
        self.cards[0].with_user(self.accountant)._extend(Date.today())
        self.assertFalse(self.cards[0].released_line_id)
        with self.assertRaisesRegex(UserError, "release again"):
            self.move.action_post()


@tagged('post_install', '-at_install')
class TestBroughtBack(ReleaseCommon):
    """What is owed for a card that is valid again is in the books again at once."""

    def setUp(self):
        super().setUp()
        self.cards = self._sell(3).with_user(self.accountant)
        self.startPatcher(self._on(45))
        self._expire()

    def _find_mirrors(self):
        lines = self.env['account.move.line'].search(
            [('refill_card_role', '=', 'release'), ('balance', '<', 0)]
        )
        return lines.move_id

    def _assert_brought_back(self, count=1):
        mirror = self._find_mirrors()
        self.assertEqual((len(mirror), mirror.state, mirror.date), (1, 'posted', Date.today()))
        value = 25 * count
        self._assert_entry(mirror, (self.liability, -value), (self.income, value))
        self._assert_owed(value)
        self.assertEqual(
            len(self.cards.filtered(lambda card: not card.sudo().released_line_id)), count
        )

    def test_cards_that_are_extended_are_owed_again_by_one_entry(self):
        self._release()
        self.cards[:2]._extend(Date.today())
        self.assertEqual(set(self.cards[:2].mapped('state')), {'active'})
        self._assert_brought_back(2)
        self.assertIn(
            self._find_mirrors().name, ' '.join(self.cards[0].event_ids.mapped('summary'))
        )

    def test_a_manager_who_keeps_no_books_brings_cards_back_all_the_same(self):
        self._release()
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        self._change(self.cards[0].with_user(manager), 'extend', valid_till=Date.today())
        self._assert_brought_back()

    def test_a_series_that_is_extended_is_owed_again(self):
        move = self._release()
        self.cards.series_id.write({'valid_till': Date.today()})
        self._assert_brought_back(3)
        with self.assertRaisesRegex(UserError, "brought back"):
            move.button_draft()

    def test_a_card_whose_day_is_edited_is_owed_again(self):
        self._release()
        self.cards[0].write({'valid_till': False})
        self._assert_brought_back()

    def test_a_disabled_card_with_a_later_day_is_owed_again(self):
        card = self._sell(till=50).with_user(self.accountant)
        card._disable('lost')
        with self._on(100):
            self._release()
            self._assert_owed(0)
            self.env.registry['refill.card.series'].write(
                card.series_id, {'valid_till': Date.today()}
            )
            self._assert_owed(25)
            card._enable()
            self.assertEqual(card.state, 'active')
            self._assert_owed(25)

    def test_a_released_card_that_is_enabled_stays_expired_and_released(self):
        card = self._sell(till=50).with_user(self.accountant)
        card._disable('lost')
        with self._on(100):
            self._release()
            card._enable()
            self.assertEqual(card.state, 'expired')
            self._assert_owed(0)

    def test_a_card_that_is_returned_is_owed_again_and_then_no_more(self):
        self._release()
        invoice = self.cards[0].sudo().invoice_line_id.move_id
        note = invoice._reverse_moves([{'invoice_date': Date.today()}])
        note.invoice_line_ids.quantity = 1
        note.action_post()
        mirror = self._find_mirrors()
        self.assertEqual(mirror.line_ids.mapped('balance'), [-25, 25])
        self._assert_owed(0)

    def test_a_card_that_was_brought_back_is_used_and_given_back_and_released_again(self):
        self._release()
        card = self.cards[0]
        card._extend(Date.today())
        self._redeem(card, partner=self.stranger)
        self._assert_owed(0)
        with self._on(100):
            with self.assertRaises(UserError):
                self._release()
            self._undo(card)
            self.assertEqual(card.state, 'expired')
            self._assert_owed(25)
            self._release()
            self._assert_owed(0)

    def test_the_mirror_stays(self):
        self._release()
        self.cards[0]._extend(Date.today())
        mirror = self._find_mirrors().with_user(self.accountant)
        for method in ('button_draft', 'button_cancel', '_reverse_moves'):
            with self.subTest(method=method), self.assertRaisesRegex(UserError, "stays as it is"):
                moves = getattr(mirror, method)()
                if moves:
                    moves.action_post()
        self._assert_brought_back()

    def test_a_release_of_which_cards_were_brought_back_stays(self):
        move = self._release().with_user(self.accountant)
        self.cards[0]._extend(Date.today())
        for method in ('button_draft', 'button_cancel', '_reverse_moves'):
            with self.subTest(method=method), self.assertRaisesRegex(UserError, "brought back"):
                moves = getattr(move, method)()
                if moves:
                    moves.action_post()
        self._assert_owed(25)

    def test_value_comes_back_from_where_it_went(self):
        tax = self.env['account.tax'].create({'name': "19", 'amount': 19})
        self.company.refill_card_expired_tax_id = tax
        move = self._release()
        self.company.refill_card_expired_tax_id = False
        other = self.income.copy()
        self.company.refill_card_expired_account_id = other
        self.cards._extend(Date.today())
        mirror = self._find_mirrors()
        self.assertEqual(
            sorted((line.account_id.id, -line.balance) for line in mirror.line_ids),
            sorted((line.account_id.id, line.balance) for line in move.line_ids),
        )
        self.assertEqual(mirror.line_ids.tax_tag_ids, move.line_ids.tax_tag_ids)

    def test_cards_that_moved_to_another_series_come_back_there(self):
        self._release()
        self.cards[0]._move_to_companies(self.company)
        self.assertNotEqual(self.cards[0].series_id, self.cards[1].series_id)
        self.cards._extend(Date.today())
        self._assert_owed(75)
        mirror = self._find_mirrors()
        self.assertEqual(mirror.line_ids.refill_card_series_id, self.cards.series_id)
