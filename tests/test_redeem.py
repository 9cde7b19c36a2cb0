import re
from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestRedeem(RefillCardCommon):
    # -------------------------------------------------------------------------
    # REFUSALS
    # -------------------------------------------------------------------------

    def test_a_typing_error_is_refused_and_written_down(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        self._assert_refused('typo', cards.redeem_code, 'QUICK-7K2M', self.customer.id)
        attempt = self.env['refill.card.attempt'].search([], limit=1)
        self.assertRecordValues(
            attempt,
            [
                {
                    'user_id': self.clerk.id,
                    'partner_id': self.customer.id,
                    'reason': 'typo',
                    'channel': 'api',
                }
            ],
        )

    def test_what_is_not_text_is_a_typing_error(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        for code in (None, 7, ['a'], {'a': 1}, '', '\x00', '🃏' * 300, "'; DROP TABLE x; --"):
            with self.subTest(code=code):
                self._assert_refused('typo', cards.redeem_code, code, self.customer.id)

    def test_a_code_without_a_card_is_unknown(self):
        fmt = self._generate_card().series_id._get_format()
        [body] = fmt.generate(1)
        cards = self.env['refill.card'].with_user(self.clerk)
        refused = self._assert_refused(
            'unknown', cards.redeem_code, fmt.display(body), self.customer.id
        )
        self.assertNotIn(body, str(refused))

    def test_ids_that_are_no_ids_are_refused_with_a_sentence(self):
        code = self._generate_card().sudo().code
        cards = self.env['refill.card'].with_user(self.clerk)
        for values in (
            {'partner_id': 'x'},
            {'partner_id': True},
            {'partner_id': [1]},
            {'partner_id': 2**31 - 1},
            {'company_id': '1'},
        ):
            with self.subTest(**values), self.assertRaises(UserError):
                cards.redeem_code(code, **values)

    def test_an_employee_without_the_right_cannot_redeem(self):
        card = self._generate_card()
        with self.assertRaises(AccessError):
            self._redeem(card, user=self.employee)
        self.assertEqual(card.state, 'active')

    def test_a_customer_cannot_redeem_over_the_api(self):
        card = self._generate_card()
        with self.assertRaises(AccessError):
            self._redeem(card, user=self.customer_user)
        self.assertEqual(card.state, 'active')

    def test_a_stranger_learns_that_a_card_is_used_and_nothing_more(self):
        card = self._generate_card()
        self._redeem(card)
        refused = self._assert_refused('used', self._redeem, card, partner=self.stranger)
        self.assertNotIn(self.customer.name, str(refused))
        self.assertNotIn('202', str(refused))

    def test_the_customer_is_told_when_they_used_the_card(self):
        card = self._generate_card()
        self._redeem(card)
        refused = self._assert_refused('used', self._redeem, card)
        self.assertIn(str(fields.Date.today().year), str(refused))

    def test_a_card_is_worth_nothing_after_its_last_day(self):
        card = self._generate_card(valid_till=fields.Date.today())
        with freeze_time(fields.Datetime.now() + timedelta(days=3)):
            self._assert_refused('expired', self._redeem, card)
        self.assertEqual(card.state, 'active')

    def test_the_last_day_ends_in_the_customers_time_zone(self):
        with freeze_time('2026-03-01 12:00:00'):
            card = self._generate_card(valid_till='2026-03-10')
        self.customer.tz = 'Pacific/Auckland'  # 13 hours ahead of UTC in March
        with freeze_time('2026-03-10 12:00:00'):
            self._assert_refused('expired', self._redeem, card)
        self.customer.tz = 'America/Los_Angeles'  # 7 hours behind UTC after the change of clocks
        with freeze_time('2026-03-11 06:30:00'):
            self._redeem(card)
        self.assertEqual(card.state, 'used')

    def test_a_company_to_which_the_card_is_not_available_refuses_it(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        self._assert_refused('company', self._redeem, card)
        self.assertEqual(card.sudo().state, 'active')

    def test_a_customer_of_another_company_is_refused(self):
        card = self._generate_card()
        self.stranger.company_id = self.other_company
        with self.assertRaises(AccessError):
            self._redeem(card, partner=self.stranger)  # the clerk does not even see the customer
        wizard = self._wizard(self.env.ref('base.user_root'), card, self.stranger)
        self._assert_refused('company', wizard.action_redeem)

    def test_without_a_journal_the_error_says_what_to_configure(self):
        card = self._generate_card()
        self.company._get_refill_card_method_line().journal_id.active = False
        with self.assertRaisesRegex(UserError, "journal for refill cards"):
            self._redeem(card)
        self.assertEqual(card.state, 'active')

    # -------------------------------------------------------------------------
    # PAYMENTS
    # -------------------------------------------------------------------------

    def test_a_redeemed_card_is_a_posted_payment(self):
        card = self._generate_card()
        payment = self._redeem(card)
        self.assertRecordValues(
            card,
            [
                {
                    'state': 'used',
                    'partner_id': self.customer.id,
                    'used_by_id': self.clerk.id,
                    'used_company_id': self.company.id,
                    'payment_id': payment.id,
                }
            ],
        )
        self.assertRecordValues(
            payment,
            [
                {
                    'state': 'paid',
                    'payment_type': 'inbound',
                    'partner_type': 'customer',
                    'partner_id': self.customer.id,
                    'amount': 25,
                    'memo': card.name,
                    'date': fields.Date.today(),
                }
            ],
        )
        self.assertEqual(payment.payment_method_line_id.name, "Refill Card")
        self.assertEqual(self._balance(), 25)
        self.assertEqual(self.customer.refill_card_credit, 25)

    def test_the_entry_moves_the_liability_to_the_customer(self):
        payment = self._redeem(self._generate_card())
        account = self.company._get_refill_card_method_line().payment_account_id
        self.assertEqual(payment.move_id.state, 'posted')
        self.assertRecordValues(
            payment.move_id.line_ids.sorted('balance'),
            [
                {'account_id': self.customer.property_account_receivable_id.id, 'balance': -25},
                {'account_id': account.id, 'balance': 25},
            ],
        )

    def test_each_use_is_an_event(self):
        card = self._generate_card()
        self._redeem(card)
        self.assertRecordValues(
            card.event_ids,
            [
                {
                    'serial': card.name,
                    'old_state': 'active',
                    'new_state': 'used',
                    'user_id': self.clerk.id,
                    'channel': 'api',
                }
            ],
        )

    def test_a_contact_redeems_for_its_company(self):
        contact = self.env['res.partner'].create({'name': "Kim", 'parent_id': self.partner_a.id})
        card = self._generate_card()
        payment = self._redeem(card, partner=contact)
        self.assertEqual(payment.partner_id, self.partner_a)
        self.assertEqual(card.partner_id, contact)

    def test_the_answer_says_what_happened(self):
        invoice = self._invoice(10)
        card = self._generate_card()
        cards = self.env['refill.card'].with_user(self.clerk)
        result = cards.redeem_code(card.sudo().code, self.customer.id, self.company.id)
        self.assertEqual(
            result,
            {
                'serial': card.name,
                'amount': 25,
                'currency': self.company.currency_id.name,
                'payment': card.payment_id.name,
                'payment_id': card.payment_id.id,
                'balance': 15,
                'balance_currency': self.company.currency_id.name,
                'invoices': [
                    {
                        'name': invoice.name,
                        'amount': 10,
                        'currency': self.company.currency_id.name,
                    }
                ],
            },
        )

    def test_the_code_is_nowhere_in_the_books(self):
        card = self._generate_card()
        body = card.sudo().code.removeprefix('QUICK-')
        payment = self._redeem(card)
        texts = [
            payment.memo,
            payment.move_id.ref,
            *payment.move_id.line_ids.mapped('name'),
            *payment.message_ids.mapped('body'),
            *payment.move_id.message_ids.mapped('body'),
        ]
        body = body.replace('-', '')
        for text in texts:
            self.assertNotIn(body, re.sub(r'[\s-]', '', text or '').upper())

    def test_a_context_does_not_reach_the_books(self):
        invoice = self._invoice(100, currency=self.other_currency)
        card = self._generate_card()
        cards = self.env['refill.card'].with_user(self.clerk)
        cards = cards.with_context(forced_rate_from_register_payment=1000, force_payment_move=1)
        cards.redeem_code(card.sudo().code, self.customer.id)
        self.assertGreater(invoice.amount_residual, 0)
        self.assertEqual(card.payment_id.state, 'paid')
        self.assertEqual(
            card.payment_id.outstanding_account_id,
            self.company._get_refill_card_method_line().payment_account_id,
        )

    # -------------------------------------------------------------------------
    # OPEN INVOICES
    # -------------------------------------------------------------------------

    def test_open_invoices_are_paid_oldest_due_first(self):
        late = self._invoice(20, due='2026-03-01')
        early = self._invoice(20, due='2026-02-01')
        self._redeem(self._generate_card())
        self.assertEqual(
            early.payment_state, self.env['account.move']._get_invoice_in_payment_state()
        )
        self.assertEqual(late.amount_residual, 15)
        self.assertEqual(late.payment_state, 'partial')

    def test_invoices_stay_open_where_the_company_says_so(self):
        invoice = self._invoice(20)
        self.company.refill_card_pay_invoices = False
        payment = self._redeem(self._generate_card())
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assertEqual(payment.state, 'paid')

    def test_a_payment_stays_paid_with_invoices(self):
        self._invoice(100)
        payment = self._redeem(self._generate_card())
        self.assertEqual(payment.state, 'paid')
        self.assertTrue(payment.is_reconciled)

    def test_invoices_in_two_currencies_are_paid_oldest_due_first(self):
        foreign = self.other_currency
        old = self._invoice(10, due='2026-02-01', currency=foreign)
        new = self._invoice(100, due='2026-03-01')
        self._redeem(self._generate_card())
        self.assertEqual(old.amount_residual, 0)
        self.assertGreater(new.amount_residual, 75)
        self.assertLess(new.amount_residual, 100)

    # -------------------------------------------------------------------------
    # THE WINDOW
    # -------------------------------------------------------------------------

    def _wizard(self, user, card, partner):
        wizards = self.env['refill.card.redeem'].with_user(user).with_company(self.company)
        return wizards.create({'card_id': card.id, 'partner_id': partner.id})

    def test_the_window_wants_a_card_and_a_customer(self):
        card = self._generate_card()
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        with self.assertRaisesRegex(UserError, "code or the serial number"):
            wizards.create({'partner_id': self.customer.id}).action_redeem()
        with self.assertRaisesRegex(UserError, "customer"):
            wizards.create({'card_id': card.id}).action_redeem()

    def test_the_window_does_not_redeem_a_card_out_of_sight(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        with self.assertRaises(AccessError):
            self._wizard(self.clerk, card, self.customer).action_redeem()
        self.assertEqual(card.sudo().state, 'active')

    def test_the_window_does_not_describe_a_card_out_of_sight(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        spec = {'card_id': {'fields': {'display_name': {}}}, 'partner_id': {}}
        given = {'card_id': card.id, 'partner_id': self.customer.id}
        wizard = wizards.create({'partner_id': self.customer.id})
        for number, call in enumerate(
            (
                lambda: wizards.create(given),
                lambda: wizard.write(given),
                lambda: wizards.onchange(given, ['partner_id'], {**spec, 'price': {}}),
                lambda: wizards.onchange(given, [], spec),
                lambda: wizards.with_context(default_card_id=card.id).onchange({}, [], spec),
                lambda: wizards.with_context(default_card_id=card.id).create({}),
            )
        ):
            with self.subTest(number), self.assertRaises(AccessError):
                call()

    def test_the_window_refuses_a_card_whose_customer_s_firm_is_out_of_sight(self):
        card = self._generate_card()
        firm = self.env['res.partner'].create({'name': "Firm", 'is_company': True})
        contact = self.env['res.partner'].create({'name': "Contact", 'parent_id': firm.id})
        firm.company_id = self.other_company
        contact.company_id = False
        self.env.flush_all()
        self.env.invalidate_all()
        wizard = self._wizard(self.clerk, card.with_user(self.clerk), contact.with_user(self.clerk))
        self.assertIn("belongs to another company", wizard.refusal)

    def test_a_code_typed_into_the_window_is_not_kept(self):
        card = self._generate_card()
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        wizard = wizards.create({'typed': card.sudo().code.lower(), 'partner_id': self.customer.id})
        self.assertEqual(wizard.card_id.id, card.id)
        self.env.flush_all()
        self.env.invalidate_all()
        self.env.cr.execute("SELECT * FROM refill_card_redeem WHERE id = %s", [wizard.id])
        self.assertNotIn(card.sudo().code.lower(), str(self.env.cr.dictfetchall()).lower())
        self.assertFalse(wizard.typed)

    def test_a_refused_code_typed_into_the_window_is_written_down(self):
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        self._assert_refused('typo', wizards.create, {'typed': 'nonsense'})

    def test_the_window_says_what_will_happen(self):
        invoice = self._invoice(10)
        card = self._generate_card()
        wizard = self._wizard(self.clerk, card, self.customer)
        self.assertFalse(wizard.refusal)
        self.assertEqual(wizard.price, 25)
        self.assertEqual(wizard.balance, -10)
        self.assertEqual(wizard.new_balance, 15)
        self.assertIn(invoice.name, wizard.invoices)
        wizard.action_redeem()
        self.assertEqual(wizard.new_balance, 15)
        self.assertEqual(self._balance(), 15)
        self.assertEqual(card.event_ids.channel, 'backend')

    def test_the_window_says_beforehand_that_a_card_will_be_refused(self):
        card = self._generate_card()
        self._redeem(card)
        self.assertIn("already used", self._wizard(self.clerk, card, self.stranger).refusal)

    def test_redeeming_costs_hardly_more_queries_than_a_payment_of_the_bank(self):
        cards = self._generate(2).card_ids.sudo()
        codes = cards.mapped('code')
        customers = self.env['res.partner'].create([{'name': "A"}, {'name': "B"}])
        journal = self.company_data['default_journal_bank']
        payments = self.env['account.payment'].with_user(self.accountant)

        def pay(number):
            values = {
                'amount': 25,
                'payment_type': 'inbound',
                'partner_type': 'customer',
                'partner_id': customers[number].id,
                'journal_id': journal.id,
            }
            payments.create(values).action_post()

        def redeem(number):
            payments.env['refill.card'].redeem_code(codes[number], customers[number].id)

        counts = []
        for work in (pay, redeem):
            for number in range(2):  # what is asked for once is there the second time
                self.env.flush_all()
                self.env.invalidate_all()
                before = self.cr.sql_log_count
                work(number)
                self.env.flush_all()
            counts.append(self.cr.sql_log_count - before)
        self.assertLessEqual(counts[1], counts[0] + 8, counts)
