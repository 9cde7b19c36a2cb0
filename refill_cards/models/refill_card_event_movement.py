from typing import Any, NamedTuple

from odoo import api, fields, models
from odoo.tools import SQL

MOVEMENTS = [
    ('opening', "Sold before"),
    ('sold', "Sold"),
    ('redeemed', "Redeemed"),
    ('given_back', "Given back"),
    ('returned', "Returned"),
    ('released', "Expired value released"),
    ('brought_back', "Brought back"),
    ('moved_in', "Moved from another series"),
    ('moved_out', "Moved to another series"),
]
# By each, whether a card is owed from then on, or no more.
SIGNS = {
    'opening': 1,
    'sold': 1,
    'redeemed': -1,
    'given_back': 1,
    'returned': -1,
    'released': -1,
    'brought_back': 1,
    'moved_in': 1,
    'moved_out': -1,
}


class Movements(NamedTuple):
    """How many cards of a series moved in the same way."""

    series: Any  # refill.card.series
    movement: str
    used_company: Any  # res.company: where they were redeemed
    has_document: bool  # whether an entry of its own booked it
    counts: tuple[int, int]  # before a period, and until its end
    balances: tuple[float, float]  # in the company's currency; zero where that is the cards' own


class RefillCardEvent(models.Model):
    """Movements: events by which what a company owes for a card changes, with their day."""

    _inherit = 'refill.card.event'

    movement = fields.Selection(
        selection=MOVEMENTS, help="How what the company owes for the card changed."
    )
    accounting_date = fields.Date(
        help="Day of the entry in the books; of a sale by activation, the day of that."
    )
    move_id = fields.Many2one(
        comodel_name='account.move',
        string="Journal Entry",
        index='btree_not_null',
        ondelete='set null',
        groups='account.group_account_readonly,account.group_account_invoice',
    )
    terms = fields.Selection(
        selection='_selection_terms',
        help="On which terms somebody had the card when it was redeemed.",
    )
    company_currency_id = fields.Many2one(
        related='company_id.currency_id', string="Currency of the Company"
    )
    balance = fields.Monetary(
        string="Value in the Books",
        currency_field='company_currency_id',
        help="What is owed for the card in the currency of the company that issued it; empty where"
        " that is the card's own.",
    )

    _movement_idx = models.Index(
        "(series_id, movement, accounting_date)"
        " INCLUDE (terms, used_company_id, move_id, balance)"
        " WHERE movement IS NOT NULL"
    )

    @api.model
    def _selection_terms(self):
        return self.env['refill.card']._fields['terms']._description_selection(self.env)

    @api.model
    def _date_movements(self, payment, movement, day):
        """Let the history tell on which day a payment, or what took it back, is in the books.

        In SQL: history is only added to, and that day may follow, and change while it is a draft.

        :param str movement: ``redeemed`` or ``given_back``.
        :param datetime.date day: the day.
        """
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card_event SET accounting_date = %s"
                " WHERE payment_id = ANY(%s) AND movement = %s",
                *(day, payment.ids, movement),
            )
        )
        self.invalidate_model(['accounting_date'], flush=False)

    @api.model
    def _sum_movements(self, company, first, last):
        """Add up by which movements a company owes something for cards, and owes it no more.

        What is redeemed on consignment, or was given away, is owed by others.

        :param res.company company: a root company; its branches count along.
        :param datetime.date first: the first day of the period.
        :param datetime.date last: its last day.
        :rtype: list[Movements]
        """
        self.flush_model()
        companies, series = self.env['res.company'], self.env['refill.card.series']
        rows = self.env.execute_query(
            SQL(
                """
                SELECT series_id, movement, used_company_id, move_id IS NOT NULL,
                       ARRAY[COUNT(*) FILTER (WHERE accounting_date < %(first)s), COUNT(*)],
                       ARRAY[COALESCE(SUM(balance) FILTER (WHERE accounting_date < %(first)s), 0),
                             COALESCE(SUM(balance), 0)]
                  FROM refill_card_event
                 WHERE series_id = ANY(%(series_ids)s) AND movement IS NOT NULL
                   AND accounting_date <= %(last)s
                   AND (movement NOT IN ('redeemed', 'given_back')
                        OR terms IS NULL OR terms = 'sold')
                 GROUP BY 1, 2, 3, 4
                """,
                first=first,
                last=last,
                series_ids=self._get_issued_series(company).ids,
            )
        )
        return [
            Movements(
                series.browse(series_id),
                movement,
                companies.browse(used_company_id or []),
                has_document,
                tuple(counts),
                tuple(map(float, balances)),
            )
            for series_id, movement, used_company_id, has_document, counts, balances in rows
        ]

    @api.model
    def _get_issued_series(self, company):
        """Return all series that a root company and its branches issued.

        :rtype: refill.card.series
        """
        # sudo: what is owed does not depend on which branches the reader chose
        all_series = self.env['refill.card.series'].sudo().with_context(active_test=False)
        return all_series.search([('company_id', 'child_of', company.id)], order='id')

    @api.model
    def _sum_supplied_later(self, company, day):
        """Add up the cards that were sold till a day, and handed out after it.

        :param res.company company: a root company.
        :param datetime.date day: the day.
        :return: the count, and the value in the company's currency where the cards have another.
        :rtype: list[tuple[refill.card.series, int, float]]
        """
        series = self.env['refill.card.series']
        return [
            (series.browse(series_id), int(count), float(balance))
            for series_id, count, balance in self.env.execute_query(
                SQL(
                    """
                    SELECT event.series_id, SUM(sign.sign),
                           COALESCE(SUM(sign.sign * event.balance), 0)
                      FROM refill_card_event event
                      JOIN account_move move ON move.id = event.move_id
                      JOIN (VALUES ('sold', 1), ('returned', -1)) AS sign (movement, sign)
                        ON sign.movement = event.movement
                     WHERE event.series_id = ANY(%s) AND event.accounting_date > %s
                       AND move.date <= %s AND move.move_type IN ('out_invoice', 'out_receipt')
                     GROUP BY event.series_id
                    """,
                    *(self._get_issued_series(company).ids, day, day),
                )
            )
        ]
