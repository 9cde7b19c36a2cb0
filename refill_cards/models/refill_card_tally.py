from odoo import api, fields, models
from odoo.tools import SQL

# How many rows could be left out, before it is worth adding them up.
FOLDED_FROM = 1_000
FOLDED_AT_ONCE = 200_000


class RefillCardTally(models.Model):
    """How many cards of which series are in which state, why they are disabled, and where they were
    used: changes, which are only added.

    Their sum is what a recount would find, but it takes a millisecond among ten million cards.
    Whoever changes cards adds rows of their own, so that nobody waits for anybody: hence no foreign
    keys either. A job adds the rows up.
    """

    _name = 'refill.card.tally'
    _description = "Tally of Refill Cards"
    _log_access = False

    series_id = fields.Integer(required=True, index=True)
    state = fields.Char(required=True)
    disable_reason = fields.Char()
    company_id = fields.Integer(help="In which the cards were used.")
    count = fields.Integer(required=True, help="How many more cards there are; less than 0: fewer.")

    @api.model
    def _cron_fold(self):
        """Add up the rows of series that changed; what they tell stays the same at any moment."""
        time_left = True
        while time_left and (surplus := self._count_surplus()) >= FOLDED_FROM:
            if not (folded := self._fold()):
                return
            remaining = max(surplus - folded, 0)
            time_left = self.env['ir.cron']._commit_progress(folded, remaining=remaining)

    @api.model
    def _count_surplus(self):
        """Return by how many rows the tally is longer than it needs to be."""
        [[surplus]] = self.env.execute_query(
            SQL(
                "SELECT count(*) - count(DISTINCT (series_id, state, disable_reason, company_id))"
                " FROM refill_card_tally"
            )
        )
        return surplus

    @api.model
    def _fold(self):
        """Put one row in the place of those that tell of the same cards.

        One transaction at a time: two that delete the same rows would collide. By arrays, which are
        found once: PostgreSQL does not know how many rows were added since it last looked.

        :return: how many rows were added up.
        :rtype: int
        """
        lock = SQL("SELECT pg_try_advisory_xact_lock(hashtext('refill_card_tally'))")
        [[is_alone]] = self.env.execute_query(lock)
        if not is_alone:
            return 0
        [[folded]] = self.env.execute_query(
            SQL(
                """
                WITH gone AS (
                    DELETE FROM refill_card_tally
                     WHERE id = ANY(ARRAY(
                           SELECT id FROM refill_card_tally
                            WHERE series_id = ANY(ARRAY(
                                  SELECT series_id FROM refill_card_tally GROUP BY series_id
                                  HAVING count(*) >
                                         count(DISTINCT (state, disable_reason, company_id))))
                            ORDER BY id LIMIT %s))
                 RETURNING series_id, state, disable_reason, company_id, count
                ), added AS (
                    INSERT INTO refill_card_tally
                           (series_id, state, disable_reason, company_id, count)
                    SELECT series_id, state, disable_reason, company_id, sum(count) FROM gone
                     GROUP BY series_id, state, disable_reason, company_id HAVING sum(count) <> 0
                )
                SELECT count(*) FROM gone
                """,
                FOLDED_AT_ONCE,
            )
        )
        return folded


class RefillCard(models.Model):
    """Each change of cards goes into the tally, in its own statement."""

    _inherit = 'refill.card'

    def init(self):
        """Let PostgreSQL write the tally: it misses no door, not even one that deletes a series."""
        self.env.cr.execute(
            SQL(
                """
                CREATE OR REPLACE FUNCTION refill_card_tally() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    IF TG_OP = 'INSERT' THEN
                        INSERT INTO refill_card_tally
                               (series_id, state, disable_reason, company_id, count)
                        SELECT series_id, state, disable_reason, used_company_id, count(*)
                          FROM new_cards
                         GROUP BY series_id, state, disable_reason, used_company_id;
                    ELSIF TG_OP = 'DELETE' THEN
                        INSERT INTO refill_card_tally
                               (series_id, state, disable_reason, company_id, count)
                        SELECT series_id, state, disable_reason, used_company_id, -count(*)
                          FROM old_cards
                         GROUP BY series_id, state, disable_reason, used_company_id;
                    ELSIF TG_OP = 'TRUNCATE' THEN
                        DELETE FROM refill_card_tally;
                        DELETE FROM refill_card_code;
                    ELSE
                        INSERT INTO refill_card_tally
                               (series_id, state, disable_reason, company_id, count)
                        SELECT series_id, state, disable_reason, used_company_id, sum(change)
                          FROM (SELECT series_id, state, disable_reason, used_company_id,
                                       1 AS change
                                  FROM new_cards
                                 UNION ALL
                                SELECT series_id, state, disable_reason, used_company_id, -1
                                  FROM old_cards) card
                         GROUP BY series_id, state, disable_reason, used_company_id
                        HAVING sum(change) <> 0;
                    END IF;
                    RETURN NULL;
                END $$
                """
            )
        )
        for operation, tables in (
            ('INSERT', SQL("REFERENCING NEW TABLE AS new_cards")),
            ('UPDATE', SQL("REFERENCING OLD TABLE AS old_cards NEW TABLE AS new_cards")),
            ('DELETE', SQL("REFERENCING OLD TABLE AS old_cards")),
            ('TRUNCATE', SQL()),
        ):
            trigger = SQL.identifier(f'refill_card_tally_{operation.lower()}')
            self.env.cr.execute(SQL("DROP TRIGGER IF EXISTS %s ON refill_card", trigger))
            self.env.cr.execute(
                SQL(
                    "CREATE TRIGGER %s AFTER %s ON refill_card %s"
                    " FOR EACH STATEMENT EXECUTE FUNCTION refill_card_tally()",
                    *(trigger, SQL(operation), tables),
                )
            )
        return super().init()
