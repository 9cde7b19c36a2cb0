import smtplib
import threading
from contextlib import suppress
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import retrying
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from .concurrency import ConcurrencyCase
from .test_send import SENDING, run_mail_server


class Killed(BaseException):
    """The server process is gone; nothing that follows is run."""


@tagged('post_install', '-at_install')
class TestSendConcurrency(ConcurrencyCase):
    """Cards and e-mails that are committed, and a real mail server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mail_server, port = run_mail_server(cls)
        with cls._committing() as env:
            env['res.company'].browse(cls.company_id).email = 'cards@example.com'
            env['res.partner'].browse(cls.customer_id).email = 'customer@example.com'
            values = {'name': "Concurrent", 'smtp_host': '127.0.0.1', 'smtp_port': port}
            cls.smtp_id = env['ir.mail_server'].create({**values, 'sequence': 0}).id
        cls.addClassCleanup(cls._remove_mail_server)

    @classmethod
    def _remove_mail_server(cls):
        with cls._committing() as env:
            env['ir.mail_server'].browse(cls.smtp_id).unlink()

    def setUp(self):
        super().setUp()
        self.mail_server.taken.clear()
        mail_servers = self.registry['ir.mail_server']
        self.startPatcher(patch.object(mail_servers, '_disable_send', lambda *args: False))
        with self._committing() as env:
            series = env['refill.card.series'].browse(self._generate())
            self.card_id = series.card_ids.id

    def _delete_cards(self, env):  # pylint: disable=missing-return
        sendings = env['refill.card.sending'].search([('company_id', '=', self.company_id)])
        mails = sendings.mail_id
        of_sendings = [('res_model', '=', sendings._name), ('res_id', 'in', sendings.ids)]
        env['mail.activity'].search(of_sendings).unlink()
        sendings.message_ids.unlink()
        super()._delete_cards(env)
        env.cr.execute(
            SQL("DELETE FROM refill_card_sending WHERE company_id = %s", self.company_id)
        )
        env.invalidate_all()
        mails.unlink()

    def _send(self, env, **values):
        """Send the card as a manager who has just typed their password."""
        wizard = env['refill.card.send'].create(
            {
                'card_ids': [Command.set([self.card_id])],
                'partner_ids': [Command.set([self.customer_id])],
                **values,
            }
        )
        return type(wizard).action_send.__wrapped__(wizard)

    def _send_in_a_request(self, _number=0):
        """Return whether the card was sent; else somebody was quicker."""
        with self._transaction() as env:
            try:
                retrying(lambda: self._send(env), env)
            except UserError:
                return False
            return True

    def _run_queue(self):
        """Send what waits, and commit as the background job does."""
        with self._committing() as env, mute_logger(SENDING):
            sendings = env['refill.card.sending'].search([('company_id', '=', self.company_id)])
            sendings.mail_id.send(auto_commit=True)

    def _get_sendings(self, *fnames):
        with self._committing() as env:
            sendings = env['refill.card.sending'].search([('company_id', '=', self.company_id)])
            return sendings.read(fnames, load='')

    def test_a_manager_who_sends_beside_another_is_told_so(self):
        with self._transaction() as first, self._transaction() as second:
            second['refill.card'].browse(self.card_id).read(['sent_state'])
            self._send(first)
            with self.assertRaisesRegex(UserError, "just sending"):
                self._send(second)
            second.cr.rollback()
            first.cr.commit()
            with self.assertRaisesRegex(UserError, "on the way to Concurrent customer"):
                self._send(second)

    def test_one_of_many_managers_sends(self):
        sent = self._at_once(self._send_in_a_request, range(4))
        self.assertEqual(sorted(sent), [False, False, False, True])
        [sending] = self._get_sendings('state')
        self.assertEqual(sending['state'], 'queued')
        self._run_queue()
        self.assertEqual(len(self.mail_server.taken), 1)

    def test_after_a_crash_nothing_goes_out_twice_and_no_pdf_stays(self):
        self._send_in_a_request()
        send = smtplib.SMTP.send_message

        def send_and_die(connection, *args, **kwargs):
            send(connection, *args, **kwargs)
            raise Killed

        with patch.object(smtplib.SMTP, 'send_message', send_and_die), suppress(Killed):
            self._run_queue()
        self.assertEqual(len(self.mail_server.taken), 1)
        [sending] = self._get_sendings('state', 'is_started')
        self.assertEqual((sending['state'], sending['is_started']), ('queued', True))
        self._run_queue()
        self._run_queue()
        self.assertEqual(len(self.mail_server.taken), 1)
        [sending] = self._get_sendings('state', 'problem', 'mail_id', 'activity_ids')
        self.assertEqual(sending['state'], 'failed')
        self.assertIn("may have arrived", sending['problem'])
        self.assertTrue(sending['activity_ids'])
        with self._committing() as env:
            self.assertFalse(env['mail.mail'].browse(sending['mail_id']).attachment_ids)

    def test_a_crash_before_the_mail_server_hears_of_it_sends_nothing(self):
        self._send_in_a_request()
        sendings = self.registry['refill.card.sending']
        with (
            patch.object(sendings, '_prepare_attachment', side_effect=Killed),
            suppress(Killed),
        ):
            self._run_queue()
        self._run_queue()
        self.assertFalse(self.mail_server.taken)
        [sending] = self._get_sendings('state')
        self.assertEqual(sending['state'], 'failed')

    def test_two_runs_of_the_queue_send_once(self):
        self._send_in_a_request()
        going_out, other_done = threading.Event(), threading.Event()
        send = smtplib.SMTP.send_message

        def send_slowly(connection, *args, **kwargs):
            going_out.set()
            other_done.wait(10)
            return send(connection, *args, **kwargs)

        with (
            patch.object(smtplib.SMTP, 'send_message', send_slowly),
            self._in_background(self._run_queue) as first,
        ):
            going_out.wait(10)
            self._run_queue()
            other_done.set()
        self.assertIsNone(first.result())
        self.assertEqual(len(self.mail_server.taken), 1)
        [sending] = self._get_sendings('state')
        self.assertEqual(sending['state'], 'sent')
