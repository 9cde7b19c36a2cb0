"""Messages to other systems: signed, repeated, in order, and to nobody's own network."""

import base64
import hashlib
import hmac
import time
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.modules.neutralize import neutralize_database
from odoo.tests import HttpCase, tagged
from odoo.tools import SQL

from ..refill_cards import posting
from ..refill_cards.models import refill_card_webhook_delivery
from .common import ButtonCalls
from .test_notices import NoticesCommon
from .webhook_server import Receiver


class WebhooksCommon(NoticesCommon):
    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.env['ir.config_parameter'].set_param('refill_cards.webhook_hosts', self.receiver.host)

    def _make_webhook(self, *kinds, **values):
        """Return a webhook of the accountant's, and its secret."""
        kind_ids = self.env['refill.card.notice.kind'].search([('code', 'in', kinds)])
        webhook = self.env['refill.card.webhook'].with_user(self.accountant)
        webhook = webhook.create(
            {
                'name': "Billing",
                'url': f'http://{self.receiver.host}/hook',
                'kind_ids': [Command.set(kind_ids.ids)],
                **values,
            }
        )
        return webhook, self._make_secret(webhook)

    def _make_secret(self, webhook):
        text = webhook.action_renew_secret()['params']['code']
        return base64.b64decode(text.removeprefix('whsec_'))

    def _get_deliveries(self, webhook):
        return webhook.sudo().delivery_ids.sorted('id')

    def _let_time_pass(self, webhook):
        """Let all pauses of a webhook be over."""
        past = fields.Datetime.now() - timedelta(hours=1)
        self._get_deliveries(webhook).filtered('next_try').write({'next_try': past})
        self._get_deliveries(webhook).filtered('tried_on').write({'tried_on': past})

    def _verify(self, message, secret):
        """Return which signatures of a message are made with a secret."""
        signed = f'{message.id}.{message.headers["webhook-timestamp"]}.{message.body}'
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        expected = f'v1,{base64.b64encode(mac).decode()}'
        return [sig == expected for sig in message.headers['webhook-signature'].split(' ')]

    def _get_received(self):
        return [message.kind for message in self.receiver.messages]


@tagged('post_install', '-at_install')
class TestWebhooks(WebhooksCommon):
    # -------------------------------------------------------------------------
    # WHO MAY
    # -------------------------------------------------------------------------

    def test_only_accountants_who_manage_the_company_have_webhooks(self):
        webhook, _secret = self._make_webhook()
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        theirs = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        values = {'name': "x", 'url': 'https://example.com', 'company_id': self.company.id}
        for user in (self.clerk, self.employee, manager, theirs):
            own = webhook.with_user(user)
            for call in (
                lambda own=own: own.create(values),
                lambda own=own: own.read(['url']),
                lambda own=own: own.write({'url': 'https://other.example.com'}),
                lambda own=own: own.action_renew_secret(),
                lambda own=own: own.action_drop_old_secret(),
                lambda own=own: own.unlink(),
            ):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    call()

    def test_what_secrets_are_made_of_is_read_and_written_by_nobody(self):
        webhook, secret = self._make_webhook()
        for user in (self.accountant, self.env.ref('base.user_admin')):
            own = webhook.with_user(user)
            for fname in ('salt', 'old_salt'):
                with self.assertRaises(AccessError):
                    own.read([fname])
                with self.assertRaises(AccessError):
                    own.write({fname: 'x'})
                with self.assertRaises(AccessError):
                    own.search([(fname, '=like', 'a%')])
        stored = self.env.execute_query(
            SQL("SELECT to_json(w)::text FROM refill_card_webhook w WHERE id = %s", webhook.id)
        )
        self.assertNotIn(base64.b64encode(secret).decode(), stored[0][0])
        self.assertFalse(webhook.copy().has_secret)

    def test_a_webhook_stays_in_its_company_so_that_no_other_reads_what_it_was_told(self):
        webhook, _secret = self._make_webhook('redeemed')
        self.accountant.company_ids += self.other_company
        both = {'allowed_company_ids': (self.company + self.other_company).ids}
        own = webhook.with_context(**both)
        for move in (
            lambda: own.write({'company_id': self.other_company.id}),
            lambda: own.web_save({'company_id': self.other_company.id}, {}),
            lambda: own.sudo().write({'company_id': self.other_company.id}),
            lambda: setattr(own, 'company_id', self.other_company),
        ):
            with self.assertRaises(UserError):
                move()
        rows = [[str(own.id), str(self.other_company.id)]]
        self.assertFalse(own.browse().load(['.id', 'company_id/.id'], rows)['ids'])
        own.write({'company_id': self.company.id, 'name': "Same"})
        self.assertEqual((own.company_id, own.name), (self.company, "Same"))

    def test_the_webhooks_of_a_neutralized_copy_send_nothing(self):
        webhook, _secret = self._make_webhook('redeemed')
        self._redeem(self._generate_card())
        self.env.flush_all()
        neutralize_database(self.cr)
        self.env.invalidate_all()
        self._run_cron()
        self.assertFalse(webhook.active)
        self.assertFalse(self.receiver.messages)

    # -------------------------------------------------------------------------
    # ADDRESSES
    # -------------------------------------------------------------------------

    def test_addresses_into_private_networks_are_not_entered(self):
        for url in (
            *('http://example.com', 'https://127.0.0.1/', 'https://[::1]/', 'https://169.254.1.1/'),
            *('https://user:password@example.com', 'ftp://example.com', 'example.com'),
        ):
            with self.subTest(url=url), self.assertRaises(ValidationError):
                self._make_webhook(url=url)
        webhook, _secret = self._make_webhook(url='https://example.com/hook')
        with self.assertRaises(ValidationError):
            webhook.url = 'https://10.0.0.1/'

    def test_nothing_is_sent_to_a_host_that_is_allowed_no_more_or_leads_inside(self):
        webhook, _secret = self._make_webhook('redeemed')
        inside, _secret = self._make_webhook('redeemed', url='https://localhost/')
        self.env['ir.config_parameter'].set_param('refill_cards.webhook_hosts', False)
        self._redeem(self._generate_card())
        self._run_cron()
        self.assertFalse(self.receiver.messages)
        for each in webhook + inside:
            delivery = self._get_deliveries(each)
            self.assertEqual((delivery.state, delivery.status, delivery.tries), ('waiting', 0, 1))
        self.assertIn('private network', self._get_deliveries(inside).answer)

    def test_a_redirect_into_the_server_s_network_is_not_followed(self):
        webhook, _secret = self._make_webhook('redeemed')
        location = f'http://{self.receiver.host}/secret'
        self.receiver.answers = [
            lambda handler: Receiver.reply(handler, 307, b'there', Location=location)
        ]
        self._redeem(self._generate_card())
        self._run_cron()
        self.assertEqual([message.path for message in self.receiver.messages], ['/hook'])
        delivery = self._get_deliveries(webhook)
        self.assertEqual((delivery.state, delivery.status), ('waiting', 307))

    # -------------------------------------------------------------------------
    # MESSAGES
    # -------------------------------------------------------------------------

    def test_a_message_is_signed_and_its_answer_written_down(self):
        webhook, secret = self._make_webhook('redeemed')
        card = self._generate_card()
        self._redeem(card)
        self._run_cron()
        [message] = self.receiver.messages
        self.assertEqual((message.path, message.kind), ('/hook', 'redeemed'))
        self.assertEqual(message.headers['content-type'], 'application/json')
        self.assertEqual(self._verify(message, secret), [True])
        self.assertLess(abs(int(message.headers['webhook-timestamp']) - time.time()), 60)
        self.assertNotIn(card.sudo().code, message.body)
        delivery = self._get_deliveries(webhook)
        self.assertEqual(
            (delivery.state, delivery.status, delivery.answer, delivery.tries, delivery.uid),
            ('delivered', 200, 'thanks', 1, message.id),
        )
        self._run_cron()
        self.assertEqual(len(self.receiver.messages), 1)

    def test_secrets_change_without_a_message_that_the_receiver_cannot_verify(self):
        webhook, first = self._make_webhook('redeemed')
        second = self._make_secret(webhook)
        self.assertNotEqual(first, second)
        cards = self._generate(2).card_ids
        self._redeem(cards[0])
        self._run_cron()
        webhook.action_drop_old_secret()
        self._redeem(cards[1])
        self._run_cron()
        both, new = self.receiver.messages
        self.assertEqual(self._verify(both, first), [False, True])
        self.assertEqual(self._verify(both, second), [True, False])
        self.assertEqual(self._verify(new, second), [True])

    def test_another_key_of_the_codes_sends_nothing_rather_than_signing_wrongly(self):
        self._make_webhook('redeemed')
        self._redeem(self._generate_card())
        with patch.dict('os.environ', REFILL_CARDS_KEY='0' * 128):
            self._run_cron()
        self.assertFalse(self.receiver.messages)
        self._run_cron()
        self.assertEqual(self._get_received(), ['redeemed'])

    def test_webhooks_get_the_events_and_series_that_they_want(self):
        series, other = self._generate(2), self._generate(2)
        self._make_webhook('redeemed', 'undone', series_ids=[Command.set(series.ids)])
        everything, _secret = self._make_webhook()
        everything.active = False
        theirs, _secret = self._make_webhook(company_id=self.other_company.id)
        for card in (other.card_ids[0], series.card_ids[0]):
            self._redeem(card)
        self._change(series.card_ids[1], 'disable', reason='lost')
        self._undo(series.card_ids[0])
        self._run_cron()
        self.assertEqual(self._get_received(), ['redeemed', 'undone'])
        self.assertFalse(self._get_deliveries(everything) + self._get_deliveries(theirs))

    # -------------------------------------------------------------------------
    # WHAT GOES WRONG
    # -------------------------------------------------------------------------

    def test_what_fails_is_sent_again_with_the_same_id_until_it_arrives(self):
        webhook, secret = self._make_webhook('redeemed')
        with patch.object(posting, 'SECONDS', 0.3):
            failing = [500, self.receiver.die, self.receiver.hang, 404]
            self.receiver.answers = [*failing, 204]
            self._redeem(self._generate_card())
            for count in range(1, 7):
                self._run_cron()
                self._run_cron()  # which does nothing during the pause
                self.assertEqual(len(self.receiver.messages), min(count, 5))
                self._let_time_pass(webhook)
        self.assertEqual(len({message.id for message in self.receiver.messages}), 1)
        self.assertEqual(len({message.body for message in self.receiver.messages}), 1)
        for message in self.receiver.messages:
            self.assertEqual(self._verify(message, secret), [True])
        delivery = self._get_deliveries(webhook)
        self.assertEqual((delivery.state, delivery.tries, delivery.status), ('delivered', 5, 204))

    def test_pauses_grow_for_three_days(self):
        pauses = refill_card_webhook_delivery.PAUSES
        self.assertEqual(list(pauses), sorted(pauses))
        self.assertEqual(sum(pauses), 3 * 24 * 60)

    def test_after_three_days_accountants_are_told_once_and_can_send_again(self):
        webhook, _secret = self._make_webhook('redeemed')
        self.receiver.answers = [500]
        cards = self._generate(2).card_ids
        for card in cards:
            self._redeem(card)
        self._run_cron()
        deliveries = self._get_deliveries(webhook)
        deliveries.tries = len(refill_card_webhook_delivery.PAUSES)
        self._let_time_pass(webhook)
        self._run_cron()
        self.assertEqual(set(deliveries.mapped('state')), {'failed'})
        self.assertEqual((webhook.failed_count, webhook.waiting_count), (2, 0))
        mine = webhook.sudo().activity_ids.filtered(
            lambda activity: activity.user_id == self.accountant
        )
        self.assertEqual(len(mine), 1)
        self._let_time_pass(webhook)
        self._run_cron()
        ids = [message.id for message in self.receiver.messages]
        self.assertEqual(len(ids), 4)
        with self.assertRaises(AccessError):
            deliveries.with_user(self.clerk).action_resend()
        self.receiver.answers = [200]
        deliveries.with_user(self.accountant).action_resend()
        self._run_cron()
        self.assertEqual(set(deliveries.mapped('state')), {'delivered'})
        self.assertEqual([message.id for message in self.receiver.messages][4:], ids[:2])

    def test_what_is_told_of_a_card_waits_for_what_came_before_and_other_cards_do_not(self):
        webhook, _secret = self._make_webhook('redeemed', 'undone')
        card, other = self._generate(2).card_ids
        self._redeem(card)
        self._redeem(other)
        self._undo(card)
        self._undo(other)
        self.receiver.answers = [500, 200]
        self._run_cron()
        self.assertEqual(self._get_received(), ['redeemed', 'redeemed', 'undone'])
        first, second, third = self.receiver.messages
        self.assertIn(card.name, first.body)
        for message in (second, third):
            self.assertIn(other.name, message.body)
        self._run_cron()
        self.assertEqual(len(self.receiver.messages), 3)
        self._let_time_pass(webhook)
        self._run_cron()
        again, last = self.receiver.messages[3:]
        self.assertEqual((again.id, last.kind), (first.id, 'undone'))
        self.assertIn(card.name, last.body)

    def test_cards_wait_for_their_series(self):
        webhook, _secret = self._make_webhook('generated', 'redeemed')
        self.receiver.answers = [500, 200]
        card = self._generate_card()
        self._redeem(card)
        self._run_cron()
        self.assertEqual(self._get_received(), ['generated'])
        self._let_time_pass(webhook)
        self._run_cron()
        self.assertEqual(self._get_received(), ['generated', 'generated', 'redeemed'])

    def test_a_message_about_many_cards_holds_back_each_of_them(self):
        webhook, _secret = self._make_webhook('disabled', 'activated')
        series = self._generate(3)
        self._change(series, 'disable', reason='lost')
        self._change(series.card_ids[1], 'enable')
        self.receiver.answers = [500, 200]
        self._run_cron()
        self.assertEqual(self._get_received(), ['disabled'])
        self._let_time_pass(webhook)
        self._run_cron()
        self.assertEqual(self._get_received(), ['disabled', 'disabled', 'activated'])

    def test_a_receiver_that_is_down_is_left_alone_for_a_while_and_others_are_served(self):
        down, _secret = self._make_webhook('redeemed', url=f'http://{self.receiver.host}/down')
        self._make_webhook('redeemed')
        self.receiver.answers = [
            lambda handler: Receiver.reply(handler, 503 if handler.path == '/down' else 200)
        ]
        for card in self._generate(6).card_ids:
            self._redeem(card)

        def count(path):
            return sum(message.path == path for message in self.receiver.messages)

        self._run_cron()
        self._run_cron()
        self.assertEqual((count('/down'), count('/hook')), (3, 6))
        self._let_time_pass(down)
        self.receiver.answers = [200]
        self._run_cron()
        self.assertEqual((count('/down'), count('/hook')), (9, 6))
        ids = [message.id for message in self.receiver.messages if message.path == '/down']
        self.assertEqual(len(set(ids)), 6)

    def test_a_job_without_time_goes_on_in_the_next_run(self):
        self._make_webhook('redeemed')
        for card in self._generate(3).card_ids:
            self._redeem(card)
        with patch.object(
            type(self.env['ir.cron']),
            '_commit_progress',
            autospec=True,
            return_value=0,
        ) as told:
            self.env['refill.card.notice'].sudo()._cron_tell()
        self.assertTrue(any(call.kwargs.get('remaining') for call in told.mock_calls))
        self._run_cron()
        self.assertEqual(self._get_received(), ['redeemed'] * 3)


@tagged('post_install', '-at_install')
class TestWebhookSecrets(WebhooksCommon, ButtonCalls, HttpCase):
    def test_a_secret_is_shown_once_to_whoever_typed_their_password(self):
        webhook = self.env['refill.card.webhook'].create(
            {'name': "x", 'url': 'https://example.com', 'company_id': self.company.id}
        )
        self.authenticate(self.accountant.login, self.accountant.login)
        action = self._call_button(webhook, 'action_renew_secret')
        self.assertEqual(action['res_model'], 'res.users.identitycheck')
        self.assertFalse(webhook.has_secret)
        identity = self.env[action['res_model']].browse(action['res_id'])
        shown = self._call_button(identity, 'run_check', {'password': self.accountant.login})
        self.assertRegex(shown['params']['code'], r'^whsec_[\w+/]{43}=$')
        again = self._call_button(webhook, 'action_renew_secret')
        self.assertNotEqual(again['params']['code'], shown['params']['code'])

    def test_an_api_key_alone_gets_no_secret(self):
        webhook = self.env['refill.card.webhook'].create(
            {'name': "x", 'url': 'https://example.com', 'company_id': self.company.id}
        )
        keys = self.env['res.users.apikeys'].with_user(self.accountant)
        tomorrow = fields.Datetime.now() + timedelta(days=1)
        key = keys._generate('rpc', "Shop", tomorrow)
        response = self.url_open(
            '/json/2/refill.card.webhook/action_renew_secret',
            json={'ids': webhook.ids},
            headers={'Authorization': f'Bearer {key}'},
        )
        self.assertNotIn('whsec_', response.text)
        self.assertFalse(webhook.has_secret)
