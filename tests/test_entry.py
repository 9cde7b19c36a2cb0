from odoo.exceptions import UserError
from odoo.fields import Command, Date
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestEntry(RefillCardCommon):
    """Liability, credit given and used cards agree, whatever is done to entries, by any door."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.invoicer = cls._new_user('invoicer', 'account.group_account_invoice')
        cls.line = cls.company._get_refill_card_method_line()
        cls.journal = cls.line.journal_id
        cls.liability = cls.line.payment_account_id
        cls.bank = cls.company_data['default_journal_bank']
        cls.doors = {
            'RPC': cls._write,
            'import': cls._import,
            'server action': cls._run_server_action,
            'superuser': lambda records, vals: records.sudo().write(vals),
        }

    def setUp(self):
        super().setUp()
        self.card = self._generate_card()
        self.payment = self._redeem(self.card).with_user(self.invoicer)
        self.entry = self.payment.move_id
        self.credit_line, self.debit_line = self.entry.line_ids.sorted('balance')

    # -------------------------------------------------------------------------
    # DOORS
    # -------------------------------------------------------------------------

    @staticmethod
    def _write(records, vals):
        records.write(vals)

    @staticmethod
    def _import(records, vals):
        columns = {'.id': records.id}
        for fname, value in vals.items():
            is_record = records._fields[fname].type == 'many2one'
            columns[f'{fname}/.id' if is_record else fname] = str(value or '')
        result = records.load(list(columns), [[str(value) for value in columns.values()]])
        if errors := [m['message'] for m in result['messages'] if m['type'] == 'error']:
            raise UserError('\n'.join(errors))

    @staticmethod
    def _run_server_action(records, vals):
        action = records.env['ir.actions.server'].sudo()
        action = action.create(
            {
                'name': "Anything",
                'model_id': records.env['ir.model']._get(records._name).sudo().id,
                'state': 'code',
                'code': f'records.write({vals!r})',
            }
        )
        action = action.with_user(records.env.user).with_context(
            active_model=records._name, active_ids=records.ids
        )
        action.run()

    # -------------------------------------------------------------------------
    # WHAT STAYS TRUE
    # -------------------------------------------------------------------------

    def _assert_agree(self):
        """Assert that liability, credit given and used cards agree, for each customer."""
        self.env.flush_all()
        self.env.invalidate_all()
        cards = self.env['refill.card'].search([('series_id.company_id', '=', self.company.id)])
        lines = self.env['account.move.line'].search([('parent_state', '=', 'posted')])
        for customer in (self.customer, self.stranger):
            used = cards.filtered(
                lambda card, c=customer: (
                    card.state == 'used'
                    and card.partner_id == c
                    and card.payment_id.move_id.state == 'posted'
                )
            )
            value = sum(used.mapped('price'))
            theirs = lines.filtered(lambda line, c=customer: line.partner_id == c)
            liability = theirs.filtered(lambda line: line.account_id == self.liability)
            self.assertEqual(sum(liability.mapped('balance')), value)
            self.assertEqual(self._balance(customer), value)
        on_liability = lines.filtered(lambda line: line.account_id == self.liability)
        self.assertFalse(on_liability.filtered(lambda line: not line.partner_id))
        for card in cards.filtered('payment_id'):
            states = {'posted': 'paid', 'draft': 'draft'}
            self.assertEqual(card.payment_id.state, states[card.payment_id.move_id.state])

    def _assert_refused(self, call, *args, message='.'):
        refused = ''
        try:
            with self.env.cr.savepoint() as savepoint:
                call(*args)
                self.env.flush_all()
                savepoint.rollback()
        except UserError as error:
            refused = str(error)
        self._assert_agree()
        self.assertTrue(refused, "not refused")
        self.assertRegex(refused, message)

    def _account(self, account_type, **values):
        accounts = self.env['account.account']
        return accounts.create(
            {
                'name': account_type,
                'code': f'REFILL{accounts.search_count([])}',
                'account_type': account_type,
                'company_ids': [Command.set(self.company.ids)],
                **values,
            }
        )

    def _prepare_entry_values(self, **values):
        lines = [(self.liability, 25), (self.credit_line.account_id, -25)]
        return {
            'journal_id': self.journal.id,
            'line_ids': [
                Command.create(
                    {
                        'account_id': account.id,
                        'balance': balance,
                        'partner_id': self.customer.id,
                    }
                )
                for account, balance in lines
            ],
            **values,
        }

    # -------------------------------------------------------------------------
    # BARE FIELDS
    # -------------------------------------------------------------------------

    def test_a_bare_field_that_contradicts_is_refused_by_every_door(self):
        other, payable = self._account('liability_current'), self._account('liability_payable')
        bank_line = self.bank.inbound_payment_method_line_ids[0]
        # On a contact of the customer the credit would be out of reach.
        contact = self.env['res.partner'].create({'name': "Contact", 'parent_id': self.customer.id})
        samples = [
            *((self.payment, {'state': state}) for state in ('canceled', 'draft', 'in_process')),
            (self.payment, {'state': 'rejected'}),
            (self.payment, {'amount': 999}),
            (self.payment, {'partner_id': self.stranger.id}),
            (self.payment, {'currency_id': self.other_currency.id}),
            (self.payment, {'destination_account_id': payable.id}),
            (self.payment, {'outstanding_account_id': other.id}),
            (self.payment, {'move_id': False}),
            (self.payment, {'journal_id': self.bank.id, 'payment_method_line_id': bank_line.id}),
            (self.entry, {'state': 'draft'}),
            (self.entry, {'state': 'cancel'}),
            (self.entry, {'origin_payment_id': False}),
            (self.entry, {'journal_id': self.bank.id, 'name': '/'}),
            (self.debit_line, {'account_id': other.id}),
            (self.debit_line, {'partner_id': self.stranger.id}),
            (self.credit_line, {'partner_id': self.stranger.id}),
            (self.credit_line, {'partner_id': False}),
            (self.credit_line, {'partner_id': contact.id}),
            (self.credit_line, {'account_id': payable.id}),
        ]
        for records, vals in samples:
            for door, write in self.doors.items():
                with self.subTest(model=records._name, door=door, **vals):
                    self._assert_refused(write, records.with_user(self.accountant), vals)
        self.assertEqual(self.card.state, 'used')

    def test_an_invoicing_user_gets_no_further_than_an_accountant(self):
        for vals in ({'state': 'canceled'}, {'state': 'draft'}, {'amount': 1}):
            with self.subTest(**vals):
                self._assert_refused(self.payment.write, vals)

    def test_a_state_is_not_written_together_with_its_contradiction(self):
        payment = Command.update(self.payment.id, {'state': 'canceled'})
        vals = {'state': 'cancel', 'payment_ids': [payment]}
        self._assert_refused(self.entry.write, vals, message="with its buttons")

    def test_the_customers_line_moves_to_another_receivable_account(self):
        for door, write in self.doors.items():
            with self.subTest(door):
                other = self._account('asset_receivable', reconcile=True)
                write(self.credit_line.with_user(self.accountant), {'account_id': other.id})
                self._assert_agree()
                self.assertEqual(self.credit_line.account_id, other)
        self._undo(self.card)
        self._assert_agree()

    def test_a_confirmed_bank_payment_does_not_become_one_by_refill_card(self):
        bank = self.env['account.payment'].create(
            {
                'amount': 25,
                'partner_id': self.stranger.id,
                'journal_id': self.bank.id,
            }
        )
        bank.action_post()
        vals = {'journal_id': self.journal.id, 'payment_method_line_id': self.line.id}
        for door, write in self.doors.items():
            with self.subTest(door), self.assertRaises(UserError), self.env.cr.savepoint():
                write(bank.with_user(self.accountant), vals)
                self.env.flush_all()

    def test_lines_are_neither_added_nor_taken_away(self):
        other = self.env['account.move'].create(
            self._prepare_entry_values(journal_id=self.company_data['default_journal_misc'].id)
        )
        lines = self.entry.line_ids.with_user(self.accountant)
        create = [
            {'move_id': self.entry.id, 'account_id': line.account_id.id, 'balance': line.balance}
            for line in other.line_ids
        ]
        for name, call in {
            'added': lambda: lines.create(create),
            'deleted': lambda: lines.with_context(force_delete=True).unlink(),
            'taken': lambda: lines.write({'move_id': other.id}),
            'given': lambda: other.line_ids.write({'move_id': self.entry.id}),
        }.items():
            with self.subTest(name):
                self._assert_refused(call)

    # -------------------------------------------------------------------------
    # DRAFTS
    # -------------------------------------------------------------------------

    def test_an_entry_over_something_else_is_not_confirmed(self):
        debit, credit = self.debit_line, self.credit_line
        account = self.company_data['default_account_expense']

        def both(value):
            return [
                Command.update(line.id, {'balance': balance, 'amount_currency': balance})
                for line, balance in ((debit, value), (credit, -value))
            ]

        samples = {
            "an expense": [Command.update(debit.id, {'account_id': account.id})],
            "a bank account": [
                Command.update(debit.id, {'account_id': self.bank.default_account_id.id})
            ],
            "two accounts": [
                Command.update(debit.id, {'balance': 10, 'amount_currency': 10}),
                Command.create({'account_id': account.id, 'balance': 15}),
            ],
            "two lines": [
                Command.update(debit.id, {'balance': 10, 'amount_currency': 10}),
                Command.create(
                    {
                        'account_id': self.liability.id,
                        'balance': 15,
                        'partner_id': self.customer.id,
                    }
                ),
            ],
            "a vendor's account": [
                Command.update(
                    credit.id,
                    {'account_id': self.company_data['default_account_payable'].id},
                )
            ],
            "another value": both(999),
            "the other way round": both(-25),
            "a stranger": [Command.update(credit.id, {'partner_id': self.stranger.id})],
            "nobody": [Command.update(credit.id, {'partner_id': False})],
        }
        for name, commands in samples.items():
            for confirm in ('entry', 'payment', 'superuser', 'bare state'):
                with self.subTest(name, confirm=confirm):
                    self._assert_refused(self._edit_and_confirm, commands, confirm)

    def _edit_and_confirm(self, commands, confirm):
        self.payment.action_draft()
        self.entry.write({'line_ids': commands})
        {
            'entry': self.entry.action_post,
            'payment': self.payment.action_post,
            'superuser': self.entry.sudo()._post,
            'bare state': lambda: self.payment.write({'state': 'paid'}),
        }[confirm]()

    def test_a_foreign_card_keeps_its_value_in_the_companys_currency(self):
        card = self._generate_card(currency_id=self.other_currency.id)
        payment = self._redeem(card, self.stranger).with_user(self.invoicer)
        payment.action_draft()
        balance = self._balance(self.stranger)
        with self.assertRaisesRegex(UserError, "books nothing else"), self.env.cr.savepoint():
            payment.move_id.line_ids = [
                Command.update(line.id, {'balance': 999 if line.balance > 0 else -999})
                for line in payment.move_id.line_ids
            ]
            payment.action_post()
        self.env.invalidate_all()
        payment.action_post()
        self.assertGreater(self._balance(self.stranger), 0)
        self.assertEqual((payment.state, balance), ('paid', 0))

    def test_a_rate_that_is_corrected_later_leaves_what_is_confirmed_as_it_is(self):
        card = self._generate_card(currency_id=self.other_currency.id)
        payment = self._redeem(card, self.stranger).with_user(self.accountant)
        balance = self._balance(self.stranger)
        self.env['res.currency.rate'].create(
            {
                'currency_id': self.other_currency.id,
                'company_id': self.company.id,
                'name': payment.date,
                'rate': 7,
            }
        )
        credit_line = payment.move_id.line_ids.sorted('balance')[0]
        credit_line.account_id = self._account('asset_receivable', reconcile=True)
        self.assertEqual(self._balance(self.stranger), balance)
        self._undo(card)
        self.assertEqual(self._balance(self.stranger), 0)

    def test_payment_and_entry_go_together_to_draft_and_back(self):
        for record in (self.payment, self.entry):
            getattr(record, 'action_draft' if record == self.payment else 'button_draft')()
            self.assertEqual((self.payment.state, self.entry.state), ('draft', 'draft'))
            self.assertEqual(self.card.state, 'used')
            self._assert_agree()
            record.action_post()
            self.assertEqual((self.payment.state, self.entry.state), ('paid', 'posted'))
            self._assert_agree()

    # -------------------------------------------------------------------------
    # WHAT A JOURNAL OF CARDS TAKES
    # -------------------------------------------------------------------------

    def test_the_journal_takes_only_what_cards_book(self):
        moves = self.env['account.move'].with_user(self.accountant)
        payments = self.env['account.payment'].with_user(self.accountant)
        payment_values = {
            'amount': 25,
            'partner_id': self.customer.id,
            'journal_id': self.journal.id,
        }
        manual = self.env.ref('account.account_payment_method_manual_in')
        self.journal.inbound_payment_method_line_ids = [
            Command.create(
                {
                    'name': "Cash",
                    'payment_method_id': manual.id,
                    'payment_account_id': self.liability.id,
                }
            )
        ]
        other_line = self.journal.inbound_payment_method_line_ids - self.line
        transfer = self.company.transfer_account_id
        statement_line = {'journal_id': self.journal.id, 'amount': 25, 'date': '2026-01-01'}

        def later():
            moves.create(self._prepare_entry_values(auto_post='at_date', date=Date.today()))
            self.env.ref('account.ir_cron_auto_post_draft_entry').method_direct_trigger()

        for name, call in {
            'duplicate': lambda: self.entry.with_user(self.accountant).copy().action_post(),
            'by hand': lambda: moves.create(self._prepare_entry_values()).action_post(),
            'by hand, as superuser': lambda: (
                moves.sudo().create(self._prepare_entry_values())._post()
            ),
            'made posted': lambda: moves.with_context(default_state='posted').create(
                self._prepare_entry_values()
            ),
            'linked to the payment': lambda: moves.create(
                self._prepare_entry_values(origin_payment_id=self.payment.id)
            ).action_post(),
            'bare state': lambda: moves.create(self._prepare_entry_values()).write(
                {'state': 'posted'}
            ),
            'moved here': lambda: self._move_here(moves),
            'another method': lambda: payments.create(
                {**payment_values, 'payment_method_line_id': other_line.id}
            ).action_post(),
            'its own method': lambda: payments.create(
                {**payment_values, 'payment_method_line_id': self.line.id}
            ).action_post(),
            'a transfer': lambda: payments.create(
                {
                    **payment_values,
                    'payment_method_line_id': other_line.id,
                    'destination_account_id': transfer.id,
                }
            ).action_post(),
            'a statement line': lambda: self.env['account.bank.statement.line'].create(
                statement_line
            ),
        }.items():
            with self.subTest(name):
                self._assert_refused(call, message="takes only|redeeming a card|its buttons")
        later()
        self._assert_agree()

    def _move_here(self, moves):
        misc = self.company_data['default_journal_misc']
        move = moves.create(self._prepare_entry_values(journal_id=misc.id))
        move.action_post()
        move.write({'journal_id': self.journal.id, 'name': '/'})

    def test_a_hand_entry_moves_to_a_journal_that_takes_it(self):
        move = self.env['account.move'].with_user(self.accountant)
        move = move.create(self._prepare_entry_values())
        move.journal_id = self.company_data['default_journal_misc']
        move.action_post()
        self.assertEqual(move.state, 'posted')

    # -------------------------------------------------------------------------
    # ENTRIES THAT END
    # -------------------------------------------------------------------------

    def test_a_deleted_entry_gives_the_card_back(self):
        def force(records):
            return records.with_user(self.accountant).with_context(force_delete=True)

        def draft(records):
            self.payment.action_draft()
            return records.with_user(self.accountant)

        for name, call in {
            'draft entry': lambda: draft(self.entry).unlink(),
            'draft entry by force': lambda: force(draft(self.entry)).unlink(),
            'confirmed entry by force': lambda: force(self.entry).unlink(),
            'superuser': lambda: force(self.entry).sudo().unlink(),
            'payment': lambda: self.payment.with_user(self.accountant).unlink(),
            'draft payment': lambda: draft(self.payment).unlink(),
            'cancelled draft': lambda: draft(self.payment).action_cancel(),
        }.items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                call()
                self._assert_agree()
                self.assertEqual(self.card.disable_reason, 'payment')
                self.assertIn(self.payment.exists().state, (False, 'canceled'))
                savepoint.rollback()
                self.env.invalidate_all()

    def test_a_payment_that_lost_its_entry_makes_no_other(self):
        self.payment.action_draft()
        self.entry.with_user(self.accountant).unlink()
        self.payment.action_draft()
        self._assert_refused(self.payment.action_post, message="not confirmed again")

    def test_half_of_a_reversal_is_not_deleted(self):
        reversal = self.entry._reverse_moves([{'date': self.entry.date}], cancel=True)
        self.assertEqual((self.payment.state, self.card.state), ('canceled', 'disabled'))
        for move in (self.entry, reversal):
            with self.subTest(move.name):
                call = move.with_user(self.accountant).with_context(force_delete=True).unlink
                self._assert_refused(call)

    # -------------------------------------------------------------------------
    # CODE OF OTHER ADDONS
    # -------------------------------------------------------------------------

    def test_trusted_code_corrects_and_is_looked_at_in_the_end(self):
        moves = self.env['account.move']
        customer = {'partner_id': self.stranger.id}
        with moves._correcting_refill_card_books():
            self.payment.sudo().write(customer)
            self.entry.line_ids.write(customer)
        self.card.sudo()._operating().partner_id = self.stranger
        self._assert_agree()
        with self.assertRaises(UserError), moves._correcting_refill_card_books():
            self.entry.line_ids.write({'partner_id': self.customer.id})

    def test_merged_customers_have_the_credit_of_both(self):
        self._redeem(self._generate_card(), self.stranger)
        wizards = self.env['base.partner.merge.automatic.wizard']
        both = (self.customer + self.stranger).ids
        wizard = wizards.create(
            {'partner_ids': [Command.set(both)], 'dst_partner_id': self.customer.id}
        )
        wizard.action_merge()
        self.env.invalidate_all()
        self.assertEqual(self._balance(), 50)
        self.payment.action_draft()
        self.payment.action_post()
        self._undo(self.card)
        self.assertEqual(self._balance(), 25)

    # -------------------------------------------------------------------------
    # ANOTHER SET-UP
    # -------------------------------------------------------------------------

    def _set_receivable(self, account):
        self.env['ir.default'].set(
            'res.partner', 'property_account_receivable_id', account.id, company_id=self.company.id
        )

    def test_with_another_set_up_old_cards_are_undone_and_new_ones_booked_right(self):
        receivable = self._account('asset_receivable', reconcile=True)
        for name, change in {
            'default account': lambda: self.journal.write(
                {'default_account_id': self._account('liability_current').id}
            ),
            'outstanding account': lambda: self.line.write(
                {'payment_account_id': self._account('liability_current').id}
            ),
            "company's receivable": lambda: self._set_receivable(receivable),
            "customer's receivable": lambda: self.customer.with_company(self.company).write(
                {'property_account_receivable_id': receivable.id}
            ),
            'another journal': lambda: self.line.write(
                {'journal_id': self.company_data['default_journal_cash'].id}
            ),
        }.items():
            for locked in (False, True):
                with self.subTest(name, locked=locked), self.env.cr.savepoint() as savepoint:
                    change()
                    new = self._generate_card()
                    payment = self._redeem(new)
                    self.assertEqual(self._balance(), 50)
                    self.assertRecordValues(
                        payment.move_id.line_ids.sorted('balance'),
                        [
                            {'account_id': payment.destination_account_id.id, 'balance': -25},
                            {'account_id': self.line.payment_account_id.id, 'balance': 25},
                        ],
                    )
                    self._lock(locked)
                    for card, left in ((self.card, 25), (new, 0)):
                        self._undo(card)
                        self.assertEqual((self._balance(), card.state), (left, 'active'))
                    savepoint.rollback()
                    self.env.invalidate_all()

    def _lock(self, locked=True):
        self.company.fiscalyear_lock_date = Date.today() if locked else False

    def test_with_a_set_up_that_does_not_serve_old_cards_are_undone_and_new_ones_refused(self):
        receivable = self.credit_line.account_id
        for name, change, message in (
            ("journal archived", lambda: self.journal.action_archive(), "archived journal"),
            ("method removed", self._remove_method, "incoming payment method"),
            ("reconciled", lambda: self.liability.write({'reconcile': True}), "not reconciled"),
            (
                "reconciled account",
                lambda: self.line.write(
                    {'payment_account_id': self._account('liability_current', reconcile=True).id}
                ),
                "not reconciled",
            ),
            (
                "asset",
                lambda: self.line.write({'payment_account_id': self._account('asset_cash').id}),
                "a liability",
            ),
            ("archived", lambda: self.liability.write({'active': False}), "archived"),
            ("receivable archived", lambda: receivable.sudo().write({'active': False}), "archived"),
            (
                "vendors' account",
                lambda: self._set_receivable(self._account('liability_payable')),
                "receivable account",
            ),
            (
                "none",
                lambda: self._set_receivable(self.env['account.account']),
                "receivable account",
            ),
        ):
            for locked in (False, True):
                with self.subTest(name, locked=locked), self.env.cr.savepoint() as savepoint:
                    change()
                    new = self._generate_card()
                    with self.assertRaisesRegex(UserError, message), self.env.cr.savepoint():
                        self._redeem(new)
                    self.assertEqual((self._balance(), new.state), (25, 'active'))
                    self._lock(locked)
                    self._undo(self.card)
                    self.assertEqual((self._balance(), self.card.state), (0, 'active'))
                    savepoint.rollback()
                    self.env.invalidate_all()

    def _remove_method(self):
        self.journal.inbound_payment_method_line_ids = [Command.clear()]

    def test_a_set_up_in_which_books_and_cards_would_part_is_refused(self):
        manual = self.env.ref('account.account_payment_method_manual_in')
        receivable = self.credit_line.account_id
        method = self.line.payment_method_id
        for records, vals in (
            (receivable, {'account_type': 'asset_current'}),
            (receivable, {'account_type': 'liability_payable'}),
            (self.liability, {'account_type': 'income'}),
            (self.journal, {'default_account_id': receivable.id}),
            (self.journal, {'type': 'bank'}),
            (self.line, {'payment_method_id': manual.id}),
            (method, {'code': 'other'}),
            (method, {'payment_type': 'outbound'}),
            (self.bank.inbound_payment_method_line_ids[0], {'payment_method_id': method.id}),
        ):
            for door, write in self.doors.items():
                if door == 'server action' and records == method:
                    continue  # those run by invoicing users only on what they may open
                with self.subTest(model=records._name, door=door, **vals):
                    self._assert_refused(write, records.with_user(self.accountant), vals)
        self._assert_refused(method.with_user(self.accountant).unlink)

    def test_a_journal_of_cards_does_not_say_that_it_is_none(self):
        for door, write in self.doors.items():
            if door == 'server action':
                continue  # those run by accountants only on what they may open
            with self.subTest(door=door):
                write(self.journal.with_user(self.accountant), {'books_refill_cards': False})
                self.env.flush_all()
                self.env.invalidate_all()
                self.assertTrue(self.journal.books_refill_cards)
                self._assert_refused(self.payment.write, {'state': 'canceled'})
        with self.subTest(door='create'):
            values = {
                'name': "Other cards",
                'type': 'cash',
                'code': 'OTHER',
                'books_refill_cards': True,
            }
            journal = self.journal.with_user(self.accountant).create(values)
            self.assertFalse(journal.books_refill_cards)

    def test_what_odoo_computes_of_a_line_is_not_written(self):
        bank_payment = self.env['account.payment'].create(
            {
                'payment_type': 'inbound',
                'partner_id': self.customer.id,
                'journal_id': self.bank.id,
                'amount': 1,
            }
        )
        for fname, value in (
            ('parent_state', 'draft'),
            ('reconciled', True),
            ('amount_residual', 0),
            ('amount_residual_currency', 0),
            ('date', '2020-01-01'),
            ('journal_id', self.bank.id),
            ('payment_id', bank_payment.id),
        ):
            for door, write in self.doors.items():
                line = self.credit_line.with_user(self.accountant)
                with self.subTest(fname, door=door):
                    self._assert_refused(write, line, {fname: value}, message='computed|by hand')
        values = [Command.update(self.credit_line.id, {'parent_state': 'cancel'})]
        self._assert_refused(self.entry.write, {'line_ids': values})
        self.credit_line.write({'parent_state': 'posted', 'reconciled': False})
        method = self.env.ref('account.account_payment_method_manual_in')
        self._assert_refused(self.payment.write, {'payment_method_id': method.id})

    def test_entries_in_a_journal_that_lost_the_method_stay(self):
        self._remove_method()
        vals = {'partner_id': self.stranger.id}
        self._assert_refused(self.credit_line.write, vals)
        self._assert_refused(self.payment.write, {'state': 'canceled'})
        self.payment.action_cancel()
        self.assertEqual(self.card.state, 'disabled')
        self._assert_agree()
