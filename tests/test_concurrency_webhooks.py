import threading

from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import LOCK_TIMEOUT, ConcurrencyCase
from .webhook_server import Receiver


@tagged('post_install', '-at_install')
class TestConcurrencyWebhooks(ConcurrencyCase):
    """Two jobs at once send each message once, in the order of its card."""

    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        with self._committing() as env:
            parameters = env['ir.config_parameter']
            parameters.set_param('refill_cards.webhook_hosts', self.receiver.host)
            kinds = env['refill.card.notice.kind'].search([('code', '=', 'redeemed')])
            webhook = env['refill.card.webhook'].create(
                {
                    'name': "Concurrent",
                    'url': f'http://{self.receiver.host}/',
                    'company_id': self.company_id,
                    'kind_ids': kinds.ids,
                }
            )
            webhook._renew_secret()
            self.webhook_id = webhook.id
        self.addCleanup(self._remove_webhook)

    def _remove_webhook(self):
        with self._committing() as env:
            env['refill.card.webhook'].browse(self.webhook_id).unlink()
            env['refill.card.notice'].search([('company_id', '=', self.company_id)]).unlink()
            env['ir.config_parameter'].set_param('refill_cards.webhook_hosts', False)
            table = SQL.identifier('refill_card_outbox')
            env.cr.execute(SQL("DELETE FROM %s WHERE company_id = %s", table, self.company_id))

    def _tell(self, *_args):
        with self._committing() as env:
            env['refill.card.notice']._cron_tell()

    def _redeem_cards(self, quantity):
        codes = self._generate_cards(quantity)[1]
        for code in codes:
            self._redeem(code)
        return codes

    def test_jobs_at_once_send_each_message_once(self):
        self._redeem_cards(8)
        self._at_once(self._tell, range(3))
        self._tell()
        ids = [message.id for message in self.receiver.messages]
        self.assertEqual((len(ids), len(set(ids))), (8, 8))

    def test_a_message_under_way_is_passed_over_by_another_job(self):
        arrived, go_on = threading.Event(), threading.Event()

        def wait(handler):
            arrived.set()
            go_on.wait(LOCK_TIMEOUT)
            Receiver.reply(handler, 200)

        self.receiver.answers = [wait, 200]
        self._redeem_cards(2)
        with self._in_background(self._tell) as first:
            self.assertTrue(arrived.wait(LOCK_TIMEOUT))
            self._tell()
            self.assertEqual(len(self.receiver.messages), 2)
            go_on.set()
        first.result()
        ids = [message.id for message in self.receiver.messages]
        self.assertEqual((len(ids), len(set(ids))), (2, 2))
        with self._committing() as env:
            deliveries = env['refill.card.webhook'].browse(self.webhook_id).delivery_ids
            self.assertEqual(deliveries.mapped('state'), ['delivered'] * 2)

    def test_a_server_that_stops_while_it_sends_sends_again_with_the_same_id(self):
        self._redeem_cards(1)
        with self._transaction() as env:
            env = env(su=True)
            while env['refill.card.notice']._publish():
                env.cr.commit()
            [delivery] = env['refill.card.webhook'].browse(self.webhook_id).delivery_ids
            self.assertTrue(delivery._lock_waiting())
            delivery._post(1)
            # Here it stops: nothing of it is committed.
        self._tell()
        ids = [message.id for message in self.receiver.messages]
        self.assertEqual((len(ids), len(set(ids))), (2, 1))
