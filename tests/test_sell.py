from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import Form, tagged

from .test_sale import SaleCommon


class SellCommon(SaleCommon):
    """The windows that sell and return cards, as the accountant has them."""

    def _open(self, records, user=None, **values):
        window = records.with_user(user or self.accountant).action_sell()
        wizard = self.env['refill.card.sell'].with_user(user or self.accountant)
        wizard = wizard.browse(window['res_id'])
        wizard.write({'partner_id': self.buyer.id, **values})
        return wizard

    def _draft_by_window(self, records, user=None, **values):
        """Sell by the window; return the draft of the invoice."""
        action = self._open(records, user=user, **values).action_sell()
        return self.env['account.move'].with_user(user or self.accountant).browse(action['res_id'])

    def _return(self, records, **values):
        """Return cards by the window; return the drafts of the credit notes."""
        records = records.with_user(self.accountant)
        if records._name == 'account.move':
            action = records.action_return_refill_cards()
        else:
            action = records.action_return()
        wizard = self.env['refill.card.return'].with_user(self.accountant)
        wizard = wizard.browse(action['res_id'])
        wizard.write(values)
        done = wizard.action_return()
        return (
            self.env['account.move']
            .with_user(self.accountant)
            .search(done.get('domain') or [('id', '=', done['res_id'])])
        )

    def _choose(self, move, first, last, line=None, **values):
        action = move.with_user(self.accountant).action_choose_refill_cards()
        wizard = self.env['refill.card.choose'].with_user(self.accountant)
        wizard = wizard.browse(action['res_id'])
        if line:
            wizard.line_id = line
        wizard.write({'first': first.name, 'last': last.name, **values})
        wizard.action_choose()


@tagged('post_install', '-at_install')
class TestSell(SellCommon):
    """Cards are sold by hand: a draft that keeps exactly these."""

    # -------------------------------------------------------------------------
    # WHAT IS REFUSED
    # -------------------------------------------------------------------------

    def test_only_accountants_who_manage_the_cards_sell_them(self):
        card = self._generate_card()
        manager = self._new_user('card_manager', 'refill_cards.group_refill_card_manager')
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        for user in (self.clerk, manager, bookkeeper):
            for records in (card, card.series_id):
                with self.assertRaises(AccessError):
                    records.with_user(user).action_sell()
            with self.assertRaises(AccessError):
                window = self.env['refill.card.sell'].with_user(user)
                values = {'card_ids': card.ids, 'partner_id': self.buyer.id}
                window.create(values).action_sell()
        self.assertFalse(card.reserved_line_id)

    def test_cards_that_cannot_be_sold_are_named_with_the_reason(self):
        used, consigned, kept, disabled, late, free = self._generate(6).card_ids
        self._redeem(used)
        consigned.with_user(self.accountant)._consign(self.stranger)
        self._draft_by_window(kept)
        self._change(disabled, 'disable', reason='lost')
        late.sudo()._operating().valid_till = '2026-01-31'
        for card, sentence in (
            (used, "used already"),
            (consigned, "handed out already"),
            (kept, "kept for another draft"),
            (disabled, "disabled"),
            (late, "past their last day"),
        ):
            with self.subTest(sentence):
                window = self._open(card + free)
                self.assertRegex(window.problem, f"{card.name}: {sentence}")
                self.assertNotIn(free.name, window.problem)
                with self.assertRaisesRegex(UserError, sentence):
                    window.action_sell()
        self.assertFalse(free.reserved_line_id)

    def test_cards_of_two_currencies_are_sold_by_themselves(self):
        series = self._generate() + self._generate(currency_id=self.other_currency.id)
        with self.assertRaisesRegex(UserError, f"{series[0].name} and {series[1].name} are in two"):
            self._open(series.card_ids).action_sell()

    def test_cards_of_other_issuers_are_not_sold_along(self):
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        ours = self._generate(company_ids=[Command.clear()])
        theirs = self._generate(user=manager, company_ids=[Command.clear()])
        both = [self.company.id, self.other_company.id]
        cards = (ours + theirs).card_ids.with_context(allowed_company_ids=both)
        with self.assertRaisesRegex(UserError, "issued by two companies"):
            self._open(cards).action_sell()
        self.company.refill_card_accept_all = True
        self.accountant.company_ids = self.company
        foreign = theirs.card_ids.with_user(self.accountant)
        self.assertTrue(foreign.filtered_domain([]) and foreign.mapped('name'))
        with self.assertRaisesRegex(UserError, f"{foreign[0].name}.*: issued by another company"):
            self._open(foreign).action_sell()

    def test_what_is_missing_is_said(self):
        series = self._generate(3)
        with self.assertRaisesRegex(UserError, "Choose the customer"):
            self._open(series, partner_id=False).action_sell()
        with self.assertRaisesRegex(UserError, "Choose a series"):
            self._open(series.card_ids.browse()).action_sell()
        for quantity in (4, -1):
            with self.assertRaisesRegex(UserError, "nobody has 3|nobody has"):
                self._open(series, quantity=quantity).action_sell()
        self.buyer.company_id = self.other_company
        with self.assertRaisesRegex(UserError, "belongs to another company"):
            self._open(series).action_sell()

    def test_a_window_does_not_name_what_its_user_may_not_see(self):
        card = self._generate_card()
        other = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        invoice = self._draft_by_window(card)
        for model, values in (
            ('refill.card.sell', {'card_ids': card.ids}),
            ('refill.card.return', {'invoice_id': invoice.id}),
            ('refill.card.choose', {'move_id': invoice.id}),
            ('refill.card.choose', {'line_id': invoice.invoice_line_ids.id}),
        ):
            with self.assertRaises(AccessError):
                self.env[model].with_user(other).create(values)

    # -------------------------------------------------------------------------
    # WHAT IS SOLD
    # -------------------------------------------------------------------------

    def test_a_selection_becomes_a_draft_that_keeps_exactly_these_cards(self):
        first, second = self._generate(5), self._generate(2, price=10)
        cards = first.card_ids[:2] + first.card_ids[3] + second.card_ids
        invoice = self._draft_by_window(cards, works='paid')
        names = first.card_ids.mapped('name')
        self.assertRecordValues(
            invoice,
            [
                {
                    'state': 'draft',
                    'move_type': 'out_invoice',
                    'partner_id': self.buyer.id,
                    'currency_id': self.company.currency_id.id,
                    'refill_card_works': 'paid',
                    'refill_card_count': 5,
                    'amount_total': 95,
                }
            ],
        )
        by_quantity = {line.quantity: line for line in invoice.invoice_line_ids}
        self.assertEqual(set(by_quantity), {3, 2})
        line = by_quantity[3]
        self.assertEqual(line.product_id.refill_card_price, 25)
        self.assertEqual((line.price_unit, line.account_id), (25, self.liability))
        self.assertIn(f"{names[0]} – {names[1]}, {names[3]}", line.name)
        kept = self.env['refill.card'].search([('reserved_line_id', '=', line.id)])
        self.assertEqual(kept, cards.filtered(lambda card: card.series_id == first))
        self.assertFalse(any(cards.mapped('terms')))
        invoice.action_post()
        self.assertEqual(set(cards.mapped('terms')), {'sold'})
        self.assertEqual(cards.filtered(lambda c: c.price == 25).invoice_line_id, line)

    def test_a_range_is_typed_or_scanned_and_the_next_ones_of_a_series_are_taken(self):
        series = self._generate(10)
        cards = series.card_ids
        windows = self.env['refill.card.sell'].with_user(self.accountant)
        form = Form(windows)
        form.partner_id = self.buyer
        form.first = cards[1].name
        form.last = cards[2].sudo().code
        self.assertEqual(form.card_count, 2)
        invoice = self.env['account.move'].browse(form.save().action_sell()['res_id'])
        self.assertEqual(
            self.env['refill.card'].search([('reserved_line_id', '!=', False)]), cards[1:3]
        )
        form = Form(windows.browse(series.with_user(self.accountant).action_sell()['res_id']))
        self.assertTrue(form.problem, "two cards are kept already")
        form.quantity = 3
        form.partner_id = self.buyer
        self.assertEqual((form.problem, form.card_count), (False, 3))
        form.save().action_sell()
        kept = self.env['refill.card'].search([('reserved_line_id', '!=', False)])
        self.assertEqual(kept, cards[:5])
        self.assertEqual(len(kept.reserved_line_id.move_id - invoice), 1)

    def test_the_price_is_what_the_reseller_agreed_on(self):
        agreements = self.env['refill.card.agreement'].sudo()
        agreement = agreements.create(
            {'company_id': self.company.id, 'partner_id': self.buyer.id, 'percent': 10}
        )
        series = self._generate(6)
        contact = self.env['res.partner'].create({'name': "Kim", 'parent_id': self.buyer.id})
        line = self._draft_by_window(series, quantity=2, partner_id=contact.id).invoice_line_ids
        self.assertEqual((line.price_unit, line.discount), (25, 10))
        self.assertEqual(line.price_subtotal, 45)
        line = self._draft_by_window(series, quantity=1, discount=20).invoice_line_ids
        self.assertEqual(line.price_subtotal, 20)
        agreement.kind = 'commission'
        window = self._open(series, quantity=2)
        self.assertIn("agent", window.agreement)
        invoice = self.env['account.move'].browse(window.action_sell()['res_id'])
        self.assertEqual(invoice.amount_total, 50)

    def test_cards_in_another_currency_are_invoiced_in_it(self):
        series = self._generate(2, currency_id=self.other_currency.id)
        invoice = self._draft_by_window(series)
        self.assertEqual((invoice.currency_id, invoice.amount_total), (self.other_currency, 50))
        invoice.action_post()
        self.assertEqual(set(series.card_ids.mapped('terms')), {'sold'})

    def test_a_draft_that_is_deleted_lets_its_cards_go(self):
        card = self._generate_card()
        self._draft_by_window(card).unlink()
        self.assertFalse(card.reserved_line_id)
        self._draft_by_window(card).button_cancel()
        self.assertFalse(card.reserved_line_id)

    # -------------------------------------------------------------------------
    # CHOOSING ON A DRAFT
    # -------------------------------------------------------------------------

    def test_cards_are_chosen_on_a_draft_and_those_of_before_are_free_again(self):
        cards = self._stock(6).card_ids
        invoice = self._draft(2)
        self._choose(invoice, cards[2], cards[4])
        line = invoice.invoice_line_ids
        self.assertEqual(line.quantity, 3)
        self.assertIn(f"{cards[2].name} – {cards[4].name}", line.name)
        self._choose(invoice, cards[5], cards[5])
        self.assertEqual(line.quantity, 1)
        self.assertNotIn(cards[2].name, line.name)
        self.assertEqual(cards.filtered('reserved_line_id'), cards[5])
        invoice.action_post()
        self.assertEqual(cards.filtered('terms'), cards[5])

    def test_the_price_of_a_card_stays_whatever_is_chosen_or_returned(self):
        cards = self._stock(12).card_ids
        dozen = self.env.ref('uom.product_uom_dozen')
        invoice = self._draft(1, price=240, line={'product_uom_id': dozen.id, 'discount': 50})
        self._choose(invoice, cards[0], cards[2])
        self.assertEqual(invoice.amount_total, 30)
        invoice.unlink()
        invoice = self._sell(1, price=240, line={'product_uom_id': dozen.id})
        note = self._return(invoice, first=cards[0].name, last=cards[1].name)
        self.assertEqual((note.invoice_line_ids.quantity, note.amount_total), (2, 40))

    def test_cards_that_do_not_fit_the_line_are_not_chosen(self):
        other = self._generate(2, price=10).card_ids
        cards = self._stock(3).card_ids
        self._draft_by_window(cards[0])
        invoice = self._draft(1)
        with self.assertRaisesRegex(UserError, "another face value"):
            self._choose(invoice, other[0], other[1])
        with self.assertRaisesRegex(UserError, "kept for another draft"):
            self._choose(invoice, cards[0], cards[1])
        plain = self.init_invoice('out_invoice', products=self.product_a)
        with self.assertRaisesRegex(UserError, "Choose the line"):
            self._choose(plain, cards[1], cards[1])
        with self.assertRaisesRegex(UserError, "lines of drafts"):
            self._choose(plain, cards[1], cards[1], line=plain.invoice_line_ids)
        invoice.action_post()
        with self.assertRaisesRegex(UserError, "lines of drafts"):
            self._choose(invoice, cards[2], cards[2])

    def test_a_credit_note_that_is_typed_freely_names_its_cards(self):
        cards = self._stock(3).card_ids
        self._draft_by_window(cards[:2]).action_post()
        note = self._draft(1, move_type='out_refund')
        with self.assertRaisesRegex(UserError, "not sold by an invoice"):
            self._choose(note, cards[2], cards[2])
        self._choose(note, cards[1], cards[1])
        note.action_post()
        self.assertEqual(cards.mapped('terms'), ['sold', False, False])
        self.assertEqual(cards[1].disable_reason, 'returned')
        note = self._draft(1, move_type='out_refund', partner_id=self.customer.id)
        with self.assertRaisesRegex(UserError, "not sold to"):
            self._choose(note, cards[0], cards[0])

    # -------------------------------------------------------------------------
    # RETURNING
    # -------------------------------------------------------------------------

    def test_cards_that_cannot_be_returned_are_named_with_the_reason(self):
        used, kept, free = self._generate(3).card_ids
        stock = self._generate_card()
        invoice = self._draft_by_window(used + kept + free, discount=10)
        invoice.action_post()
        self._redeem(used)
        self._return(kept)
        for card, sentence in (
            (used, "used"),
            (kept, "kept for another draft"),
            (stock, "not sold by an invoice"),
        ):
            with self.assertRaisesRegex(UserError, f"{card.name}: {sentence}"):
                self._return(card + free)
        elsewhere = self._draft_by_window(stock)
        elsewhere.action_post()
        with self.assertRaisesRegex(UserError, f"{stock.name}: not sold by"):
            self._return(invoice, first=stock.name, last=stock.name)
        self._return(invoice)
        with self.assertRaisesRegex(UserError, "no card to return"):
            self._return(invoice)

    def test_unused_cards_of_an_invoice_are_returned_at_the_price_as_sold(self):
        cards = self._generate(4).card_ids
        invoice = self._draft_by_window(cards, discount=10)
        invoice.action_post()
        self._redeem(cards[0])
        note = self._return(invoice)
        self.assertRecordValues(
            note,
            [
                {
                    'move_type': 'out_refund',
                    'state': 'draft',
                    'reversed_entry_id': invoice.id,
                    'partner_id': self.buyer.id,
                    'amount_total': 67.5,
                }
            ],
        )
        line = note.invoice_line_ids
        self.assertIn(f"{cards[1].name} – {cards[3].name}", line.name)
        self.assertNotIn(cards[0].name, line.name)
        self.assertEqual(cards.filtered('reserved_line_id'), cards[1:])
        note.action_post()
        self._assert_booked(
            note,
            (self.liability, 67.5),
            (self.liability, 7.5),
            (self.discount, -7.5),
            (self.receivable, -67.5),
        )
        self.assertEqual(cards.mapped('terms'), ['sold', False, False, False])

    def test_cards_of_two_invoices_are_returned_by_two_credit_notes(self):
        cards = self._generate(4).card_ids
        invoices = self._draft_by_window(cards[:2]) + self._draft_by_window(cards[2:])
        invoices.action_post()
        notes = self._return(cards[1:3])
        self.assertEqual(notes.reversed_entry_id, invoices)
        self.assertEqual(notes.mapped('amount_total'), [25, 25])
        notes.action_post()
        self.assertEqual(cards.mapped('terms'), ['sold', False, False, 'sold'])

    def test_a_range_of_an_invoice_is_returned(self):
        cards = self._generate(4).card_ids
        invoice = self._draft_by_window(cards)
        invoice.action_post()
        note = self._return(invoice, first=cards[1].name, last=cards[2].name)
        self.assertEqual(note.invoice_line_ids.quantity, 2)
        self.assertEqual(cards.filtered('reserved_line_id'), cards[1:3])

    def test_the_order_of_returned_cards_knows_that_they_came_back(self):
        if 'sale.order' not in self.env:
            self.skipTest("without Sales")
        self._stock(3)
        line = {'product_id': self.product.id, 'product_uom_qty': 3}
        order = (
            self.env['sale.order']
            .sudo()
            .create({'partner_id': self.buyer.id, 'order_line': [Command.create(line)]})
        )
        order.action_confirm()
        order.order_line.qty_delivered = 3
        invoice = order._create_invoices()
        invoice.action_post()
        self.assertEqual(order.order_line.qty_invoiced, 3)
        cards = self._get_cards(invoice)
        self._return(cards[1:]).action_post()
        self.assertEqual(order.order_line.qty_invoiced, 1)

    # -------------------------------------------------------------------------
    # WHAT IS SHOWN
    # -------------------------------------------------------------------------

    def test_a_button_leads_from_the_invoice_to_its_cards_and_back(self):
        cards = self._generate(3).card_ids
        invoice = self._draft_by_window(cards[:2])
        for _state in ('draft', 'posted'):
            action = invoice.action_open_refill_cards()
            self.assertEqual(self.env['refill.card'].search(action['domain']), cards[:2])
            self.assertEqual(invoice.refill_card_count, 2)
            back = cards[0].with_user(self.accountant).action_open_invoice()
            self.assertEqual(back['res_id'], invoice.id)
            invoice.action_post() if invoice.state == 'draft' else None
        self.assertEqual(cards.series_id.sold_count, 2)
        self.assertEqual(cards[0].event_ids[0].partner_id, self.buyer)
        self.assertFalse(self._invoice(5).refill_card_count)

    def test_the_invoice_of_a_company_is_not_told_to_another(self):
        card = self._generate_card(company_ids=[Command.clear()])
        self.other_company.refill_card_accept_all = True
        self._draft_by_window(card).action_post()
        other = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        card = card.with_user(other)
        self.assertTrue(card.name)
        self.assertFalse(card.invoice_id or card.invoice_line_id)
        self.assertFalse(card.search([('invoice_line_id', '!=', False)]))

    def test_papers_say_the_serial_numbers_and_never_a_code(self):
        cards = self._stock(5).card_ids
        typed = self._draft(3)
        by_window = self._draft_by_window(cards[3:])
        (typed + by_window).action_post()
        reports = self.env['ir.actions.report']
        for invoice, first, last in ((typed, cards[0], cards[2]), (by_window, cards[3], cards[4])):
            html, _type = reports._render_qweb_html('account.account_invoices', invoice.ids)
            text = html.decode()
            self.assertEqual(text.count(f"{first.name} – {last.name}"), 1)
            for code in cards.sudo().mapped('code'):
                self.assertNotIn(code, text)
                self.assertNotIn(code.replace('-', ''), text)

    def test_papers_go_on_saying_what_was_handed_out_and_what_came_back(self):
        cards = self._stock(4).card_ids
        invoice = self._sell(4)
        line = invoice.invoice_line_ids
        everything = f"{cards[0].name} – {cards[3].name}"
        self.assertEqual(line.refill_card_serials, everything)
        note = invoice._reverse_moves()
        note.invoice_line_ids.quantity = 2
        note.action_post()
        returned = f"{cards[2].name} – {cards[3].name}"
        self.assertEqual(note.invoice_line_ids.refill_card_serials, returned)
        self.assertEqual(line.refill_card_serials, everything)
        with self.assertRaises(AccessError):
            line.with_user(self.accountant).refill_card_serials = "x"

    def test_a_copy_does_not_name_the_cards_of_its_original(self):
        card, other = self._generate(2).card_ids
        draft = self._draft_by_window(card)
        self.assertNotIn(card.name, draft.copy().invoice_line_ids.name)
        draft.action_post()
        self.assertIn(card.name, draft.invoice_line_ids.name)
        for copy in (draft.copy(), draft._reverse_moves()):
            self.assertNotIn(card.name, copy.invoice_line_ids.name)
            self.assertFalse(copy.invoice_line_ids.refill_card_serials)
        draft.button_draft()
        self._choose(draft, other, other)
        self.assertNotIn(card.name, draft.invoice_line_ids.name)

    def test_a_draft_says_how_many_cards_are_missing_and_offers_to_generate_them(self):
        self._stock(3)
        invoice = self._draft(5)
        [alert] = [
            alert for name, alert in invoice.alerts.items() if name.startswith('refill_cards')
        ]
        self.assertIn("2 refill cards are missing", alert['message'])
        form = Form(
            self.env['refill.card.generate']
            .with_user(self.accountant)
            .with_context(**alert['action']['context'])
        )
        self.assertEqual((form.quantity, form.price, form.for_sale), (2, 25, True))
        form.save().action_generate()
        invoice.invalidate_recordset()
        self.assertFalse(invoice.alerts)
        invoice.action_post()
        self.assertEqual(invoice.refill_card_count, 5)
        self.assertFalse(self._draft(1, move_type='out_refund').alerts)

    def test_a_clerk_is_not_alerted(self):
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        self.assertFalse(self._draft(5, user=bookkeeper).alerts)
