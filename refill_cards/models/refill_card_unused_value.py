from typing import Any, NamedTuple

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from .refill_card_event_movement import SIGNS
from .refill_card_series_unused import HIGHEST_SHARE

SOLD = ('opening', 'sold', 'returned', 'moved_in', 'moved_out')
USED = ('redeemed', 'given_back')
RELEASED = ('released', 'brought_back')


class Scope(NamedTuple):
    """What a query is about, in the context; no client can send one."""

    day: Any  # datetime.date: the last one that counts
    series: Any  # refill.card.series: None for all


class RefillCardUnusedValue(models.Model):
    """What of a series was sold and is expected to stay unused, and what of that is recognised.

    Unused value is recognised in proportion to use (IFRS 15 B46): of what was used, the expected
    share of unused cards to that of used ones. What expired and was released counts along, so that
    nothing is recognised twice; once no card can be used any more, the rest is.
    """

    _name = 'refill.card.unused.value'
    _inherit = 'refill.card.amounts.mixin'
    _description = "Unused Value of Refill Cards"
    _auto = False
    _order = 'series_id desc'
    _rec_name = 'series_id'
    _depends = {
        'account.move.line': [
            'amount_currency',
            'parent_state',
            'refill_card_role',
            'refill_card_series_id',
        ],
        'refill.card': ['series_id', 'terms', 'used_on', 'released_line_id', 'valid_till'],
        'refill.card.event': ['accounting_date', 'balance', 'movement', 'series_id', 'terms'],
        'refill.card.series': ['company_id', 'currency_id', 'price', 'unused_share'],
        'res.company': ['parent_path', 'refill_card_release', 'refill_card_release_days'],
    }

    series_id = fields.Many2one(comodel_name='refill.card.series', readonly=True)
    company_id = fields.Many2one(comodel_name='res.company', string="Issued by", readonly=True)
    currency_id = fields.Many2one(comodel_name='res.currency', readonly=True)
    price = fields.Monetary(string="Face Value", aggregator=None, readonly=True)
    unused_share = fields.Float(
        string="Unused (%)",
        aggregator='avg',
        digits=(5, 2),
        readonly=True,
        help="How many of the sold cards are expected to stay unused: set on the series.",
    )
    proposed_share = fields.Float(
        string="Experience (%)",
        aggregator='avg',
        digits=(5, 2),
        readonly=True,
        help="How many stayed unused of the series of the same face value of which no sold card can"
        " be used any more.",
    )
    is_finished = fields.Boolean(
        string="Finished", readonly=True, help="No sold card can be used any more."
    )
    sold_amount = fields.Monetary(string="Sold", readonly=True)
    used_amount = fields.Monetary(string="Used", readonly=True)
    released_amount = fields.Monetary(
        string="Released", readonly=True, help="Expired value that was released."
    )
    owed_amount = fields.Monetary(
        string="Not Used or Released", readonly=True, help="What the cards say is owed."
    )
    owed_balance = fields.Float(aggregator=None, readonly=True)
    expected_amount = fields.Monetary(
        string="Estimate", readonly=True, help="What is expected to stay unused of what was sold."
    )
    estimated_amount = fields.Monetary(string="Recognised by Estimate", readonly=True)
    recognised_amount = fields.Monetary(
        string="Recognised", readonly=True, help="By estimate, or as it expired."
    )
    left_amount = fields.Monetary(
        string="Left", readonly=True, help="What of the estimate is not recognised yet."
    )
    due_amount = fields.Monetary(
        string="Next Entry", readonly=True, help="What is to be recognised now by an entry."
    )

    @property
    def _table_query(self):
        """One row a series of which cards were sold, till the day in the context, else today."""
        scope = self.env.context.get('refill_card_scope')
        if not isinstance(scope, Scope):
            scope = Scope(fields.Date.context_today(self), None)
        return SQL(
            """
            WITH figure AS (%(figures)s)
            SELECT id, id AS series_id, company_id, currency_id, price, unused_share, is_finished,
                   sold * price AS sold_amount, used * price AS used_amount,
                   released * price AS released_amount, owed * price AS owed_amount, owed_balance,
                   sold * price * unused_share / 100.0 AS expected_amount,
                   estimated AS estimated_amount,
                   estimated + released * price AS recognised_amount,
                   CASE WHEN unused_share = 0 OR owed = 0 THEN 0
                        ELSE sold * price * unused_share / 100.0 - estimated - released * price
                        END AS left_amount,
                   %(target)s - estimated - prepared AS due_amount,
                   100.0 * SUM(sold - used) FILTER (WHERE is_finished) OVER same
                       / NULLIF(SUM(sold) FILTER (WHERE is_finished) OVER same, 0)
                       AS proposed_share
              FROM figure
            WINDOW same AS (PARTITION BY root_id, currency_id, price)
            """,
            figures=self._get_figures_sql(scope),
            target=SQL(
                """
                CASE WHEN unused_share = 0 THEN 0 WHEN is_finished THEN (owed - claimed) * price
                     ELSE LEAST((owed - claimed) * price, GREATEST(0,
                         used * price * unused_share / (100.0 - unused_share)
                         - (released + claimed) * price)) END
                """
            ),
        )

    @api.model
    def _get_figures_sql(self, scope):
        """Return how many cards of each series were sold, used and released, and what is booked.

        :param Scope scope: which series, and till when.
        :rtype: SQL
        """
        series = SQL("TRUE")
        if scope.series is not None:  # else PostgreSQL would add up those of all
            series = SQL("series_id = ANY(%s)", scope.series.ids)
        sign = SQL(
            "CASE WHEN movement = ANY(%s) THEN 1 ELSE -1 END",
            [movement for movement, sign in SIGNS.items() if sign > 0],
        )

        def count(movements, direction=1):
            return SQL(
                "%s * COALESCE(SUM(%s) FILTER (WHERE movement = ANY(%s)), 0)",
                *(direction, sign, list(movements)),
            )

        return SQL(
            """
            SELECT series.id, series.company_id, root.id AS root_id, series.currency_id,
                   series.price::numeric, COALESCE(series.unused_share, 0) AS unused_share,
                   sold, used, released, sold - used - released AS owed, owed_balance,
                   COALESCE(estimated, 0) AS estimated, COALESCE(prepared, 0) AS prepared,
                   COALESCE(claimed, 0) AS claimed,
                   NOT EXISTS (
                       SELECT FROM refill_card card
                        WHERE card.series_id = series.id AND card.terms = 'sold'
                          AND card.used_on IS NULL AND card.released_line_id IS NULL
                          AND (card.valid_till IS NULL
                               OR card.valid_till >= %(day)s::date - CASE
                                  WHEN root.refill_card_release
                                  THEN root.refill_card_release_days ELSE 0 END)
                   ) AS is_finished
              FROM refill_card_series series
              JOIN res_company company ON company.id = series.company_id
              JOIN res_company root ON root.id = split_part(company.parent_path, '/', 1)::int
              JOIN (
                  SELECT series_id, %(sold)s AS sold, %(used)s AS used, %(released)s AS released,
                         SUM(%(sign)s * COALESCE(balance, 0)) AS owed_balance
                    FROM refill_card_event
                   WHERE movement IS NOT NULL AND accounting_date <= %(day)s
                     AND (movement NOT IN ('redeemed', 'given_back')
                          OR terms IS NULL OR terms = 'sold')
                     AND %(series)s
                   GROUP BY series_id
              ) moved ON moved.series_id = series.id
              LEFT JOIN (
                  SELECT refill_card_series_id AS series_id,
                         SUM(amount_currency) FILTER (
                             WHERE refill_card_role = 'estimate' AND parent_state = 'posted'
                         ) AS estimated,
                         SUM(amount_currency) FILTER (
                             WHERE refill_card_role = 'estimate' AND parent_state = 'draft'
                         ) AS prepared,
                         SUM(quantity) FILTER (
                             WHERE refill_card_role = 'release' AND parent_state = 'draft'
                                   AND amount_currency > 0
                         ) AS claimed
                    FROM account_move_line
                   WHERE refill_card_role IN ('estimate', 'release')
                   GROUP BY 1
              ) booked ON booked.series_id = series.id
             WHERE sold > 0 OR estimated != 0
            """,
            day=scope.day,
            series=series,
            sign=sign,
            sold=count(SOLD),
            used=count(USED, -1),
            released=count(RELEASED, -1),
        )

    @api.model
    def _get_estimates(self, company, day):
        """Return what is estimated of each series that a root company and its branches issued.

        :param res.company company: a root company.
        :param datetime.date day: the last one that counts.
        :rtype: dict[refill.card.series, refill.card.unused.value]
        """
        self.env.flush_all()
        lines = self.env['account.move.line']
        series = self.env['refill.card.series'].with_context(active_test=False)
        booked = lines._search([('refill_card_role', '=', 'estimate')])
        series = series.search(
            Domain('company_id', 'child_of', company.id)
            & (
                Domain('unused_share', '!=', 0)
                | Domain('id', 'in', booked.subselect('refill_card_series_id'))
            )
        )
        estimates = self.with_context(refill_card_scope=Scope(day, series))
        estimates.invalidate_model()
        found = estimates.search([('series_id', 'in', series.ids)])
        return {each.series_id.with_env(self.env): each for each in found}

    def action_propose(self):
        """Expect the cards of a series to stay unused as those of the finished series did."""
        self.ensure_one()
        self.series_id.unused_share = min(self.proposed_share, HIGHEST_SHARE)

    def action_open_series(self):
        """Open the series, where the expected share is edited."""
        self.ensure_one()
        return self.series_id._get_records_action()
