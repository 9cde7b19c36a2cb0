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
        return (Domain('state', '=', 'used') | unused) & Domain(
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

        First those that were used, then the others by number; those that a web shop may sell come
        last. Whoever changes one of them meanwhile is waited for, and then this is tried again.

        :param account.move.line line: of the confirmed opening.
        """
        self.flush_model()
        series, move = line.refill_card_series_id, line.move_id
        order = [SQL("used_on IS NULL"), SQL("number")]
        if series.for_sale:
            stock = Domain('series_id', '=', series.id) & self._get_stock_domain()
            order.insert(1, self._get_condition(stock))
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
                SQL(", ").join(order),
                round(line.quantity),
                move.date,
                line.id,
                fields.Datetime.now(),
            )
        )
        self.invalidate_model()
        series._mark_codes_left()
        self._log(
            domain=Domain('invoice_line_id', '=', line.id),
            channel='accounting',
            note=self.env._("Sold before, says %(entry)s", entry=move.name),
            reference=self._next_reference(),
            **self._get_movement('opening', move.date, move),
        )

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
        return self.search_count([('invoice_line_id', '=', line.id), ('terms', '=', 'sold')])
