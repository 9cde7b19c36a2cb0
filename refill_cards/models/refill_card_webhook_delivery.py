import time
from datetime import timedelta

from odoo import fields, models
from odoo.tools import SQL
from psycopg2.errors import SerializationFailure

from .. import posting

# Minutes from each try that failed to the next one: three days in all.
PAUSES = (1, 5, 14, 40, 120, 300, 600, 840, 1200, 1200)


class RefillCardWebhookDelivery(models.Model):
    """A notice on its way to a webhook, at least once and always with the same id."""

    _name = 'refill.card.webhook.delivery'
    _description = "Delivery to a Refill Card Webhook"
    _order = 'id desc'
    _rec_name = 'notice_id'
    _log_access = False

    webhook_id = fields.Many2one(
        comodel_name='refill.card.webhook', required=True, readonly=True, ondelete='cascade'
    )
    notice_id = fields.Many2one(
        comodel_name='refill.card.notice',
        required=True,
        readonly=True,
        index=True,
        ondelete='cascade',
    )
    date = fields.Datetime(related='notice_id.date', string="Happened on")
    series_id = fields.Many2one(related='notice_id.series_id')
    card_count = fields.Integer(related='notice_id.card_count')
    uid = fields.Char(related='notice_id.uid')
    body = fields.Text(related='notice_id.body', prefetch=False)
    state = fields.Selection(
        selection=[('waiting', "Waiting"), ('delivered', "Delivered"), ('failed', "Failed")],
        string="Status",
        required=True,
        readonly=True,
        default='waiting',
    )
    tries = fields.Integer(readonly=True, default=0)
    next_try = fields.Datetime(
        readonly=True,
        default=fields.Datetime.now,
        help="What is told later about the same card waits, too.",
    )
    tried_on = fields.Datetime(string="Last Try", readonly=True)
    status = fields.Integer(
        string="HTTP Status", readonly=True, help="2xx means that the receiver has it."
    )
    answer = fields.Text(readonly=True, help="Its beginning.")
    duration = fields.Integer(string="Duration (ms)", readonly=True)

    _waiting_idx = models.Index("(webhook_id, id) WHERE state = 'waiting'")
    _tried_idx = models.Index("(webhook_id, tried_on) WHERE tried_on IS NOT NULL")
    _failed_idx = models.Index("(webhook_id) WHERE state = 'failed'")

    # -------------------------------------------------------------------------
    # ORDER
    # -------------------------------------------------------------------------
    # What is told about a card is told in its order, and a series before its cards.

    def _get_held(self):
        """Return what waits for this delivery: cards, or a whole series.

        :rtype: set[str]
        """
        notice = self.notice_id
        if notice.kind_id.code == 'generated':
            return {self._get_series_key()}
        return set(notice.serials or [])

    def _get_awaited(self):
        """Return for what this delivery waits.

        :rtype: set[str]
        """
        return {*(self.notice_id.serials or []), self._get_series_key()}

    def _get_series_key(self):
        return f'series {self.notice_id.series_id.id}'

    # -------------------------------------------------------------------------
    # SENDING
    # -------------------------------------------------------------------------

    def _deliver(self):
        """Send the message once, and commit what became of it.

        Its row is locked until then, so that no other job sends it, too. If the server stops in
        between, it goes again, with the same id.

        :return: whether the receiver has it.
        :rtype: bool
        """
        self.ensure_one()
        if not self._lock_waiting():
            return False
        now, started = fields.Datetime.now(), time.monotonic()
        status, answer = self._post(int(time.time()))
        is_delivered = 200 <= status < 300
        self.write(
            {
                'status': status,
                'answer': answer,
                'duration': 1000 * (time.monotonic() - started),
                'tried_on': now,
                'tries': self.tries + 1,
                **self._prepare_outcome(is_delivered, now),
            }
        )
        if self.state == 'failed':
            self.webhook_id._alert_managers()
        self.env['ir.cron']._commit_progress(1)
        return is_delivered

    def _lock_waiting(self):
        """Return whether this job may send it: in SQL, because the ORM logs as errors what is none.

        :rtype: bool
        """
        query = SQL(
            "SELECT FROM refill_card_webhook_delivery WHERE id = %s AND state = 'waiting'"
            " FOR UPDATE SKIP LOCKED",
            self.id,
        )
        try:
            self.env.cr.execute(query, log_exceptions=False)
        except SerializationFailure:  # another job sent it just now
            self.env.cr.rollback()
            return False
        return bool(self.env.cr.rowcount)

    def _post(self, timestamp):
        """Return the status of the answer, 0 without one, and its beginning, or what went wrong.

        :rtype: tuple[int, str]
        """
        webhook, uid, body = self.webhook_id, self.uid, self.body
        headers = {
            'Content-Type': 'application/json',
            'User-Agent': 'Odoo-Refill-Cards',
            'webhook-id': uid,
            'webhook-timestamp': str(timestamp),
            'webhook-signature': webhook._sign(uid, timestamp, body),
        }
        try:
            return posting.post(webhook.url, body, headers, webhook._get_allowed_hosts())
        except posting.Unsafe as unsafe:
            return 0, webhook._explain(unsafe)
        except OSError as error:
            return 0, str(error) or type(error).__name__

    def _prepare_outcome(self, is_delivered, now):
        """Return what becomes of a delivery that was just tried."""
        if is_delivered or self.tries >= len(PAUSES):
            return {'state': 'delivered' if is_delivered else 'failed', 'next_try': False}
        return {'next_try': now + timedelta(minutes=PAUSES[self.tries])}

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_resend(self):
        """Send these messages again, with the ids that they had."""
        self.webhook_id.check_access('write')
        # sudo: nobody writes deliveries by hand
        self.sudo().write(
            {'state': 'waiting', 'tries': 0, 'next_try': fields.Datetime.now(), 'tried_on': False}
        )
        self.env.ref('refill_cards.ir_cron_tell').sudo()._trigger()
