from collections import defaultdict
from typing import Any, NamedTuple

from odoo import api, models
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tools import SQL, format_amount, format_date

from .account_move_line_settlement import Settling


class Owed(NamedTuple):
    """What a debtor owes for cards of a series until a day, and was not billed for."""

    debtor: Any  # res.partner
    series: Any  # refill.card.series
    is_used: bool  # else the cards were sold by activation
    count: int  # below zero when more was undone than used
    booked: float  # in the company's currency; for cards sold by activation, see `_count_unbilled`
    day: Any  # datetime.date

    @property
    def value(self):
        """The face value of the cards, in the currency of the series."""
        return self.count * self.series.price


class AccountMove(models.Model):
    """Drafts that bill what resellers and companies owe for cards."""

    _inherit = 'account.move'

    @api.model
    def _settle_refill_cards(self, company, day, partners=None):
        """Bill what is owed for cards: a draft for each debtor and currency.

        Below zero it is a credit note.

        :param res.company company: a root company; its branches are settled along.
        :param datetime.date day: the last one that counts.
        :param res.partner partners: who is billed; left out, all who owe, till the end of their
            last period.
        :rtype: account.move
        :raise AccessError: when the user does not keep the company's books.
        :raise UserError: when the company lacks an account.
        """
        groups = defaultdict(list)
        for owed in self._get_refill_cards_owed(company, day, partners):
            groups[owed.debtor, owed.series.currency_id, owed.day].append(owed)
        settling = self.with_company(company).with_context(refill_card_settling=Settling())
        moves = self.browse()
        for (debtor, currency, last_day), all_owed in groups.items():
            values = settling._prepare_settlement_values(company, debtor, currency, last_day)
            sign = -1 if sum(owed.value for owed in all_owed) < 0 else 1
            if sign < 0:
                values['move_type'] = 'out_refund'
            values['invoice_line_ids'] = [
                Command.create(settling._prepare_settlement_line_values(company, owed, sign))
                for owed in all_owed
            ]
            move = settling.create(values)
            for line, owed in zip(move._get_settlement_lines().sorted('id'), all_owed, strict=True):
                line._claim_refill_cards(company, owed)
            moves += move
        return moves.with_env(self.env)

    @api.model
    def _get_refill_cards_owed(self, company, day, partners=None):
        """Return what is owed for cards, see :meth:`_settle_refill_cards`.

        :rtype: list[Owed]
        :raise AccessError: when the user does not keep the company's books.
        """
        self.env['refill.card']._check_may_hand_out()
        if not self.env.su and company not in self.env.companies:
            raise AccessError(
                self.env._(
                    "The cards are settled by %(company)s: choose it among your companies.",
                    company=company.sudo().name,  # sudo: to name it
                )
            )
        lines_sudo = self.env['account.move.line'].sudo()  # sudo: the right is checked
        owed = lines_sudo._find_refill_cards_owed(company, day, partners)
        if partners is None:
            earlier = defaultdict(self.env['res.partner'].browse)
            for debtor in {each.debtor for each in owed}:
                agreement = self.env['refill.card.agreement']._get(debtor, company)
                last_day = agreement._get_last_day(day) if agreement else day
                if last_day < day:
                    earlier[last_day] |= debtor
            owed = [each for each in owed if not any(each.debtor in p for p in earlier.values())]
            for last_day, debtors in earlier.items():
                owed += lines_sudo._find_refill_cards_owed(company, last_day, debtors)
        return sorted(owed, key=lambda each: (each.debtor.name or '', each.debtor.id, each.day))

    def _prepare_settlement_values(self, company, debtor, currency, day):
        today = company._get_refill_card_day()
        env = self.with_context(lang=debtor.lang or self.env.lang).env
        return {
            'move_type': 'out_invoice',
            'company_id': company.id,
            'partner_id': debtor.id,
            'currency_id': currency.id,
            'invoice_date': min(day, today),
            'ref': env._("Refill cards till %(day)s", day=format_date(env, day)),
        }

    def _prepare_settlement_line_values(self, company, owed, sign):
        agreement = self.env['refill.card.agreement']
        if owed.series.company_id.root_id == company:  # a company owes its own cards in full
            agreement = agreement._get(owed.debtor, company)
        discount = agreement.percent if agreement.kind == 'discount' else 0
        if discount:
            company._get_refill_card_account('refill_card_discount_account_id')
        account = company._get_refill_card_method_line().payment_account_id
        if owed.is_used:
            account = company._get_refill_card_account('refill_card_settlement_account_id')
        tax = company.refill_card_tax_id
        return {
            'display_type': 'product',
            'name': self._describe_owed(owed),
            'account_id': account.id,
            'quantity': sign * owed.count,
            'price_unit': owed.series.price,
            'discount': discount,
            'tax_ids': [Command.set(tax.ids)],
            'refill_card_role': 'settlement',
            'refill_card_series_id': owed.series.id,
            'refill_card_booked': sign * owed.booked,
        }

    def _describe_owed(self, owed):
        env = self.with_context(lang=owed.debtor.lang or self.env.lang).env
        values = {
            'price': format_amount(env, owed.series.price, owed.series.currency_id),
            'series': owed.series.name,
            'day': format_date(env, owed.day),
        }
        if owed.is_used:
            return env._(
                "Refill cards of %(price)s, series %(series)s, used till %(day)s", **values
            )
        return env._(
            "Refill cards of %(price)s, series %(series)s, activated till %(day)s", **values
        )


class AccountMoveLine(models.Model):
    """What is owed and not billed, in SQL as it may be a hundred thousand journal items."""

    _inherit = 'account.move.line'

    @api.model
    def _find_refill_cards_owed(self, company, day, partners=None):
        """Return what is owed until a day, of whoever owes something.

        :param res.partner partners: None for everybody.
        :rtype: list[Owed]
        """
        self.env.flush_all()
        partners_, series = self.env['res.partner'], self.env['refill.card.series']
        rows = [
            (partners_.browse(debtor_id), series.browse(series_id), True, int(count), booked)
            for debtor_id, series_id, count, booked in self.env.execute_query(
                SQL(
                    "SELECT line.refill_card_debtor_id, line.refill_card_series_id, SUM(%s),"
                    " SUM(line.balance) FROM %s GROUP BY 1, 2 ORDER BY 1, 2",
                    self._get_refill_card_count_sql(),
                    self._get_unbilled_sql(company, day),
                )
            )
        ]
        for debtor, of_series, *figures in self.env['refill.card']._count_unbilled(company, day):
            rows.append((debtor, of_series, False, *figures))
        return [
            Owed(*row, day) for row in rows if row[3] and (partners is None or row[0] in partners)
        ]

    @api.model
    def _get_unbilled_sql(self, company, day):
        """Return the journal items that say who owes something and that are not billed.

        They are made by redemptions and their reversals, or by a bill of another company that
        redeemed the cards.

        :return: what follows ``FROM``, where ``line`` is the journal item.
        :rtype: SQL
        """
        return SQL(
            """
            account_move_line line
              JOIN account_move move ON move.id = line.move_id
              JOIN account_journal journal ON journal.id = move.journal_id
             WHERE line.account_id = %s AND line.refill_card_debtor_id IS NOT NULL
               AND line.refill_card_bill_line_id IS NULL AND line.date <= %s
               AND line.parent_state = 'posted' AND line.company_id = ANY(%s)
               AND (journal.books_refill_cards OR line.refill_card_role = 'settlement'
                    AND move.move_type IN ('in_invoice', 'in_refund'))
            """,
            company.refill_card_settlement_account_id.id or None,
            day,
            self.env['res.company'].sudo().search([('id', 'child_of', company.id)]).ids,
        )

    def _claim_refill_cards(self, company, owed):
        """Claim for the line of a draft what it bills.

        Whoever bills the same at the same time waits, and then finds it billed.
        """
        if not owed.is_used:
            # sudo: whoever settles need not change cards
            cards_sudo = self.env['refill.card'].sudo()
            cards_sudo._claim_unbilled(self, company, owed.debtor, owed.day)
            return
        self.env.cr.execute(
            SQL(
                """
                UPDATE account_move_line SET refill_card_bill_line_id = %s
                 WHERE id IN (SELECT line.id FROM %s AND line.refill_card_debtor_id = %s
                                 AND line.refill_card_series_id = %s)
                """,
                self.id,
                self.sudo()._get_unbilled_sql(company, owed.day),
                owed.debtor.id,
                owed.series.id,
            )
        )
        self.invalidate_model(['refill_card_bill_line_id'])
