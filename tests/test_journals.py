from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command, Date
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestJournals(RefillCardCommon):
    """A company may book redemptions in several journals."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.line = cls.company._get_refill_card_method_line()
        cls.first, cls.liability = cls.line.journal_id, cls.line.payment_account_id
        cls.administrator = cls._new_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )

    def _settings(self, user=None):
        settings = self.env['res.config.settings'].with_user(user or self.administrator)
        return settings.with_company(self.company).create({})

    def _add(self):
        """Add a journal as an accountant does who has the settings."""
        before = self._settings().refill_card_journal_ids
        self._settings().action_add_refill_card_journal()
        return self._settings().refill_card_journal_ids.sudo() - before.sudo()

    def _redeem_in(self, journal):
        """Redeem while nobody can use another journal."""
        others = self._settings().refill_card_journal_ids.sudo() - journal
        others.active = False
        card = self._generate_card()
        payment = self._redeem(card)
        others.active = True
        self.assertEqual(payment.journal_id, journal)
        return card, payment

    # -------------------------------------------------------------------------
    # REFUSALS
    # -------------------------------------------------------------------------

    def test_whoever_may_not_make_journals_adds_none(self):
        system = self._new_user('system', 'base.group_system')
        for user in (system, self.accountant, self.clerk):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self._settings(user).action_add_refill_card_journal()

    def test_a_company_without_a_first_journal_gets_no_further_one(self):
        self.first.active = False
        self.assertFalse(self._settings().refill_card_journal_ids)
        with self.assertRaisesRegex(UserError, "has no journal for refill cards"):
            self._settings().action_add_refill_card_journal()

    def test_all_journals_of_a_company_book_on_one_account(self):
        journal = self._add()
        other = self.liability.copy({'name': "Other"})
        line = journal.inbound_payment_method_line_ids
        for user in (self.administrator, self.env.ref('base.user_root')):
            for each in (line, self.line):
                with self.subTest(user.login), self.assertRaises(ValidationError) as error:
                    each.with_user(user).payment_account_id = other
                self.assertIn("one account", str(error.exception))
        journal.active = False
        line.payment_account_id = other
        with self.assertRaises(ValidationError):
            journal.active = True
        self.line.payment_account_id = other
        journal.active = True

    def test_a_journal_made_by_hand_books_on_the_same_account(self):
        journal = self.env['account.journal'].with_user(self.accountant)
        method = self.env.ref('refill_cards.account_payment_method_refill_card')
        values = {'name': "By hand", 'type': 'cash', 'code': 'HAND'}
        for account in (self.liability.copy({'name': "Other"}), self.liability):
            line = {'payment_method_id': method.id, 'payment_account_id': account.id}
            lines = [Command.clear(), Command.create(line)]
            made = {**values, 'default_account_id': account.id}
            made['inbound_payment_method_line_ids'] = lines
            if account != self.liability:
                with self.assertRaises(ValidationError):
                    journal.create(made)
        self.assertIn(journal.create(made), self._settings().refill_card_journal_ids)

    def test_a_journal_has_the_method_once(self):
        method = self.line.payment_method_id
        line = {'payment_method_id': method.id, 'payment_account_id': self.liability.id}
        with self.assertRaisesRegex(ValidationError, "once only"):
            self.first.inbound_payment_method_line_ids = [Command.create({**line, 'name': "More"})]

    def test_the_journal_takes_only_what_cards_book(self):
        journal = self._add()
        lines = [
            Command.create({'account_id': account.id, 'balance': balance})
            for account, balance in (
                (self.liability, 5),
                (self.company_data['default_account_revenue'], -5),
            )
        ]
        entry = self.env['account.move'].with_user(self.accountant)
        entry = entry.create({'journal_id': journal.id, 'line_ids': lines})
        with self.assertRaisesRegex(ValidationError, "takes only what refill cards book"):
            entry.action_post()

    # -------------------------------------------------------------------------
    # SETTINGS
    # -------------------------------------------------------------------------

    def test_journals_are_named_after_the_first(self):
        self.first.write({'code': 'CARD1', 'name': "Scratch cards", 'sequence': 7})
        self.env['account.journal'].create(
            {'name': "Taken", 'code': 'CARD2', 'type': 'general', 'company_id': self.company.id}
        ).active = False
        self.first.restrict_mode_hash_table = True
        self.assertRecordValues(
            self._add() + self._add(),
            [
                {
                    'name': f"Scratch cards {number}",
                    'code': f'CARD{number}',
                    'type': 'cash',
                    'sequence': 7,
                    'show_on_dashboard': False,
                    'restrict_mode_hash_table': True,
                    'default_account_id': self.liability.id,
                    'company_id': self.company.id,
                    'books_refill_cards': True,
                    'outbound_payment_method_line_ids': [],
                }
                for number in (3, 4)
            ],
        )
        self.assertEqual(self.company._get_refill_card_method_line(), self.line)

    def test_a_code_of_five_characters_is_cut(self):
        self.first.code = 'CARDS'
        self.assertEqual((self._add() + self._add()).mapped('code'), ['CARD2', 'CARD3'])

    def test_settings_open_the_journals_and_the_archived_ones(self):
        journal = self._add()
        journal.active = False
        self.assertEqual(self._settings().refill_card_journal_ids, self.first)
        action = self._settings().action_open_refill_card_journals()
        journals = self.env['account.journal'].with_context(**action['context'])
        found = journals.search(action['domain'])
        self.assertEqual(found, self.first + journal)

    def test_branches_use_the_journals_of_their_root_company(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        self.administrator.company_ids += branch
        settings = self.env['res.config.settings'].with_user(self.administrator)
        settings = settings.with_company(branch).create({})
        self.assertEqual(settings.company_id, branch)
        settings.action_add_refill_card_journal()
        self.assertEqual(len(self._settings().refill_card_journal_ids), 2)
        self.assertFalse(self.env['account.journal'].search([('company_id', '=', branch.id)]))

    def test_setting_up_again_adds_none(self):
        self._add()
        self.company._setup_refill_cards()
        self.assertEqual(len(self._settings().refill_card_journal_ids), 2)

    def test_an_empty_journal_is_deleted_and_a_used_one_is_archived(self):
        empty, used = self._add(), self._add()
        self._redeem_in(used)
        empty.with_user(self.accountant).unlink()
        used.with_user(self.accountant).action_archive()
        self.assertEqual(self._settings().refill_card_journal_ids, self.first)
        self._redeem(self._generate_card())

    # -------------------------------------------------------------------------
    # BOOKS
    # -------------------------------------------------------------------------

    def test_each_journal_has_its_own_numbers(self):
        journal = self._add()
        payments = self.env['account.payment']
        for each in (self.first, journal, journal, self.first):
            payments += self._redeem_in(each)[1]
        year = Date.today().year
        self.assertEqual(
            payments.mapped('name'),
            [
                f'PRFC/{year}/00001',
                f'PRFC2/{year}/00001',
                f'PRFC2/{year}/00002',
                f'PRFC/{year}/00002',
            ],
        )
        self.assertEqual(payments.move_id.line_ids.account_id & self.liability, self.liability)
        self.assertEqual(self._balance(), 100)

    def test_a_journal_that_is_numbered_by_month_stays_so(self):
        journal = self._add()
        _card, payment = self._redeem_in(journal)
        payment.move_id.name = f'RFC2/{Date.today():%Y/%m}/0001'
        self.assertEqual(self._redeem_in(journal)[1].name, f'RFC2/{Date.today():%Y/%m}/0002')
        self.assertEqual(self._redeem_in(self.first)[1].name, f'PRFC/{Date.today().year}/00001')

    def test_a_locked_day_moves_entries_of_every_journal(self):
        journal = self._add()
        self.company.fiscalyear_lock_date = Date.today()
        for each in (self.first, journal):
            _card, payment = self._redeem_in(each)
            self.assertGreater(payment.date, Date.today())
            self.assertEqual(payment.date, payment.move_id.date)

    def test_what_was_booked_in_an_archived_journal_is_undone_in_another(self):
        journal = self._add()
        card, payment = self._redeem_in(journal)
        other, other_payment = self._redeem_in(journal)
        journal.active = False
        self._undo(card)
        other_payment.with_user(self.accountant).action_cancel()
        self.assertEqual((card.state, other.sudo().state), ('active', 'disabled'))
        for each in (payment, other_payment):
            self.assertEqual(each.state, 'canceled')
            self.assertEqual(each.move_id.reversal_move_ids.journal_id, self.first)
        self.assertEqual(self._balance(), 0)

    def test_figures_are_those_of_all_journals(self):
        journal = self._add()
        for each in (self.first, journal):
            self._redeem_in(each)
        today = Date.today()
        report = self.env['refill.card.roll.forward'].with_user(self.accountant)
        report = report.create({'date_from': today, 'date_to': today})
        report.action_show()
        reasons = report.reason_ids
        self.assertFalse(reasons.filtered(lambda reason: reason.kind != 'total').mapped('name'))
        [total] = report.line_ids.filtered(
            lambda line: (line.kind, line.measure) == ('total', 'count')
        )
        self.assertEqual(total.redeemed, -2)
