from odoo import api, models
from odoo.tools import SQL


class AccountMoveLine(models.Model):
    """What the ledger says is owed for cards, by its own journal items, on any day."""

    _inherit = 'account.move.line'

    @api.model
    def _sum_refill_card_liability(self, company, first, last):
        """Add up the balance of the liability for cards by what made it.

        :param res.company company: a root company; its branches count along.
        :param datetime.date first: the first day of the period.
        :param datetime.date last: its last day.
        :return: what is owed before the period and at its end, in the company's currency, by
            ``cards`` (redeemed, or taken back), ``sold`` (by invoices, stated, or released),
            ``settled`` (billed once they were activated), ``bill`` (of a company that redeemed
            them), ``estimate`` (recognised of cards that are expected to stay unused), ``series``
            (another line that names one), ``down_payment``, ``before`` (by hand, before the
            company sold cards by invoices), ``by_hand``, ``draft`` (redeemed, while the payment is
            a draft).
        :rtype: dict[str, tuple[float, float]]
        """
        self.env.flush_all()
        return {
            kind: (-float(before), -float(until))
            for kind, before, until in self.env.execute_query(
                SQL(
                    """
                    SELECT %(kind)s, COALESCE(SUM(balance) FILTER (WHERE line.date < %(first)s), 0),
                           SUM(balance)
                      FROM account_move_line line
                      JOIN account_journal journal ON journal.id = line.journal_id
                     WHERE line.account_id = ANY(%(account_ids)s) AND line.date <= %(last)s
                       AND line.company_id = ANY(%(company_ids)s)
                       AND (line.parent_state = 'posted'
                            OR line.parent_state = 'draft' AND journal.books_refill_cards)
                     GROUP BY 1
                    """,
                    kind=self._get_refill_card_kind_sql(company),
                    first=first,
                    last=last,
                    account_ids=company._get_refill_card_liability_accounts().ids,
                    company_ids=company._get_refill_card_branches().ids,
                )
            )
        }

    @api.model
    def _get_refill_card_kind_sql(self, company):
        """Return what made a journal item on the liability; see above.

        :return: names the tables ``line`` and ``journal``.
        :rtype: SQL
        """
        is_down_payment = SQL("FALSE")
        if 'is_downpayment' in self._fields:  # of Odoo's module Sales
            is_down_payment = SQL("line.is_downpayment")
        return SQL(
            """
            CASE WHEN journal.books_refill_cards
                 THEN CASE line.parent_state WHEN 'draft' THEN 'draft' ELSE 'cards' END
                 WHEN line.refill_card_role = 'estimate' THEN 'estimate'
                 WHEN line.refill_card_role IS NOT NULL OR line.display_type = 'discount'
                      AND EXISTS (SELECT FROM account_move_line other
                                   WHERE other.move_id = line.move_id
                                     AND other.refill_card_role IS NOT NULL)
                 THEN (SELECT CASE WHEN move.move_type IN ('in_invoice', 'in_refund') THEN 'bill'
                                   WHEN EXISTS (SELECT FROM account_move_line other
                                                 WHERE other.move_id = line.move_id
                                                   AND other.refill_card_role = 'settlement')
                                   THEN 'settled' ELSE 'sold' END
                         FROM account_move move WHERE move.id = line.move_id)
                 WHEN line.refill_card_series_id IS NOT NULL THEN 'series'
                 WHEN %(is_down_payment)s THEN 'down_payment'
                 WHEN line.date < %(first_sale)s
                      -- An opening balance that takes such entries over.
                      OR EXISTS (SELECT FROM account_move_line other
                                  WHERE other.move_id = line.move_id
                                    AND other.refill_card_role = 'opening')
                 THEN 'before' ELSE 'by_hand' END
            """,
            is_down_payment=is_down_payment,
            first_sale=self._get_first_refill_card_sale(company),
        )

    @api.model
    def _get_first_refill_card_sale(self, company):
        """Return the day from which on the audit log tells what was sold.

        :rtype: datetime.date
        """
        series = self.env['refill.card.event']._get_issued_series(company)
        [[day]] = self.env.execute_query(
            SQL(
                "SELECT MIN(accounting_date) FROM refill_card_event"
                " WHERE series_id = ANY(%s) AND movement IN ('opening', 'sold')",
                series.ids,
            )
        )
        return day

    @api.model
    def _sum_refill_cards_to_be_settled(self, company, first, last, ages):
        """Add up what debtors owe for used cards, by whom.

        :param res.company company: a root company; its branches count along.
        :param datetime.date first: the first day of the period.
        :param datetime.date last: its last day.
        :param list[int] ages: days; what was debited is told for each step between them.
        :return: rows of the debtor's id (None for what names nobody), the balance before the
            period, what was redeemed, given back, billed and booked otherwise in it, and what was
            debited within the first number of days before its end, within the second, ...
        :rtype: list[tuple]
        """
        steps = zip([*ages, None], [None, *ages], strict=True)
        debits = [
            SQL(
                "COALESCE(SUM(line.balance) FILTER (WHERE line.balance > 0 AND %s AND %s), 0)",
                SQL("TRUE") if oldest is None else SQL("line.date >= %s::date - %s", last, oldest),
                SQL("TRUE") if newest is None else SQL("line.date < %s::date - %s", last, newest),
            )
            for oldest, newest in steps
        ]
        by_cards = SQL("journal.books_refill_cards")
        billed = SQL("(line.refill_card_role IS NOT NULL OR line.display_type = 'discount')")
        of_period = [
            SQL("%s AND line.balance > 0", by_cards),
            SQL("%s AND line.balance < 0", by_cards),
            SQL("NOT %s AND %s", by_cards, billed),
            SQL("NOT %s AND NOT %s", by_cards, billed),
        ]
        self.env.flush_all()
        return self.env.execute_query(
            SQL(
                """
                SELECT COALESCE(line.refill_card_debtor_id, partner.commercial_partner_id),
                       COALESCE(SUM(line.balance) FILTER (WHERE line.date < %(first)s), 0),
                       %(of_period)s, %(debits)s
                  FROM account_move_line line
                  JOIN account_journal journal ON journal.id = line.journal_id
                  LEFT JOIN res_partner partner ON partner.id = line.partner_id
                 WHERE line.account_id = %(account_id)s AND line.date <= %(last)s
                   AND line.company_id = ANY(%(company_ids)s) AND line.parent_state = 'posted'
                 GROUP BY 1
                """,
                of_period=SQL(", ").join(
                    SQL(
                        "COALESCE(SUM(line.balance) FILTER (WHERE line.date >= %s AND %s), 0)",
                        *(first, condition),
                    )
                    for condition in of_period
                ),
                debits=SQL(", ").join(debits),
                account_id=company.refill_card_settlement_account_id.id or None,
                company_ids=company._get_refill_card_branches().ids,
                first=first,
                last=last,
            )
        )

    @api.model
    def _sum_unused_refill_card_credit(self, company, first, last):
        """Add up what customers have got for cards and not yet paid invoices with.

        :param res.company company: a root company; its branches count along.
        :param datetime.date first: the first day of the period.
        :param datetime.date last: its last day.
        :return: before the period, and at its end, in the company's currency.
        :rtype: tuple[float, float]
        """
        self.env.flush_all()
        domain = self._get_refill_card_receivable_domain(company)
        lines = self.sudo()._search(domain)  # sudo: the caller checks who asks
        [[*sums]] = self.env.execute_query(
            SQL(
                """
                WITH line AS MATERIALIZED (%(lines)s)
                SELECT %(before)s, %(until)s
                """,
                lines=lines.select(
                    *(SQL.identifier(lines.table, name) for name in ('id', 'balance', 'date'))
                ),
                before=self._get_unused_credit_sql(SQL("< %s", first)),
                until=self._get_unused_credit_sql(SQL("<= %s", last)),
            )
        )
        return tuple(map(float, sums))

    @api.model
    def _get_refill_card_receivable_domain(self, company):
        return [
            ('journal_id.books_refill_cards', '=', True),
            ('account_id.account_type', '=', 'asset_receivable'),
            ('parent_state', '=', 'posted'),
            ('company_id', 'in', company._get_refill_card_branches().ids),
        ]

    @api.model
    def _get_unused_credit_sql(self, condition):
        """:param SQL condition: what comes after a day that counts."""
        return SQL(
            """
            (SELECT COALESCE(-SUM(balance), 0) FROM line WHERE date %(condition)s)
            - (SELECT COALESCE(SUM(used.amount), 0) FROM account_partial_reconcile used
                 JOIN line ON line.id = used.credit_move_id WHERE used.max_date %(condition)s)
            + (SELECT COALESCE(SUM(used.amount), 0) FROM account_partial_reconcile used
                 JOIN line ON line.id = used.debit_move_id WHERE used.max_date %(condition)s)
            """,
            condition=condition,
        )
