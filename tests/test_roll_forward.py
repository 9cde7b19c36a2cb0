"""What is owed to holders of cards on any day, and what the ledger says about it."""

import base64
import io
from datetime import timedelta

import openpyxl
from odoo import Command
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Date
from odoo.tests import tagged
from odoo.tools import date_utils

from .test_currency import CurrencyCommon
from .test_movements import MovementCommon
from .test_release import ReleaseCommon


class RollForwardCommon(MovementCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first = cls.earlier.replace(day=1)
        cls.last = date_utils.end_of(cls.earlier, 'month')

    def _report(self, first=None, last=None, user=None, **values):
        report = self.env['refill.card.roll.forward'].with_user(user or self.accountant)
        report = report.create(
            {'date_from': first or self.first, 'date_to': last or self.today, **values}
        )
        report.action_show()
        return report

    def _get_total(self, report, measure='balance'):
        """Return what is not zero of the total line."""
        [line] = report.line_ids.filtered(
            lambda line: line.kind == 'total' and line.measure == measure
        )
        numbers = ('beginning', 'stated', 'sold', 'redeemed', 'given_back', 'returned')
        numbers += ('released', 'brought_back', 'moved', 'end')
        return {number: line[number] for number in numbers if line[number]}

    def _get_reasons(self, report):
        """Return why the ledger differs, with the figures of both days."""
        return {
            reason.name: (reason.beginning, reason.end)
            for reason in report.reason_ids
            if reason.kind != 'total'
        }

    def _get_ends(self, report):
        """Return what the cards, the ledger and the customers' credit say at the end."""
        return report.reason_ids.filtered(lambda reason: reason.kind == 'total').mapped('end')


@tagged('post_install', '-at_install')
class TestRollForward(RollForwardCommon):
    # -------------------------------------------------------------------------
    # WHO MAY
    # -------------------------------------------------------------------------

    def test_a_clerk_is_not_told(self):
        reports = self.env['refill.card.roll.forward'].with_user(self.clerk)
        with self.assertRaises(AccessError):
            reports.action_open()
        with self.assertRaises(AccessError):
            reports.create({})

    def test_another_company_is_told_by_whoever_works_there(self):
        self.accountant.company_ids = self.company
        report = self.env['refill.card.roll.forward'].with_user(self.accountant).create({})
        with self.assertRaisesRegex(AccessError, "choose the main company"):
            report.company_id = self.other_company.id

    def test_the_books_of_a_branch_are_those_of_its_company(self):
        branch = self.env['res.company'].create({'name': "Branch", 'parent_id': self.company.id})
        self.accountant.write({'company_ids': branch.ids, 'company_id': branch.id})
        with self.assertRaisesRegex(AccessError, "share their books"):
            self.env['refill.card.roll.forward'].with_user(self.accountant).create({})

    def test_a_period_does_not_end_before_it_begins(self):
        with self.assertRaisesRegex(ValidationError, "ends before it begins"):
            self._report(self.today, self.earlier)

    def test_it_opens_with_the_last_month(self):
        action = self.env['refill.card.roll.forward'].with_user(self.accountant).action_open()
        reports = self.env['refill.card.roll.forward'].with_user(self.accountant)
        report = reports.browse(action['res_id'])
        self.assertEqual(
            report.date_to, date_utils.start_of(self.today, 'month') - Date.today().resolution
        )
        self.assertEqual(report.date_from, report.date_to.replace(day=1))
        self.assertTrue(report.is_shown)
        report.date_to = self.today
        self.assertFalse(report.is_shown)

    def test_a_report_is_its_users_alone(self):
        report = self._report()
        other = self._new_user('other', 'account.group_account_manager')
        with self.assertRaises(AccessError):
            report.with_user(other).read(['line_ids'])
        self._stock(1)
        self._sell()
        lines = self._report().line_ids
        with self.assertRaises(AccessError):
            lines[0].with_user(self.accountant).write({'end': 1})
        with self.assertRaises(AccessError):
            lines[0].with_user(other).read(['end'])

    # -------------------------------------------------------------------------
    # CARDS AND LEDGER
    # -------------------------------------------------------------------------

    def test_what_is_sold_redeemed_given_back_and_returned_rolls_forward(self):
        self._stock(5)
        invoice = self._sell(5, invoice_date=self.earlier)
        cards = self._get_cards(invoice)
        self._redeem(cards[0])
        self._redeem(cards[1])
        self._undo(cards[1])
        action = cards[4].with_user(self.accountant).action_return()
        window = self.env['refill.card.return'].with_user(self.accountant)
        note = self.env['account.move'].browse(
            window.browse(action['res_id']).action_return()['res_id']
        )
        note.action_post()
        month = self._report(self.first, self.last)
        self.assertEqual(self._get_total(month), {'sold': 125, 'end': 125})
        self.assertEqual(self._get_ends(month), [125, 125, 0])
        report = self._report(date_utils.add(self.last, days=1), self.today)
        expected = {'beginning': 5, 'redeemed': -2, 'given_back': 1, 'returned': -1, 'end': 3}
        self.assertEqual(self._get_total(report, 'count'), expected)
        expected = {name: 25 * count for name, count in expected.items()}
        self.assertEqual(self._get_total(report), expected)
        self.assertFalse(self._get_reasons(report))
        self.assertEqual(self._get_ends(report), [75, 75, 25])
        self.assertEqual(report.reason_ids[1].beginning, 125)

    def test_the_figures_of_a_past_day_stay(self):
        self._stock(3)
        cards = self._get_cards(self._sell(3, invoice_date=self.earlier))
        before = self._get_total(self._report(self.first, self.last))
        self._redeem(cards[0])
        self._undo(cards[0])
        payment = self._redeem(cards[1])
        payment.with_user(self.accountant).action_cancel()
        note = cards.invoice_line_id.move_id._reverse_moves([{'invoice_date': self.today}])
        self._change(cards[2], 'disable', reason='lost')
        note.invoice_line_ids.quantity = 2
        note.action_post()
        report = self._report(self.first, self.last)
        self.assertEqual(self._get_total(report), before)
        self.assertEqual(self._get_ends(report), [75, 75, 0])
        # One is disabled, and owed to whoever has it.
        self.assertEqual(self._get_ends(self._report()), [25, 25, 0])

    def test_a_line_a_series_a_subtotal_a_face_value_and_a_total(self):
        for price in (25, 10, 25):
            series = self._generate(2, price=price)
            self._sell_cards_of(series)
        lines = self._report().line_ids.filtered(lambda line: line.measure == 'balance')
        self.assertEqual(
            lines.mapped('kind'), ['series', 'subtotal', 'series', 'series', 'subtotal', 'total']
        )
        self.assertEqual(lines.mapped('end'), [20, 20, 50, 50, 100, 120])

    def _sell_cards_of(self, series):
        sale = (
            self.env['refill.card.sell']
            .with_user(self.accountant)
            .create({'card_ids': series.card_ids.ids, 'partner_id': self.buyer.id})
        )
        invoice = self.env['account.move'].browse(sale.action_sell()['res_id'])
        invoice.action_post()
        return invoice

    def test_what_is_consigned_or_given_away_is_owed_by_others(self):
        consigned, given = cards = self._generate(2).card_ids
        consigned._consign(self.buyer)
        given._give_away("Opening")
        for card in cards:
            self._redeem(card)
        report = self._report()
        self.assertFalse(report.line_ids)
        self.assertEqual(self._get_ends(report), [0, 0, 50])

    def test_entries_by_hand_are_told_and_open(self):
        self._stock(1)
        self._sell(invoice_date=self.today)
        for day, amount in ((self.earlier, 40), (self.today, 7)):
            self._book_by_hand(day, amount)
        report = self._report(self.today, self.today)
        reasons = self._get_reasons(report)
        self.assertEqual(
            reasons,
            {
                "Entries from before cards were sold by invoices": (40, 40),
                "Entries by hand": (0, 7),
            },
        )
        self.assertEqual(self._get_ends(report)[:2], [25, 72])
        for reason in report.reason_ids.filtered(lambda reason: reason.kind == 'reason'):
            action = reason.action_open()
            lines = self.env[action['res_model']].search(action['domain'])
            self.assertEqual(-sum(lines.mapped('balance')), reason.end)

    def test_an_opening_balance_takes_over_what_was_booked_by_hand(self):
        series = self._generate(3)
        self._book_by_hand(self.earlier, 60)
        window = self.env['refill.card.opening'].with_user(self.accountant)
        window = window.create({'account_id': self.liability.id, 'date': self.today})
        window.line_ids.filtered(lambda line: line.series_id == series).sold_count = 2
        window.action_state()
        report = self._report(self.today, self.today)
        name = "Entries from before cards were sold by invoices"
        self.assertEqual(self._get_reasons(report), {name: (60, 10)})
        [reason] = report.reason_ids.filtered(lambda reason: reason.name == name)
        lines = self.env['account.move.line'].search(reason.action_open()['domain'])
        self.assertEqual(-sum(lines.mapped('balance')), 10)
        self.assertEqual(self._get_ends(report), [50, 60, 0])

    def test_what_another_company_books_on_the_same_accounts_is_not_told(self):
        accounts = self.liability + self.company.refill_card_settlement_account_id
        for account, code in zip(accounts, ('X1', 'X2'), strict=True):
            mapping = {'company_id': self.other_company.id, 'code': code}
            account.sudo().write(
                {
                    'company_ids': [Command.link(self.other_company.id)],
                    'code_mapping_ids': [Command.create(mapping)],
                }
            )
        self._book_by_hand(self.today, 7, accounts, self.other_company)
        report = self._report()
        self.assertEqual(self._get_ends(report), [0, 0, 0])
        self.assertFalse(report.debtor_ids)

    def _book_by_hand(self, day, amount, accounts=None, company=None):
        credited, debited = accounts or self.liability + self.discount
        entries = self.env['account.move'].with_company(company or self.company)
        entry = entries.create(
            {
                'move_type': 'entry',
                'date': day,
                'line_ids': [
                    Command.create({'account_id': credited.id, 'credit': amount}),
                    Command.create({'account_id': debited.id, 'debit': amount}),
                ],
            }
        )
        entry.action_post()
        return entry

    def test_activated_cards_are_owed_before_they_are_billed(self):
        self.env['refill.card.agreement'].create(
            {
                'partner_id': self.buyer.id,
                'kind': 'discount',
                'percent': 10,
                'settled_by': 'activation',
            }
        )
        cards = self._generate(2, activation_required=True).card_ids
        cards._consign(self.buyer)
        self._change(cards, 'activate')
        report = self._report()
        name = "Activated, and not billed yet"
        self.assertEqual(self._get_reasons(report), {name: (0, -50)})
        action = report.reason_ids.filtered(lambda reason: reason.name == name).action_open()
        self.assertEqual(self.env['refill.card.event'].search(action['domain']).card_id, cards)
        moves = self.env['account.move'].with_user(self.accountant)
        moves._settle_refill_cards(self.company, self.today, self.buyer).action_post()
        report = self._report()
        self.assertFalse(self._get_reasons(report))
        self.assertEqual(self._get_ends(report), [50, 50, 0])

    def test_cards_that_are_owed_are_told(self):
        self._stock(1)
        invoice = self._draft(3, invoice_date=self.earlier).sudo()
        invoice.action_post()
        name = "Sold when there were too few cards: they follow"
        report = self._report()
        self.assertEqual(self._get_reasons(report), {name: (0, 50)})
        self._stock(2)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self.assertFalse(self._get_reasons(self._report()))
        # As it was then.
        for first in (self.first, self.earlier):
            report = self._report(first, self.last)
            self.assertEqual(self._get_reasons(report), {name: (0, 50)})

    def test_cards_that_were_owed_are_told_after_a_credit_note(self):
        self._stock(1)
        invoice = self._draft(3, invoice_date=self.earlier).sudo()
        invoice.action_post()
        note = invoice._reverse_moves([{'invoice_date': self.today}])
        note.action_post()
        self.assertFalse(self._get_reasons(self._report()))
        # Of three, two were owed then.
        name = "Sold when there were too few cards: they follow"
        self.assertEqual(self._get_reasons(self._report(self.first, self.last)), {name: (0, 50)})

    def test_nothing_is_booked_by_hand_in_the_name_of_a_settlement(self):
        # As a client could say it, and Odoo itself does for what completes a settlement.
        values = {'display_type': 'discount', 'refill_card_role': 'settlement'}
        lines = [
            {'account_id': self.liability.id, 'balance': 10, **values},
            {'account_id': self.discount.id, 'balance': -10, 'display_type': 'discount'},
        ]
        item = {'account_id': self.discount.id, 'price_unit': 10, 'tax_ids': False}
        for move_type, others in (('entry', []), ('in_invoice', [item])):
            with self.subTest(move_type=move_type):
                move = self.env['account.move'].with_user(self.accountant)
                move = move.create(
                    {
                        'move_type': move_type,
                        'partner_id': self.buyer.id,
                        'invoice_date': self.today,
                        'line_ids': [Command.create(line) for line in (*others, *lines)],
                    }
                )
                with self.assertRaisesRegex(UserError, "books something else"):
                    move.action_post()

    def test_a_payment_that_is_a_draft_is_told(self):
        self._stock(1)
        card = self._get_cards(self._sell())
        payment = self._redeem(card).with_user(self.accountant)
        payment.action_draft()
        report = self._report()
        name = "Redeemed, and the payment was reset to draft"
        self.assertEqual(self._get_reasons(report), {name: (0, 25)})
        [reason] = report.reason_ids.filtered(lambda reason: reason.name == name)
        action = reason.action_open()
        self.assertEqual(self.env['account.payment'].search(action['domain']), payment)

    def test_what_is_redeemed_elsewhere_is_told_until_the_bill_is_confirmed(self):
        self._stock(2, company_ids=[Command.clear()])
        cards = self._get_cards(self._sell(2))
        clerk = self._new_user(
            'their_clerk', 'refill_cards.group_refill_card_user', company_id=self.other_company.id
        )
        payment = self._redeem(cards[0], user=clerk)
        self.assertEqual(payment.company_id, self.other_company)
        name = "Redeemed in another company, whose bill is not confirmed"
        self.assertEqual(self._get_reasons(self._report()), {name: (0, 25)})
        accountant = self._new_user(
            'their_accountant', 'account.group_account_manager', company_id=self.other_company.id
        )
        moves = self.env['account.move'].with_user(accountant).with_company(self.other_company)
        invoice = moves._settle_refill_cards(
            self.other_company, self.today, self.company.partner_id
        )
        theirs = self._report(user=accountant, company_id=self.other_company.id)
        self.assertEqual(theirs.debtor_ids.mapped('end'), [25])
        invoice.action_post()
        bill = invoice.sudo().refill_card_bill_ids
        self.assertEqual(bill.state, 'draft')
        self.assertIn(name, self._get_reasons(self._report()))
        bill.action_post()
        report = self._report()
        self.assertFalse(self._get_reasons(report))
        self.assertEqual(self._get_ends(report)[:2], [25, 25])
        theirs = self._report(user=accountant, company_id=self.other_company.id)
        self.assertFalse(any(theirs.debtor_ids.mapped('end')))

    def test_what_nobody_can_explain_is_told(self):
        self._stock(1)
        invoice = self._sell()
        self.env.flush_all()
        self.cr.execute(
            "UPDATE account_move_line SET balance = -20 WHERE id = %s", invoice.invoice_line_ids.ids
        )
        self.env.invalidate_all()
        self.assertEqual(self._get_reasons(self._report()), {"Not explained": (0, -5)})

    def test_more_redeemed_than_sold_is_told(self):
        card = self._generate_card()
        self._redeem(card)
        report = self._report()
        self.assertEqual(report.overdrawn, card.series_id.name)
        self.assertEqual(self._get_ends(report), [-25, -25, 25])

    def test_an_open_period_is_told(self):
        report = self._report(self.first, self.last)
        self.assertTrue(report.is_open)
        self.company.fiscalyear_lock_date = self.last
        self.assertFalse(self._report(self.first, self.last).is_open)

    # -------------------------------------------------------------------------
    # TO BE SETTLED, AND CREDIT
    # -------------------------------------------------------------------------

    def test_what_is_to_be_settled_is_told_by_debtor_and_age(self):
        cards = self._generate(3).card_ids
        cards._consign(self.buyer)
        for card, days in zip(cards, (30, 60, 91), strict=True):
            payment = self._redeem(card).with_user(self.accountant)
            payment.action_draft()
            payment.date = date_utils.subtract(self.today, days=days)
            payment.action_post()
        first = date_utils.subtract(self.today, days=60)
        report = self._report(first)
        [debtor] = report.debtor_ids
        self.assertEqual(debtor.partner_id, self.buyer)
        ages = [debtor[name] for name in ('recent', 'month', 'quarter', 'older')]
        self.assertEqual(ages, [25, 25, 0, 25])
        self.assertEqual([debtor.beginning, debtor.redeemed, debtor.end], [25, 50, 75])
        action = debtor.action_open()
        lines = self.env['account.move.line'].search(action['domain'])
        self.assertEqual(sum(lines.mapped('balance')), 75)
        workbook = openpyxl.load_workbook(io.BytesIO(base64.b64decode(report.xlsx)))
        rows = [[cell.value for cell in row] for row in workbook['To be settled'].iter_rows()]
        owed, total = rows[-2:]
        self.assertEqual(owed[:3] + owed[7:], ["Buyer", 25, 50, 25, 25, 0, 25])
        self.assertEqual(total[:2], ["Total", '=SUM(B6:B6)'])
        self.assertEqual(owed[6], '=SUM(B6:F6)')
        moves = self.env['account.move'].with_user(self.accountant)
        day = date_utils.subtract(self.today, days=60)
        moves._settle_refill_cards(self.company, day, self.buyer).action_post()
        [debtor] = self._report(first).debtor_ids
        # The oldest is paid first.
        ages = [debtor[name] for name in ('recent', 'month', 'quarter', 'older')]
        self.assertEqual(ages, [25, 0, 0, 0])
        self.assertEqual([debtor.billed, debtor.end], [-50, 25])

    def test_credit_is_told_until_it_pays(self):
        card, other = self._generate(2).card_ids
        self._redeem(card)
        self._redeem(other)
        self.assertEqual(self._get_ends(self._report())[2], 50)
        self._invoice(30)
        self.assertEqual(self._get_ends(self._report())[2], 20)
        self._undo(other)
        self.assertEqual(self._get_ends(self._report())[2], 0)

    # -------------------------------------------------------------------------
    # ON PAPER
    # -------------------------------------------------------------------------

    def test_the_workbook_has_formulas_for_sums(self):
        for price in (25, 10):
            self._sell_cards_of(self._generate(2, price=price))
        report = self._report()
        report.action_export()
        content = base64.b64decode(report.xlsx)
        values = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
        self.assertEqual(values.sheetnames[-1], "Ledger")
        sheet = values.worksheets[0]
        ends = [row[-1].value for row in sheet.iter_rows(min_row=6)]
        self.assertEqual(ends, [20, 20, 50, 50, 70])
        sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
        formulas = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=6)]
        self.assertEqual(
            [row[2] for row in formulas], [20, '=SUM(C6:C6)', 50, '=SUM(C8:C8)', '=C7+C9']
        )
        self.assertEqual(formulas[0][-1], '=SUM(B6:H6)')

    def test_the_report_is_printed(self):
        self._stock(1)
        self._sell()
        report = self._report()
        action = report.action_print()
        html, _type = (
            self.env['ir.actions.report']
            .with_user(self.accountant)
            ._render_qweb_html(action['report_name'], report.ids)
        )
        self.assertIn("Owed for Refill Cards", html.decode())
        self.assertIn("25.00", html.decode())


@tagged('post_install', '-at_install')
class TestRollForwardCurrency(CurrencyCommon):
    def test_cards_in_another_currency_are_told_in_both(self):
        self._stock(3)
        invoice = self._sell(3)
        cards = self.env['refill.card'].search([('invoice_line_id', 'in', invoice.line_ids.ids)])
        self._set_rate(1, self.today)
        self._redeem(cards[0])
        self._redeem(cards[1])
        self._undo(cards[1])
        report = self.env['refill.card.roll.forward'].with_user(self.accountant)
        report = report.create({'date_from': self.today, 'date_to': self.today})
        report.action_show()
        lines = report.line_ids.filtered(lambda line: line.kind == 'total')
        figures = {
            line.measure: (line.sold, line.redeemed, line.given_back, line.end, line.currency_id)
            for line in lines
        }
        dollar = self.company.currency_id
        self.assertEqual(figures['balance'], (37.5, -25, 12.5, 25, dollar))
        self.assertEqual(figures['amount'], (75, -50, 25, 50, self.other_currency))
        self.assertEqual(figures['count'][:4], (3, -2, 1, 2))
        # Ledger and cards agree, at the value of the sale.
        self.assertEqual(report.reason_ids.mapped('kind'), ['total'] * 3)
        self.assertEqual(report.reason_ids.mapped('end')[:2], [25, 25])


@tagged('post_install', '-at_install')
class TestRollForwardReleased(ReleaseCommon):
    def test_what_is_released_and_brought_back_rolls_forward(self):
        cards = self._sell(3)
        with self._on(60):
            self._expire()
            self._release()
            self._change(cards[0], 'extend', valid_till=self.today + timedelta(days=90))
            report = self.env['refill.card.roll.forward'].with_user(self.accountant)
            last = self.today + timedelta(days=60)
            report = report.create({'date_from': last, 'date_to': last})
            report.action_show()
            [total] = report.line_ids.filtered(
                lambda line: (line.kind, line.measure) == ('total', 'count')
            )
            figures = (total.beginning, total.released, total.brought_back, total.end)
            self.assertEqual(figures, (3, -3, 1, 1))
            self.assertEqual(report.reason_ids.mapped('end')[:2], [25, 25])
            self.assertEqual(report.reason_ids.mapped('kind'), ['total'] * 3)
