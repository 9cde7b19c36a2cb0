from freezegun import freeze_time
from lxml import etree
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.tests import Form, tagged
from odoo.tools import format_date
from odoo.tools.safe_eval import safe_eval

from .common import RefillCardCommon


class SettleCommon(RefillCardCommon):
    """A reseller who has cards on consignment."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reseller = cls.env['res.partner'].create({'name': "Kiosk", 'is_company': True})
        cls.settlement_account = cls.company.refill_card_settlement_account_id
        cls.discount_account = cls.company.refill_card_discount_account_id
        cls.liability = cls.company._get_refill_card_method_line().payment_account_id
        cls.today = Date.context_today(cls.reseller)

    def _consign(self, quantity=1, holder=None, **values):
        """Return cards that a reseller has on consignment."""
        cards = self._generate(quantity, **values).card_ids
        cards.sudo()._consign(holder or self.reseller)
        return cards

    def _agree(self, **values):
        return self.env['refill.card.agreement'].create({'partner_id': self.reseller.id, **values})

    def _settle(self, partners=None, day=None, user=None, company=None):
        """Settle by the window, as the accountant; return the drafts."""
        windows = self.env['refill.card.settle'].with_user(user or self.accountant)
        if company:
            windows = windows.with_company(company)
        with Form(windows) as form:
            for partner in partners if partners is not None else self.reseller:
                form.partner_ids.add(partner)
            form.day = day or self.today
        action = form.record.action_settle()
        domain = action.get('domain') or [('id', '=', action['res_id'])]
        return self.env['account.move'].search(domain)

    def _get_entry(self, move):
        """Return what a document books: account, amount and balance of each line."""
        return sorted(
            (line.account_id.name, line.amount_currency, line.balance)
            for line in move.line_ids
            if line.display_type not in ('line_section', 'line_note')
        )

    def _assert_entry(self, move, *lines):
        """Assert what a document books, in the company's currency.

        :param lines: account and balance of each.
        """
        self.assertEqual(
            sorted((line.account_id.name, line.balance) for line in move.line_ids),
            sorted((account.name, balance) for account, balance in lines),
        )

    def _get_balance(self, account):
        lines = self.env['account.move.line'].search(
            [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
        )
        return sum(lines.mapped('balance'))

    def _set_rate(self, rate, day):
        self.env['res.currency.rate'].create(
            {
                'currency_id': self.other_currency.id,
                'company_id': self.company.id,
                'name': day,
                'rate': rate,
            }
        )

    def _on(self, day):
        return freeze_time(f'{day} 12:00:00')

    @property
    def receivable(self):
        return self.reseller.property_account_receivable_id


@tagged('post_install', '-at_install')
class TestSettle(SettleCommon):
    """Resellers are billed for the cards that their customers used."""

    def test_used_cards_are_billed_once(self):
        cards = self._consign(3)
        self._redeem(cards[0])
        self._redeem(cards[1])
        invoice = self._settle()
        self.assertRecordValues(
            invoice,
            [
                {
                    'move_type': 'out_invoice',
                    'state': 'draft',
                    'partner_id': self.reseller.id,
                    'invoice_date': self.today,
                    'amount_total': 50,
                }
            ],
        )
        [line] = invoice.invoice_line_ids
        self.assertRecordValues(
            line,
            [
                {
                    'account_id': self.settlement_account.id,
                    'quantity': 2,
                    'price_unit': 25,
                    'refill_card_role': 'settlement',
                    'refill_card_series_id': cards.series_id.id,
                    'tax_ids': [],
                }
            ],
        )
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        invoice.with_user(self.accountant).action_post()
        self._assert_entry(invoice, (self.receivable, 50), (self.settlement_account, -50))
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        self._redeem(cards[2])
        self.assertEqual(self._settle().amount_total, 25)

    def test_a_discount_goes_to_its_own_account(self):
        self._agree(percent=10)
        self._redeem(self._consign())
        invoice = self._settle()
        invoice.action_post()
        self._assert_entry(
            invoice,
            (self.receivable, 22.5),
            (self.settlement_account, -22.5),
            (self.settlement_account, -2.5),
            (self.discount_account, 2.5),
        )
        self.assertEqual(self._get_balance(self.settlement_account), 0)

    def test_a_day_that_was_typed_stays_whoever_owes(self):
        windows = self.env['refill.card.settle'].with_user(self.accountant)
        with Form(windows) as window:
            proposed = window.day
            window.day = self.today
            window.partner_ids.add(self.reseller)
            self.assertEqual(window.day, self.today)
        self.assertLess(proposed, self.today)

    def test_cards_sold_by_activation_are_billed_on_the_liability(self):
        cards = self._consign(3, activation_required=True)
        cards[:2].with_user(self.accountant)._activate()
        self.assertEqual(cards.mapped('terms'), ['sold', 'sold', 'consigned'])
        self._redeem(cards[0])
        invoice = self._settle()
        self.assertEqual(invoice.invoice_line_ids.quantity, 2)
        self.assertEqual(invoice.invoice_date, self.today)
        invoice.with_user(self.accountant).action_post()
        self._assert_entry(invoice, (self.receivable, 50), (self.liability, -50))
        self.assertEqual(cards[:2].sudo().invoice_line_id, invoice.invoice_line_ids)
        self.assertEqual(self._get_balance(self.liability), -25)
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        invoice.button_draft()
        self.assertFalse(cards.sudo().invoice_line_id)
        self.assertEqual(cards.mapped('terms'), ['sold', 'sold', 'consigned'])
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        invoice.action_post()
        self.assertEqual(cards[:2].sudo().invoice_line_id, invoice.invoice_line_ids)
        invoice.button_draft()
        invoice.button_cancel()
        self.assertEqual(self._settle().amount_total, 50)
        self.assertEqual(cards.mapped('terms'), ['sold', 'sold', 'consigned'])

    def test_a_card_that_a_draft_bills_is_not_put_back_on_consignment(self):
        card = self._consign(activation_required=True).with_user(self.accountant)
        card._activate()
        invoice = self._settle()
        card._deactivate()
        self.assertEqual(card.terms, 'sold')
        invoice.action_post()
        self.assertEqual(card.sudo().invoice_line_id, invoice.invoice_line_ids)

    def test_cards_in_another_currency_at_another_rate_clear_to_zero(self):
        self._set_rate(2, Date.subtract(self.today, days=3))
        cards = self._consign(2, currency_id=self.other_currency.id)
        with self._on(Date.subtract(self.today, days=2)):
            self._redeem(cards[0])
        self.assertEqual(self._get_balance(self.settlement_account), 12.5)
        self._set_rate(4, Date.subtract(self.today, days=1))
        self._agree(percent=10)
        invoice = self._settle()
        self.assertEqual(invoice.currency_id, self.other_currency)
        invoice.action_post()
        loss = self.company.expense_currency_exchange_account_id
        self.assertEqual(
            self._get_entry(invoice),
            sorted(
                [
                    (self.receivable.name, 22.5, 5.63),
                    (self.settlement_account.name, -22.5, -5.63),
                    (self.settlement_account.name, -2.5, -0.62),
                    (self.discount_account.name, 2.5, 0.62),
                    (self.settlement_account.name, 0, -6.25),
                    (loss.name, 0, 6.25),
                ]
            ),
        )
        self.assertEqual(invoice.amount_total, 22.5)
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        # The other way round: a gain, then taken back as a whole.
        self._redeem(cards[1])
        self._set_rate(1, self.today)
        gain = self._settle()
        gain.action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        note = self._credit(gain)
        note.action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 6.25)
        self.assertEqual(self._settle().amount_total, 22.5)

    def test_a_draft_whose_day_changes_follows_the_rate_of_that_day(self):
        self._set_rate(2, Date.subtract(self.today, days=3))
        card = self._consign(currency_id=self.other_currency.id)
        self._redeem(card)
        invoice = self._settle().with_user(self.accountant)
        self._set_rate(4, Date.subtract(self.today, days=40))
        self._set_rate(5, Date.subtract(self.today, days=20))
        with Form(invoice) as form:
            form.invoice_date = Date.subtract(self.today, days=10)
        invoice.action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        receivable = invoice.line_ids.filtered(lambda line: line.account_id == self.receivable)
        self.assertEqual(receivable.balance, 5)

    def test_what_was_undone_before_it_was_billed_is_not_billed(self):
        cards = self._consign(2)
        self._redeem(cards[0])
        self._undo(cards[0])
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        self.company.fiscalyear_lock_date = False
        self._redeem(cards[0])
        self.company.fiscalyear_lock_date = self.today
        self._undo(cards[0])
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle(day=Date.add(self.today, days=1))

    def test_what_was_undone_after_it_was_billed_lowers_the_next_settlement(self):
        cards = self._consign(3)
        for card in cards[:2]:
            self._redeem(card)
        invoice = self._settle()
        invoice.action_post()
        self._undo(cards[0])
        self.assertEqual(cards[0].state, 'active')
        self.assertEqual(self._get_balance(self.settlement_account), -25)
        note = self._settle()
        self.assertRecordValues(note, [{'move_type': 'out_refund', 'amount_total': 25}])
        self._redeem(cards[2])
        note.unlink()
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        self._undo(cards[2])
        note = self._settle()
        note.action_post()
        self._assert_entry(note, (self.receivable, -25), (self.settlement_account, 25))
        self.assertEqual(self._get_balance(self.settlement_account), 0)

    def test_what_was_billed_stays_in_the_books_and_is_taken_back_by_a_reversal_only(self):
        for door in ('action_cancel', 'button_cancel'):
            with self.subTest(door=door):
                card = self._consign()
                payment = self._redeem(card).with_user(self.accountant)
                invoice = self._settle()
                for state in ('draft', 'posted'):
                    if state == 'posted':
                        invoice.action_post()
                    for change in (
                        payment.action_draft,
                        payment.move_id.button_draft,
                        payment.move_id.with_context(force_delete=True).unlink,
                    ):
                        with self.assertRaises(UserError), self.cr.savepoint():
                            change()
                        self.env.invalidate_all()
                self.assertEqual((payment.state, card.state), ('paid', 'used'))
                record = payment if door == 'action_cancel' else payment.move_id
                getattr(record, door)()
                self.assertEqual((card.state, payment.move_id.state), ('disabled', 'posted'))
                note = self._settle()
                self.assertEqual((note.move_type, note.amount_total), ('out_refund', 25))
                note.action_post()
                self.assertEqual(self._get_balance(self.settlement_account), 0)
                with self.assertRaises(UserError), self.cr.savepoint():
                    payment.move_id.reversal_move_ids.button_draft()

    def test_a_draft_that_was_deleted_or_cancelled_gives_up_what_it_billed(self):
        card = self._consign()
        self._redeem(card)
        invoice = self._settle().with_user(self.accountant)
        invoice.unlink()
        invoice = self._settle().with_user(self.accountant)
        self.assertEqual(invoice.amount_total, 25)
        invoice.button_cancel()
        again = self._settle()
        self.assertEqual(again.amount_total, 25)
        invoice.button_draft()
        with self.assertRaisesRegex(UserError, "no longer says what is owed"):
            invoice.action_post()
        again.action_post()

    def test_a_settlement_that_is_reset_keeps_what_it_bills(self):
        self._redeem(self._consign())
        invoice = self._settle().with_user(self.accountant)
        invoice.action_post()
        invoice.button_draft()
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        invoice.action_post()
        invoice.button_draft()
        invoice.button_cancel()
        self.assertEqual(self._settle().amount_total, 25)

    def _credit(self, invoice):
        """Return the credit note that Odoo's window drafts."""
        wizards = self.env['account.move.reversal'].with_user(self.accountant)
        wizard = wizards.with_context(active_model='account.move', active_ids=invoice.ids).create(
            {'journal_id': invoice.journal_id.id}
        )
        action = wizard.refund_moves()
        return self.env['account.move'].with_user(self.accountant).browse(action['res_id'])

    def test_a_credit_note_takes_a_settlement_back_as_a_whole_and_once(self):
        self._agree(percent=10)
        cards = self._consign(2)
        for card in cards:
            self._redeem(card)
        invoice = self._settle()
        invoice.action_post()
        note = self._credit(invoice)
        for change in (
            lambda: note.write(
                {'invoice_line_ids': [Command.update(note.invoice_line_ids.id, {'quantity': 1})]}
            ),
            lambda: note.invoice_line_ids.write({'price_unit': 1}),
            lambda: note.invoice_line_ids.sudo().write({'discount': 0}),
        ):
            with self.assertRaisesRegex(UserError, "bills cards that were used"):
                change()
        note.action_post()
        self._assert_entry(
            note,
            (self.receivable, -45),
            (self.settlement_account, 45),
            (self.settlement_account, 5),
            (self.discount_account, -5),
        )
        with self.assertRaisesRegex(UserError, "once and as a whole"):
            self._credit(invoice).action_post()
        with self.assertRaisesRegex(UserError, "was taken back by"):
            invoice.button_draft()
        again = self._settle()
        self.assertEqual(again.amount_total, 45)
        for takes_back in (note.button_draft, lambda: note._reverse_moves(cancel=True)):
            with self.assertRaisesRegex(UserError, "billed again"), self.cr.savepoint():
                takes_back()
        again.action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 0)

    def test_a_credit_note_for_a_part_of_the_lines_is_refused(self):
        for _number in range(2):
            self._redeem(self._consign())
        invoice = self._settle()
        self.assertEqual(len(invoice.invoice_line_ids), 2)
        invoice.action_post()
        note = self._credit(invoice)
        note.invoice_line_ids[0].unlink()
        with self.assertRaisesRegex(UserError, "once and as a whole"):
            note.action_post()

    def test_settlement_lines_are_made_and_changed_by_no_other_door(self):
        self._redeem(self._consign())
        invoice = self._settle().with_user(self.accountant)
        line = invoice.invoice_line_ids
        other = self.other_currency
        for state in ('draft', 'posted'):
            if state == 'posted':
                invoice.action_post()
            for values in (
                {'account_id': self.discount_account.id},
                {'quantity': 2},
                {'price_unit': 3},
                {'discount': 50},
                {'refill_card_role': False},
                {'refill_card_series_id': False},
                {'refill_card_booked': 3},
                {'tax_ids': [Command.set(self.company_data['default_tax_sale'].ids)]},
            ):
                for record in (line, line.sudo()):
                    with self.subTest(state=state, values=values, su=record.env.su):
                        with self.assertRaises(UserError), self.cr.savepoint():
                            record.write(values)
            for values in ({'partner_id': self.stranger.id}, {'currency_id': other.id}):
                with self.subTest(state=state, values=values):
                    with self.assertRaises(UserError), self.cr.savepoint():
                        invoice.write(values)
        with self.assertRaises(UserError):
            invoice.copy()
        typed = {
            'name': "Typed",
            'account_id': self.settlement_account.id,
            'price_unit': 25,
            'refill_card_role': 'settlement',
            'refill_card_series_id': line.refill_card_series_id.id,
        }
        moves = self.env['account.move'].with_user(self.accountant)
        values = {'move_type': 'out_invoice', 'partner_id': self.reseller.id}
        for create in (moves.create, moves.sudo().create):
            with self.assertRaises(AccessError):
                create({**values, 'invoice_line_ids': [Command.create(typed)]})
        plain = moves.create({**values, 'invoice_line_ids': [Command.create({'price_unit': 1})]})
        with self.assertRaises(AccessError):
            plain.invoice_line_ids.write({'refill_card_role': 'settlement'})
        with self.assertRaises(AccessError):
            plain.invoice_line_ids.write({'refill_card_bill_line_id': line.id})
        context = {'refill_card_settling': True}
        with self.assertRaises(AccessError):
            plain.invoice_line_ids.with_context(**context).write({'refill_card_role': 'settlement'})

    def test_journal_items_tell_what_was_not_billed_and_to_whom(self):
        cards = self._consign(2)
        self._redeem(cards[0])
        self._settle()
        self._redeem(cards[1])
        lines = self.env['account.move.line'].with_user(self.accountant)
        views = lines.get_views([(False, 'search'), (False, 'list')])['views']
        [node] = etree.fromstring(views['search']['arch']).findall(
            ".//filter[@name='refill_cards_not_billed']"
        )
        found = lines.search(safe_eval(node.get('domain')))
        self.assertEqual(found.move_id, cards[1].payment_id.move_id)
        self.assertEqual(found.refill_card_debtor_id, self.reseller)
        self.assertIn('refill_card_bill_line_id', views['list']['arch'])

    def test_no_account_of_cards_is_proposed_for_what_else_a_reseller_is_invoiced(self):
        self._agree(percent=10)
        self._redeem(self._consign())
        self._settle().action_post()
        invoice = self.env['account.move'].with_user(self.accountant)
        invoice = invoice.create({'move_type': 'out_invoice', 'partner_id': self.reseller.id})
        with Form(invoice) as form:
            with form.invoice_line_ids.new() as line:
                line.name = "Posters"
                line.price_unit = 7
        self.assertEqual(invoice.invoice_line_ids.account_id, invoice.journal_id.default_account_id)

    def test_a_fiscal_position_leaves_a_settlement_as_it_is(self):
        self._redeem(self._consign())
        invoice = self._settle().with_user(self.accountant)
        position = self.env['account.fiscal.position'].create(
            {
                'name': "Abroad",
                'account_ids': [
                    Command.create(
                        {
                            'account_src_id': self.settlement_account.id,
                            'account_dest_id': self.discount_account.id,
                        }
                    )
                ],
            }
        )
        invoice.fiscal_position_id = position
        invoice.action_update_fpos_values()
        invoice.action_post()
        self._assert_entry(invoice, (self.receivable, 25), (self.settlement_account, -25))

    def test_nothing_else_is_booked_on_the_accounts_of_a_settlement(self):
        self._redeem(self._consign())
        invoice = self._settle().with_user(self.accountant)
        typed = {'name': "x", 'price_unit': 1, 'tax_ids': []}
        typed['account_id'] = self.settlement_account.id
        invoice.write({'invoice_line_ids': [Command.create(typed)]})
        with self.assertRaisesRegex(UserError, "something else on .*Refill cards to be settled"):
            invoice.action_post()
        invoice.invoice_line_ids[1].account_id = self.company_data['default_account_revenue']
        invoice.action_post()

    def test_the_companys_own_discount_account_is_for_other_lines(self):
        own = self.discount_account.copy()
        self.company.account_discount_expense_allocation_id = own
        self._agree(percent=10)
        self._redeem(self._consign())
        invoice = self._settle().with_user(self.accountant)
        income = self.company_data['default_account_revenue']
        posters = {'name': "Posters", 'price_unit': 10, 'discount': 50, 'tax_ids': []}
        posters['account_id'] = income.id
        invoice.write({'invoice_line_ids': [Command.create(posters)]})
        invoice.action_post()
        self._assert_entry(
            invoice,
            (self.receivable, 27.5),
            (self.settlement_account, -22.5),
            (self.settlement_account, -2.5),
            (self.discount_account, 2.5),
            (income, -5),
            (income, -5),
            (own, 5),
        )

    def test_a_card_redeemed_in_a_branch_is_settled_by_head_office(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        card = self._consign(company_ids=[Command.clear()])
        card._redeem(self.customer, branch, channel='backend')
        invoice = self._settle()
        invoice.action_post()
        self.assertEqual((invoice.company_id, invoice.amount_total), (self.company, 25))
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        in_branch = self._new_user('branch', 'account.group_account_manager', company_id=branch.id)
        window = self.env['refill.card.settle'].with_user(in_branch).create({'day': self.today})
        with self.assertRaisesRegex(AccessError, "choose it among your companies"):
            window.action_settle()

    def test_a_line_that_completes_a_settlement_does_not_become_one(self):
        moves = self.env['account.move'].with_user(self.accountant)
        bill = moves.create({'move_type': 'in_invoice', 'partner_id': self.reseller.id})
        line = self.env['account.move.line'].with_user(self.accountant)
        line = line.create(
            {
                'move_id': bill.id,
                'display_type': 'discount',
                'account_id': self.settlement_account.id,
                'refill_card_role': 'settlement',
            }
        )
        with self.assertRaises(UserError):
            line.display_type = 'product'

    def test_a_settlement_of_nothing_on_balance_is_confirmed(self):
        first, second = self._consign(), self._consign()
        self._redeem(first)
        self._settle().action_post()
        self._undo(first)
        self._redeem(second)
        invoice = self._settle()
        self.assertEqual(invoice.amount_total, 0)
        invoice.action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()

    def test_other_lines_of_a_settlement_are_the_accountants(self):
        self._redeem(self._consign())
        invoice = self._settle().with_user(self.accountant)
        with Form(invoice) as form:
            with form.invoice_line_ids.new() as line:
                line.name = "Posters"
                line.price_unit = 7
                line.tax_ids.clear()
            form.narration = "Thank you"
        invoice.action_post()
        self.assertEqual(invoice.amount_total, 32)

    def test_all_who_owe_are_billed_till_the_end_of_the_period_that_was_agreed_on(self):
        quarterly = self.env['res.partner'].create({'name': "Quarterly"})
        self._agree(partner_id=quarterly.id, period='quarter')
        with self._on('2026-08-15'):
            for holder in (self.reseller, quarterly):
                self._redeem(self._consign(holder=holder))
        drafts = self._settle(partners=[], day='2026-08-31')
        self.assertEqual(drafts.partner_id, self.reseller)
        self.assertEqual(str(drafts.invoice_date), '2026-08-31')
        drafts = self._settle(partners=[], day='2026-09-30')
        self.assertEqual(drafts.partner_id, quarterly)
        self.assertEqual(str(drafts.invoice_date), '2026-09-30')

    def test_the_proposed_day_is_the_last_of_the_last_finished_period(self):
        windows = self.env['refill.card.settle'].with_user(self.accountant)
        with self._on('2026-11-01'):
            self.assertEqual(str(Form(windows).day), '2026-10-31')
        agreement = self._agree(period='quarter')
        with self._on('2026-11-15'):
            form = Form(windows)
            self.assertEqual(str(form.day), '2026-10-31')
            form.partner_ids.add(self.reseller)
            self.assertEqual(str(form.day), '2026-09-30')
            agreement.period = 'week'
            form = Form(windows.with_context(default_partner_ids=self.reseller.ids))
            self.assertEqual(str(form.day), '2026-11-08')

    def test_the_window_says_what_is_owed(self):
        cards = self._consign(2) + self._consign(2, activation_required=True)
        self._redeem(cards[0])
        cards[2].with_user(self.accountant)._activate()
        action = self.reseller.with_user(self.accountant).action_settle_refill_cards()
        windows = self.env[action['res_model']].with_user(self.accountant)
        form = Form(windows.with_context(**action['context']))
        self.assertEqual(form.partner_ids[:], self.reseller)
        form.day = self.today
        for text in ("Kiosk", "50.00"):
            self.assertIn(text, form.preview)
        yesterday = Date.subtract(self.today, days=1)
        form.day = yesterday
        day = format_date(self.env(user=self.accountant), yesterday)
        self.assertIn(f"Nothing is owed till {day}", form.preview)
        self.assertIn("Nothing is owed of the periods", Form(windows).preview)

    def test_only_accountants_who_manage_cards_settle(self):
        self._redeem(self._consign())
        manager = self._new_user('card_manager', 'refill_cards.group_refill_card_manager')
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        for user in (self.clerk, manager, bookkeeper):
            with self.subTest(user=user.login):
                with self.assertRaises(AccessError):
                    self.reseller.with_user(user).action_settle_refill_cards()
                moves = self.env['account.move'].with_user(user)
                with self.assertRaises(AccessError):
                    moves._settle_refill_cards(self.company, self.today)
        window = self.env['refill.card.settle'].with_user(manager).create({'day': self.today})
        with self.assertRaises(AccessError):
            window.action_settle()
        self.assertNotIn("Kiosk", window.preview)
        self.accountant.company_ids = self.company
        windows = self.env['refill.card.settle'].with_user(self.accountant)
        window = windows.create({'day': self.today, 'company_id': self.other_company.id})
        with self.assertRaises(AccessError):
            window.action_settle()
        other = self._new_user(
            'daughter', 'account.group_account_manager', company_id=self.other_company.id
        )
        window = windows.with_user(other).create({'day': self.today, 'company_id': self.company.id})
        self.assertNotIn("Kiosk", window.preview)
