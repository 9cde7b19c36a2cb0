from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

# An hour is told once nobody writes refusals of it any more, and not when it is long over.
HOUR_CLOSED = timedelta(minutes=5)
TOLD_AFTERWARDS = timedelta(days=1)


class RefillCardAttempt(models.Model):
    """Other systems are told how many codes are refused."""

    _inherit = 'refill.card.attempt'

    @api.model
    def _alert_managers(self, count, person=None):
        if person:
            self._tell_alert('codes_shown', person.company_ids, count, person.id)
        else:
            # Each company knows of the codes that were refused in it, and of no others.
            groups = self._read_group(self._get_flood_domain(), ['company_id'], ['__count'])
            for company, refused in groups:
                self._tell_alert('codes_refused', company, refused)
        return super()._alert_managers(count, person)

    @api.model
    def _tell_alert(self, alert, companies, count, user_id=None):
        data = {'alert': alert, 'count': count, 'user': user_id}
        self.env['refill.card.outbox']._tell('alert', companies, data)

    @api.model
    def _tell_hours(self):
        """Have other systems told how many codes were refused in each hour, by reason.

        Not each refusal: who guesses would have a message sent with every guess. In SQL, because
        the ORM would load each of the refusals.
        """
        outbox = self.env['refill.card.outbox']
        now = fields.Datetime.now()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO refill_card_outbox (kind, company_id, date, data)
                SELECT 'refused', company_id, till, jsonb_build_object(
                           'from', to_char(till - interval '1 hour', %(iso)s),
                           'till', to_char(till, %(iso)s),
                           'count', sum(count),
                           'reasons', jsonb_object_agg(reason, count))
                  FROM (SELECT company_id, reason, count(*) AS count,
                               date_trunc('hour', date) + interval '1 hour' AS till
                          FROM refill_card_attempt
                         WHERE company_id IN (%(listening)s) AND date >= %(first)s
                           AND date < date_trunc('hour', %(closed)s)
                         GROUP BY 1, 2, 4) AS refused
                 WHERE NOT EXISTS (
                           SELECT FROM refill_card_outbox AS told
                            WHERE told.kind = 'refused' AND told.date = till
                              AND told.company_id = refused.company_id)
                   AND NOT EXISTS (
                           SELECT FROM refill_card_notice AS told
                             JOIN refill_card_notice_kind AS kind ON kind.id = told.kind_id
                            WHERE kind.code = 'refused' AND told.date = till
                              AND told.company_id = refused.company_id)
                 GROUP BY company_id, till
                """,
                iso='YYYY-MM-DD"T"HH24:MI:SS"Z"',
                listening=outbox._get_listening(),
                first=now.replace(minute=0, second=0) - TOLD_AFTERWARDS,
                closed=now - HOUR_CLOSED,
            )
        )
