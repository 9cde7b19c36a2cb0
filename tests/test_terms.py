from unittest.mock import patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command, Date, Domain
from odoo.tests import Form, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestTerms(RefillCardCommon):
    """Cards on consignment, and cards given away."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reseller = cls.env['res.partner'].create({'name': "Kiosk", 'is_company': True})

    def _hand_out(self, records, operation, user=None, **values):
        """Hand cards or whole series out by the window; return what the user is told."""
        window = records.with_user(user or self.accountant).action_hand_out()
        wizard = self.env[window['res_model']].with_user(user or self.accountant)
        wizard = wizard.browse(window['res_id'])
        wizard.write({'operation': operation, **values})
        return wizard.action_confirm().get('params', {}).get('message')

    def _consign(self, records, **kwargs):
        return self._hand_out(records, 'consign', holder_id=self.reseller.id, **kwargs)

    def _get_debit(self, card):
        """Return what the redemption of a card debited: account, series, who owes it."""
        [debit] = card.payment_id.move_id.line_ids.filtered('debit')
        self.assertEqual(debit.balance, card.price)
        return debit.account_id, debit.refill_card_series_id, debit.refill_card_debtor_id

    # -------------------------------------------------------------------------
    # HANDING OUT
    # -------------------------------------------------------------------------

    def test_cards_are_given_on_consignment_and_taken_back(self):
        series = self._generate(4)
        contact = self.env['res.partner'].create({'name': "Kim", 'parent_id': self.reseller.id})
        cards = series.card_ids[:3]
        self._hand_out(cards, 'consign', holder_id=contact.id)
        self.assertRecordValues(
            cards,
            [
                {
                    'terms': 'consigned',
                    'holder_id': self.reseller.id,
                    'handed_out_on': Date.context_today(series),
                    'state': 'active',
                }
            ]
            * 3,
        )
        event = cards[0].event_ids[:1]
        self.assertEqual((event.note, event.partner_id), ("On consignment", self.reseller))
        self.assertEqual(len(set(cards.event_ids.mapped('reference')) - {False}), 1)
        self.assertEqual((series.consigned_count, series.given_count), (3, 0))
        self._redeem(cards[0])
        told = self._hand_out(series, 'take_back')
        self.assertIn("Cards changed: 2", told)
        self.assertIn("Left alone: 1", told)
        self.assertEqual(series.card_ids.mapped('terms'), ['consigned', False, False, False])
        self.assertFalse(cards[1].holder_id or cards[1].handed_out_on)
        event = cards[1].event_ids[:1]
        self.assertEqual((event.note, event.partner_id), ("Taken back", self.reseller))

    def test_cards_are_given_away_for_a_purpose(self):
        card = self._generate_card()
        with self.assertRaisesRegex(UserError, "why the cards are given away"):
            self._hand_out(card, 'give_away')
        self._hand_out(card, 'give_away', purpose=" Fair ")
        self.assertEqual((card.terms, card.event_ids[0].note), ('given', "Given away: Fair"))
        self.assertFalse(card.holder_id)

    def test_what_cannot_be_handed_out_is_left_alone_and_said(self):
        series = self._generate(5)
        had, used, disabled, late, free = series.card_ids
        self._consign(had)
        self._redeem(used)
        self._change(disabled, 'disable', reason='lost')
        late.sudo()._operating().valid_till = '2026-01-31'
        wizards = self.env['refill.card.hand.out'].with_user(self.accountant)
        form = Form(wizards.create({'series_ids': series.ids, 'holder_id': self.reseller.id}))
        self.assertEqual(form.card_count, 1)
        self.assertIn("1 past their last day", form.skipped)
        self._consign(series)
        self.assertEqual(
            series.card_ids.mapped('terms'), ['consigned', False, False, False, 'consigned']
        )
        with self.assertRaisesRegex(UserError, "none of these cards can be changed"):
            self._consign(free)
        with self.assertRaisesRegex(UserError, "Choose the reseller"):
            self._hand_out(late, 'consign')

    def test_a_consignment_of_two_companies_has_two_notes_which_open_together(self):
        both = [self.company.id, self.other_company.id]
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = self._generate(2, user=manager)
        self.accountant.company_ids += self.other_company
        self.assertEqual(theirs.company_id, self.other_company)
        cards = self._generate_card() + theirs.card_ids
        cards = cards.with_user(self.accountant).with_context(allowed_company_ids=both)
        window = cards.action_hand_out()
        wizard = cards.env[window['res_model']].browse(window['res_id'])
        wizard.holder_id = self.reseller
        params = wizard.action_confirm()['params']
        self.assertIn("Cards changed: 3", params['message'])
        notes = self.env['refill.card.delivery'].search([])
        self.assertEqual(sorted(notes.mapped('card_count')), [1, 2])
        self.assertEqual(params['next']['domain'], [('id', 'in', notes.ids)])

    def test_cards_are_not_consigned_to_whom_nobody_could_bill(self):
        card = self._generate_card()
        self.reseller.company_id = self.other_company
        with self.assertRaisesRegex(UserError, "belongs to another company"):
            self._consign(card)
        with self.assertRaisesRegex(UserError, "with somebody else"):
            self._hand_out(card, 'consign', holder_id=self.company.partner_id.id)
        self.assertFalse(card.terms or self.env['refill.card.delivery'].search([]))

    def test_cards_that_somebody_has_are_not_deleted(self):
        card, other = self._generate(2).card_ids.with_user(self.accountant)
        self._consign(card)
        for records in (card, card.series_id, card.sudo()):
            with self.assertRaisesRegex(UserError, "was handed out"):
                records.unlink()
        other.unlink()
        self._hand_out(card, 'take_back')
        card.series_id.unlink()
        self.assertFalse(card.exists())

    def test_only_accountants_who_manage_the_cards_hand_them_out(self):
        card = self._generate_card()
        manager = self._new_user('card_manager', 'refill_cards.group_refill_card_manager')
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        other = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, manager, bookkeeper):
            for call in (
                lambda: card.with_user(user).action_hand_out(),  # noqa: B023
                lambda: card.with_user(user)._consign(self.reseller),  # noqa: B023
            ):
                with self.assertRaises(AccessError):
                    call()
        self.assertEqual(card.with_user(other)._consign(self.reseller), 0)
        with self.assertRaises(AccessError):
            card.sudo().terms = 'given'
        self.assertFalse(card.terms)
        self.assertEqual(card.sudo()._consign(self.reseller), 1)

    def test_only_the_issuer_sees_who_has_a_card(self):
        card = self._generate_card(company_ids=[Command.clear()])
        self._consign(card)
        theirs = card.with_user(
            self._new_user(
                'daughter_clerk',
                'refill_cards.group_refill_card_user',
                company_id=self.other_company.id,
            )
        )
        self.other_company.refill_card_accept_all = True
        theirs.invalidate_recordset()
        self.assertFalse(theirs.holder_id)
        self.assertEqual(card.with_user(self.clerk).holder_id, self.reseller)

    def test_a_consignment_has_a_delivery_note_without_a_code(self):
        series = self._generate(5)
        names = series.card_ids.mapped('name')
        window = (series.card_ids[:2] + series.card_ids[3]).with_user(self.accountant)
        window = window.action_hand_out()
        wizard = self.env[window['res_model']].with_user(self.accountant)
        wizard = wizard.browse(window['res_id'])
        wizard.holder_id = self.reseller
        action = wizard.action_confirm()['params']['next']
        note = self.env[action['res_model']].with_user(self.accountant).browse(action['res_id'])
        self.assertRecordValues(
            note,
            [{'partner_id': self.reseller.id, 'company_id': self.company.id, 'card_count': 3}],
        )
        self.assertEqual(note.name, series.card_ids[0].event_ids[:1].reference)
        self.assertRecordValues(
            note.line_ids,
            [
                {
                    'first_serial': names[first],
                    'last_serial': names[last],
                    'card_count': count,
                    'price': 25,
                    'amount': 25 * count,
                }
                for first, last, count in ((0, 1, 2), (3, 3, 1))
            ],
        )
        reports = self.env['ir.actions.report'].with_user(self.accountant)
        html, _type = reports._render_qweb_html(
            'refill_cards.report_refill_card_delivery', note.ids
        )
        text = html.decode()
        for part in (names[0], names[1], names[3], "Kiosk", "75.00", "Signature"):
            self.assertIn(part, text)
        for code in series.card_ids.sudo().mapped('code'):
            self.assertNotIn(code, text)
        with self.assertRaises(AccessError):
            note.with_user(self.clerk).read(['name'])
        with self.assertRaises(AccessError):
            note.write({'partner_id': self.customer.id})

    # -------------------------------------------------------------------------
    # WHAT A REDEMPTION DEBITS
    # -------------------------------------------------------------------------

    def test_the_debited_account_follows_the_terms(self):
        free, consigned, given = self._generate(3).card_ids
        self._consign(consigned)
        self._hand_out(given, 'give_away', purpose="Fair")
        liability = self.company._get_refill_card_method_line().payment_account_id
        for card, account, debtor in (
            (free, liability, self.reseller.browse()),
            (consigned, self.company.refill_card_settlement_account_id, self.reseller),
            (given, self.company.refill_card_gift_account_id, self.reseller.browse()),
        ):
            with self.subTest(terms=card.terms):
                payment = self._redeem(card)
                self.assertEqual(payment.state, 'paid')
                self.assertEqual(payment.outstanding_account_id, account)
                self.assertEqual(self._get_debit(card), (account, card.series_id, debtor))
        self.assertEqual(self._balance(), 75)

    def test_a_card_of_another_company_is_owed_by_its_issuer(self):
        self.other_company.refill_card_accept_all = True
        plain, consigned, given = self._generate(3, company_ids=[Command.clear()]).card_ids
        self._consign(consigned)
        self._hand_out(given, 'give_away', purpose="Fair")
        settlement = self.other_company.refill_card_settlement_account_id
        self.assertTrue(settlement)
        for card in (plain, consigned, given):
            card._redeem(self.customer, self.other_company, channel='backend')
            self.assertEqual(
                self._get_debit(card), (settlement, card.series_id, self.company.partner_id)
            )

    def test_a_branch_books_on_the_accounts_of_its_head_office(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        card = self._generate_card(company_ids=[Command.clear()])
        self._consign(card)
        payment = card._redeem(self.customer, branch, channel='backend')
        self.assertEqual(
            payment.outstanding_account_id, self.company.refill_card_settlement_account_id
        )

    def test_taking_a_payment_back_mirrors_what_was_debited(self):
        for operation, values in (
            ('consign', {'holder_id': self.reseller.id}),
            ('give_away', {'purpose': "Fair"}),
        ):
            with self.subTest(operation=operation):
                card = self._generate_card()
                self._hand_out(card, operation, **values)
                payment = self._redeem(card)
                account = payment.outstanding_account_id
                self._undo(card)
                self.assertEqual((card.state, payment.state), ('active', 'canceled'))
                self.assertTrue(card.terms, "the reseller still has it")
                lines = self.env['account.move.line'].search(
                    [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
                )
                self.assertEqual(sum(lines.mapped('balance')), 0)
                self.assertEqual(self._balance(), 0)

    def test_what_was_debited_stays_whatever_is_written_to_the_payment(self):
        card = self._generate_card()
        self._consign(card)
        payment = self._redeem(card).with_user(self.accountant)
        debited = self._get_debit(card)
        for _time in range(2):
            payment.write({'payment_method_line_id': payment.payment_method_line_id.id})
            payment.write({'journal_id': payment.journal_id.id, 'memo': "Again"})
            self.env.flush_all()
            self.env.invalidate_all()
            self.assertEqual(payment.outstanding_account_id, debited[0])
            payment.action_draft()
            payment.date = Date.subtract(payment.date, days=1)
            payment.action_post()
            self.assertEqual(self._get_debit(card), debited)
            self.assertEqual((payment.state, card.state), ('paid', 'used'))

    def test_series_and_debtor_of_a_booked_card_are_not_changed_by_hand(self):
        card, free = self._generate(2).card_ids
        self._consign(card)
        payment = self._redeem(card).with_user(self.accountant)
        other_payment = self._redeem(free).with_user(self.accountant)
        entry = payment.move_id
        debit, other = (
            each.move_id.line_ids.filtered('debit') for each in (payment, other_payment)
        )

        def type_again():
            payment.action_draft()
            values = {'account_id': debit.account_id.id, 'debit': debit.debit}
            commands = [Command.delete(debit.id), Command.create(values)]
            entry.write({'line_ids': commands})
            entry.action_post()

        def reverse_for_another():
            reversal = entry._reverse_moves([{'date': entry.date}])
            reversal.line_ids.filtered('credit').refill_card_debtor_id = self.customer
            reversal.action_post()

        for change in (
            lambda: debit.write({'refill_card_debtor_id': self.customer.id}),
            lambda: debit.write({'refill_card_debtor_id': False}),
            lambda: debit.sudo().write({'refill_card_series_id': False}),
            lambda: other.write({'refill_card_debtor_id': self.customer.id}),
            type_again,
            reverse_for_another,
        ):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                change()
            self.env.invalidate_all()
        account = self.company.refill_card_settlement_account_id
        self.assertEqual(self._get_debit(card), (account, card.series_id, self.reseller))

    def test_payments_that_other_addons_make_meanwhile_keep_their_account(self):
        self._invoice(25)
        card = self._generate_card()
        self._consign(card)
        journal = self.company_data['default_journal_bank']
        values = {'partner_id': self.customer.id, 'amount': 3, 'journal_id': journal.id}
        made = self.env['account.payment']

        def pay(moves):
            nonlocal made
            made |= moves.env['account.payment'].create(values)

        with patch.object(self.env.registry['account.move'], '_invoice_paid_hook', pay):
            self._redeem(card)
        self.assertTrue(made)
        for payment in made:
            account = payment.payment_method_line_id.payment_account_id
            self.assertEqual(payment.outstanding_account_id, account)

    def test_the_reversal_of_a_locked_entry_says_series_and_debtor_too(self):
        card = self._generate_card()
        self._consign(card)
        entry = self._redeem(card).move_id
        account, debtor = self.company.refill_card_settlement_account_id, self.reseller
        series = card.series_id
        entry.company_id.fiscalyear_lock_date = entry.date
        self._undo(card)
        [credit] = entry.reversal_move_ids.line_ids.filtered('credit')
        self.assertRecordValues(
            credit,
            [
                {
                    'account_id': account.id,
                    'refill_card_series_id': series.id,
                    'refill_card_debtor_id': debtor.id,
                }
            ],
        )

    def test_accounts_are_made_and_stay_once_cards_were_booked_on_them(self):
        company = self.company
        settlement = company.refill_card_settlement_account_id
        gift = company.refill_card_gift_account_id
        self.assertEqual((settlement.account_type, settlement.reconcile), ('asset_current', False))
        self.assertEqual((gift.account_type, gift.reconcile), ('expense', False))
        company._setup_refill_cards()
        self.assertEqual(company.refill_card_settlement_account_id, settlement)
        with self.assertRaisesRegex(ValidationError, "not reconciled"):
            company.refill_card_gift_account_id = settlement
        company.refill_card_gift_account_id = gift.copy()
        card = self._generate_card()
        self._consign(card)
        self._redeem(card)
        with self.assertRaisesRegex(UserError, "it stays the account for"):
            company.refill_card_settlement_account_id = settlement.copy()
        with self.assertRaisesRegex(UserError, "its type stays"):
            settlement.account_type = 'asset_fixed'

    def test_without_an_account_a_sentence_says_what_to_choose_and_nothing_happens(self):
        card = self._generate_card()
        self._hand_out(card, 'give_away', purpose="Fair")
        account = self.company.refill_card_gift_account_id
        for change in (
            lambda: account.write({'reconcile': True}),
            lambda: account.write({'reconcile': False, 'active': False}),
            lambda: self.company.write({'refill_card_gift_account_id': False}),
        ):
            change()
            with self.assertRaisesRegex(UserError, "no account for “Refill Cards Given Away”"):
                self._redeem(card)
            self.assertEqual(card.state, 'active')

    def test_terms_go_with_a_card_that_moves_to_another_series(self):
        series = self._generate(3)
        card = series.card_ids[0]
        self._consign(card)
        self._change(card, 'companies', company_ids=self.other_company.ids)
        self.assertNotEqual(card.series_id, series)
        self.assertEqual((card.terms, card.holder_id), ('consigned', self.reseller))
        self.assertEqual(card.search_count(Domain('holder_id', '=', self.reseller.id)), 1)
