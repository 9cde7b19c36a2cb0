from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class RefillCard(models.Model):
    """Cards that were sold before their company booked that here, by an opening: set-based.

    Called by the entry, as superuser.
    """

    _inherit = 'refill.card'

    @api.model
    def _get_sold_before_domain(self, series):
        """Return the domain of the cards that may have been sold before, and nobody knows it.

        :param refill.card.series series: whose cards.
        :rtype: odoo.fields.Domain
        """
        unused = Domain('used_on', '=', False) & Domain(
            'state', 'in', ['inactive', 'active', 'expired']
        )
        # What was used before it was imported is owed no more.
        used = Domain('state', '=', 'used') & Domain('payment_id', '!=', False)
        return (used | unused) & Domain(
            [
                ('series_id', 'in', series.ids),
                ('terms', '=', False),
                ('reserved_line_id', '=', False),
            ]
        )

    @api.model
    def _count_sold_before(self, series):
        """Return how many cards of each series may have been sold before: used and unused ones.

        :rtype: dict[refill.card.series, tuple[int, int]]
        """
        counts = {}
        for each, state, count in self._read_group(
            self._get_sold_before_domain(series), ['series_id', 'state'], ['__count']
        ):
            used, unused = counts.get(each, (0, 0))
            is_used = state == 'used'
            counts[each] = (used + is_used * count, unused + (not is_used) * count)
        return counts

    @api.model
    def _sell_before(self, line):
        """Mark as many cards of a series as sold as an opening says, without a holder.

        Whoever changes one of them meanwhile is waited for, and then this is tried again.

        :param account.move.line line: of the confirmed opening.
        """
        self.flush_model()
        series, move = line.refill_card_series_id, line.move_id
        self.env.cr.execute(
            SQL(
                """
                WITH chosen AS MATERIALIZED (
                    SELECT id FROM refill_card WHERE %s
                     ORDER BY %s LIMIT %s
                       FOR NO KEY UPDATE
                )
                UPDATE refill_card card
                   SET terms = 'sold', handed_out_on = %s, invoice_line_id = %s, write_date = %s
                  FROM chosen WHERE card.id = chosen.id
                """,
                self._get_condition(self._get_sold_before_domain(series)),
                self._get_order_sold_before(series),
                round(line.quantity),
                move.date,
                line.id,
                fields.Datetime.now(),
            )
        )
        self.invalidate_model()
        series._mark_codes_left()
        opened = Domain('invoice_line_id', '=', line.id)
        self._spread_value_sold_before(opened, series, -line.balance)
        self._log(
            domain=opened,
            channel='accounting',
            note=self.env._("Sold before, says %(entry)s", entry=move.name),
            reference=self._next_reference(),
            **self._get_movement('opening', move.date, move),
        )

    @api.model
    def _get_order_sold_before(self, series):
        """Return which cards of a series were sold first, as nobody knows it.

        First those that were used, then the others by number; those that a web shop may sell come
        last, and of imported ones those that expired there. A card that replaces another one was
        sold as that: it stands in its place.

        :return: names the table ``refill_card``.
        :rtype: SQL
        """
        order = [SQL("refill_card.used_on IS NULL")]
        if series.for_sale:
            stock = Domain('series_id', '=', series.id) & self._get_stock_domain()
            order.append(self._get_condition(stock))
        if series.is_foreign:
            order.append(SQL("refill_card.state = 'expired'"))
        first_number = SQL(
            """
            CASE WHEN refill_card.replaces_id IS NULL THEN refill_card.number ELSE (
                WITH RECURSIVE chain AS (
                    SELECT refill_card.number, refill_card.replaces_id
                     UNION ALL
                    SELECT old.number, old.replaces_id
                      FROM chain JOIN refill_card old ON old.id = chain.replaces_id
                )
                SELECT number FROM chain WHERE replaces_id IS NULL
            ) END
            """
        )
        return SQL(", ").join([*order, first_number, SQL("refill_card.id")])

    @api.model
    def _sum_used_before(self, series, count):
        """Return what the used ones of cards that were sold before had debited, and the others.

        :param refill.card.series series: in another currency than the company's.
        :param int count: how many were sold before, those that were used among them.
        :return: what was booked for those that were used, and the number of the others.
        :rtype: tuple[float, int]
        """
        used = self._search(self._get_sold_before_domain(series) & Domain('state', '=', 'used'))
        used.order, used.limit = self._get_order_sold_before(series), count
        [(found, booked)] = self._read_group(
            [('id', 'in', used)], [], ['__count', 'historical_value:sum']
        )
        return booked or 0, count - found

    @api.model
    def _spread_value_sold_before(self, domain, series, value):
        """Let cards in another currency be worth together what an opening books for them.

        Those that were used are worth what that debited; the others share the rest to the cent.

        :param odoo.fields.Domain domain: which cards.
        :param float value: in the company's currency.
        """
        if series._is_in_company_currency():
            return
        own = series.company_id.currency_id
        used = domain & Domain('used_on', '!=', False)
        unused = domain & Domain('used_on', '=', False)
        [(booked,)] = self._read_group(used, [], ['historical_value:sum'])
        if not (count := self.search_count(unused)):
            return
        each, more = divmod(round((value - (booked or 0)) / own.rounding), count)
        self._set_terms(unused, historical_value=each * own.rounding)
        if more:
            first = Domain('id', 'in', self._search(unused, order='number', limit=more))
            self._set_terms(first, historical_value=(each + 1) * own.rounding)

    @api.model
    def _unsell_before(self, lines, move):
        """Let nobody have had the cards any more that openings marked as sold.

        :param account.move.line lines: of the openings.
        :param account.move move: what takes them back: the opening itself, or its reversal.
        """
        for line in lines:
            sold = Domain('invoice_line_id', '=', line.id)
            self._log(
                domain=sold,
                channel='accounting',
                note=self.env._("%(entry)s was taken back", entry=line.move_id.name),
                reference=self._next_reference(),
                **self._get_movement('returned', move.date, move),
            )
            self._set_terms(sold, terms=None, handed_out_on=None, invoice_line_id=None)

    @api.model
    def _count_still_sold_before(self, line):
        return self.search_count(
            [
                ('invoice_line_id', '=', line.id),
                ('terms', '=', 'sold'),
                ('released_line_id', '=', False),
            ]
        )
