import random
import time
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

BATCH = 50
# What one webhook gets before it is another one's turn.
SLICE_SECONDS = 10
# After so many failures in a row nothing goes to a webhook for a while.
FAILURES = 3
REST = timedelta(minutes=5)


class RefillCardWebhook(models.Model):
    """What is due is sent: in order a card, and none waits for another webhook that is slow."""

    _inherit = 'refill.card.webhook'

    @api.model
    def _get_listeners(self, notice):
        """Return the webhooks that want a notice."""
        listening = self.search([('company_id', '=', notice.company_id.id), ('salt', '!=', False)])
        return listening.filtered(
            lambda webhook: (
                (not webhook.kind_ids or notice.kind_id in webhook.kind_ids)
                and (
                    not webhook.series_ids
                    or not notice.series_id
                    or notice.series_id in webhook.series_ids
                )
            )
        )

    @api.model
    def _send_all(self):
        """Send what is due, a slice a webhook by turns, as long as the job has time."""
        # Messages signed with a wrong key would be refused, and dead in the end.
        if self.env['refill.card.key']._get_problem():
            return
        due = self._get_waiting_domain() & Domain('next_try', '<=', fields.Datetime.now())
        groups = self.env['refill.card.webhook.delivery']._read_group(due, ['webhook_id'])
        webhooks = [webhook for [webhook] in groups]
        random.shuffle(webhooks)  # who comes last may have to wait for the next run
        while webhooks:
            for webhook in list(webhooks):
                if webhook._is_resting() or not webhook._send_slice():
                    webhooks.remove(webhook)
                if webhooks and not self.env['ir.cron']._commit_progress():
                    self.env['ir.cron']._commit_progress(remaining=len(webhooks))
                    return

    @api.model
    def _get_waiting_domain(self):
        return Domain('state', '=', 'waiting') & Domain('webhook_id.active', '=', True)

    def _send_slice(self):
        """Send messages that are due, oldest first, but those that wait for others.

        :return: whether there may be more.
        :rtype: bool
        """
        end, now = time.monotonic() + SLICE_SECONDS, fields.Datetime.now()
        held = _Held()
        for delivery in self._iterate_waiting(Domain('next_try', '>', now)):
            held.add(delivery.id, delivery._get_held())
        for delivery in self._iterate_waiting(Domain('next_try', '<=', now)):
            if held.has_before(delivery.id, delivery._get_awaited()):
                held.add(delivery.id, delivery._get_held())
                continue
            own = delivery._get_held()
            if not delivery._deliver():
                held.add(delivery.id, own)
                if self._is_resting():
                    return False
            if time.monotonic() > end:
                return True
        return False

    def _iterate_waiting(self, domain):
        """Yield deliveries that wait for being sent, oldest first, also across commits."""
        domain &= self._get_waiting_domain() & Domain('webhook_id', '=', self.id)
        deliveries = self.env['refill.card.webhook.delivery']
        while batch := deliveries.search(domain, order='id', limit=BATCH):
            yield from batch
            domain &= Domain('id', '>', batch[-1].id)

    def _is_resting(self):
        """Return whether the last tries failed just now: the receiver seems to be down."""
        last = self.env['refill.card.webhook.delivery'].search(
            [('webhook_id', '=', self.id), ('tried_on', '>', fields.Datetime.now() - REST)],
            order='tried_on desc, id desc',
            limit=FAILURES,
        )
        return len(last) == FAILURES and 'delivered' not in last.mapped('state')

    def _alert_managers(self):
        """Tell the company's accountants, once, that a message did not arrive in three days."""
        if self.activity_ids:
            return
        managers = self.env.ref('account.group_account_manager').all_user_ids
        for manager in managers.filtered('active'):
            if self.company_id in manager.company_ids:
                webhook = self.with_context(lang=manager.lang, mail_activity_quick_update=True)
                webhook.activity_schedule(
                    'mail.mail_activity_data_warning',
                    user_id=manager.id,
                    summary=webhook.env._("A webhook is not reached"),
                    note=webhook.env._(
                        "A message about refill cards did not arrive within three days. Refill"
                        " Cards > Integration > Deliveries says what was answered, and sends it"
                        " again."
                    ),
                )


class _Held:
    """Cards about which something earlier was not delivered yet, each with the first such id."""

    def __init__(self):
        self.first = {}

    def add(self, delivery_id, keys):
        for key in keys:
            self.first[key] = min(delivery_id, self.first.get(key, delivery_id))

    def has_before(self, delivery_id, keys):
        return any(self.first.get(key, delivery_id) < delivery_id for key in keys)
