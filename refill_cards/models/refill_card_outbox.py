import json

from odoo import api, fields, models
from odoo.tools import SQL

# What becomes of more cards at once is told by several messages, each of about 15 kB.
CARDS_A_MESSAGE = 100
# By the new state of a card that was not used before.
KINDS = {
    'active': 'activated',
    'inactive': 'deactivated',
    'used': 'redeemed',
    'disabled': 'disabled',
    'expired': 'expired',
    'deleted': 'deleted',
}


class RefillCardOutbox(models.Model):
    """What other systems are to be told, written along with what happened: both or none.

    Rows stay for a minute, until a job makes notices of them. There are rows only for companies
    where something listens. Nobody has access.
    """

    _name = 'refill.card.outbox'
    _description = "Refill Card Outbox"
    _order = 'id'
    _log_access = False

    kind = fields.Char(required=True, help="The code of a kind of notices.")
    company_id = fields.Many2one(
        comodel_name='res.company', required=True, ondelete='cascade', help="Which is told."
    )
    series_id = fields.Many2one(comodel_name='refill.card.series', ondelete='set null')
    date = fields.Datetime(required=True)
    event_ids = fields.Json(help="The ids of events in the audit log that tell about cards.")
    data = fields.Json(help="What else is told.")

    @api.model
    def _tell(self, kind, companies, data, series=None):
        """Have other systems told what happened, as far as the companies listen.

        :param str kind: the code of a kind of notices.
        :param res.company companies: which are told.
        :param dict data: what JSON can hold; never a code, nor anybody's name. ``cards``, if they
            are known, is a list of dictionaries, each with the ``serial`` of a card.
        :param refill.card.series series: of the cards, if they are of one.
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO refill_card_outbox (kind, company_id, series_id, date, data)
                SELECT %s, company_id, %s, %s, %s::jsonb FROM (%s) AS listening
                 WHERE company_id = ANY(%s)
                """,
                *(kind, series.id if series else None, fields.Datetime.now(), json.dumps(data)),
                self._get_listening(),
                companies.ids,
            )
        )

    @api.model
    def _get_insert(self, events):
        """Return the statement that has other systems told about cards.

        It is a part of the one that writes events of the cards, and finds there who listens: if
        nobody does, it does not look at the events. Whoever redeemed a card is told like its
        issuer.

        :param SQL events: a query or a table of events.
        :rtype: SQL
        """
        state = SQL("CASE event.new_state %s END", self._get_branches())
        return SQL(
            """
            INSERT INTO refill_card_outbox (kind, company_id, series_id, date, event_ids)
            SELECT kind.kind, listening.company_id, event.series_id, %(now)s,
                   jsonb_agg(event.id ORDER BY event.id)
              FROM (%(listening)s) AS listening
              JOIN %(events)s AS event
                ON listening.company_id IN (event.company_id, event.used_company_id)
        CROSS JOIN LATERAL (VALUES
                       (CASE WHEN event.new_state IS NOT DISTINCT FROM event.old_state THEN NULL
                             WHEN event.old_state = 'used' THEN 'undone' ELSE %(state)s END),
                       (CASE WHEN event.movement = 'sold' THEN 'sold' END)
                   ) AS kind (kind)
             WHERE kind.kind IS NOT NULL AND EXISTS (%(listening)s)
             GROUP BY 1, 2, 3, event.id / %(size)s
            """,
            now=fields.Datetime.now(),
            listening=self._get_listening(),
            events=events,
            state=state,
            size=CARDS_A_MESSAGE,
        )

    @api.model
    def _get_branches(self):
        return SQL(" ").join(SQL("WHEN %s THEN %s", *branch) for branch in KINDS.items())

    @api.model
    def _is_listening(self, companies):
        """Return whether anything listens to what happens in one of these companies.

        :rtype: bool
        """
        query = SQL(
            "SELECT 1 FROM (%s) AS listening WHERE company_id = ANY(%s) LIMIT 1",
            self._get_listening(),
            companies.ids,
        )
        return bool(self.env.execute_query(query))

    @api.model
    def _get_listening(self):
        """Return the query of the companies where something listens, as ``company_id``.

        :rtype: SQL
        """
        self.env['refill.card.webhook'].flush_model(['company_id', 'active', 'salt'])
        self.env['res.company'].flush_model(['refill_card_notices'])
        return SQL(
            "SELECT company_id FROM refill_card_webhook WHERE active AND salt IS NOT NULL"
            " UNION SELECT id FROM res_company WHERE refill_card_notices"
        )

    @api.model
    def _take(self, limit):
        """Return the oldest rows, which are gone with this transaction.

        In SQL, because the ORM would read them first, and another job might take the same.

        :param int limit: how many, at most.
        :rtype: list[tuple]
        :raise SerializationFailure: when another job takes them just now.
        """
        query = SQL(
            """
            WITH taken AS (
                DELETE FROM refill_card_outbox
                 WHERE id IN (SELECT id FROM refill_card_outbox ORDER BY id LIMIT %s
                                 FOR UPDATE SKIP LOCKED)
             RETURNING id, kind, company_id, series_id, date, event_ids, data
            ) SELECT kind, company_id, series_id, date, event_ids, data FROM taken ORDER BY id
            """,
            limit,
        )
        self.env.cr.execute(query, log_exceptions=False)
        return self.env.cr.fetchall()
