import io
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch

import requests
from lxml import html
from odoo import http
from odoo.fields import Command
from odoo.service import security
from odoo.sql_db import ConnectionPool, Cursor
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import SQL, mute_logger
from PIL import Image
from psycopg2 import DatabaseError, OperationalError

from ..refill_cards.lost_database import TRIES
from .concurrency import ConcurrencyCase

WAYS = ('json2', 'screen', 'rpc', 'form')
UNAVAILABLE = "Nothing was changed"
UNCERTAIN = "not certain whether this was done"


@tagged('post_install', '-at_install')
class TestLostDatabase(ConcurrencyCase):
    """Connections that PostgreSQL really ends, at moments of a redemption over HTTP."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls._committing() as env:
            company = env['res.company'].browse(cls.company_id)
            company.refill_card_portal = True
            user = new_test_user(
                env,
                login='refill_portal',
                groups='base.group_portal',
                company_id=company.id,
                company_ids=[Command.set(company.ids)],
                partner_id=cls.customer_id,
            )
            cls.addClassCleanup(cls._remove_user, user.id)
            cls.user_id = user.id
            keys = env(user=cls.accountant_id)['res.users.apikeys']
            cls.key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))

    @classmethod
    def _remove_user(cls, user_id):
        with cls._committing() as env:
            env['res.users'].browse(user_id).unlink()

    def setUp(self):
        super().setUp()
        self.opener = requests.Session()
        self.addCleanup(self.opener.close)
        muted = mute_logger('odoo.sql_db', 'odoo.http', 'odoo.addons.refill_cards.lost_database')
        self.enterContext(muted)
        self.code = self._generate_code()

    # -------------------------------------------------------------------------
    # CALLS
    # -------------------------------------------------------------------------

    def _prepare_json2(self, model='refill.card', method='redeem_code', **body):
        body = body or {'code': self.code, 'partner_id': self.customer_id}
        headers = {'Authorization': f'bearer {self.key}', 'X-Odoo-Database': self._get_database()}
        return {'url': f'/json/2/{model}/{method}', 'json': body, 'headers': headers}

    def _prepare_jsonrpc(self, url, **params):
        return {'url': url, 'json': {'jsonrpc': '2.0', 'id': 7, 'params': params}}

    def _prepare_screen(self):
        self._log_in(self.accountant_id)
        return self._prepare_jsonrpc(
            '/web/dataset/call_kw/refill.card/redeem_code',
            model='refill.card',
            method='redeem_code',
            args=[self.code, self.customer_id],
            kwargs={},
        )

    def _prepare_rpc(self):
        arguments = [self.code, self.customer_id]
        login = self._get_database(), self.accountant_id, self.key
        call = [*login, 'refill.card', 'redeem_code', arguments]
        prepared = self._prepare_jsonrpc(
            '/jsonrpc', service='object', method='execute_kw', args=call
        )
        return {**prepared, 'headers': {'X-Odoo-Database': self._get_database()}}

    def _prepare_form(self):
        session = self._log_in(self.user_id)
        with self._committing() as env:
            token = http.Request.csrf_token(SimpleNamespace(session=session, env=env))
        return {'url': '/my/refill', 'data': {'csrf_token': token, 'code': self.code}}

    @contextmanager
    def _calling(self, prepare, **about):
        """Yield the request that redeems another card in one of the ways that lead over HTTP."""
        self._remove_cards()
        self.code = self._generate_code()
        self.opener.cookies.clear()
        with self.subTest(by=prepare, **about):
            yield getattr(self, f'_prepare_{prepare}')()

    def _send(self, call):
        return self.opener.post(**{**call, 'url': HttpCase.base_url() + call['url']})

    def _get_database(self):
        return self.registry.db_name

    def _log_in(self, user_id):
        session = http.root.session_store.new()
        session.update(http.get_default_session(), db=self._get_database(), _trace_disable=True)
        with self._committing() as env:
            user = env['res.users'].browse(user_id)
            session.update(uid=user.id, login=user.login)
            session.session_token = security.compute_session_token(session, env(user=user))
            session.context.update(env(user=user)['res.users'].context_get())
        http.root.session_store.save(session)
        self.addCleanup(http.root.session_store.delete, session)
        self.opener.cookies.set('session_id', session.sid)
        return session

    # -------------------------------------------------------------------------
    # MOMENTS
    # -------------------------------------------------------------------------

    @staticmethod
    def _end(cr):
        """Have PostgreSQL end the connection of a cursor."""
        pid = cr._cnx.get_backend_pid()
        with closing(TestLostDatabase.registry.cursor()) as other:
            other.execute(SQL("SELECT pg_terminate_backend(%s, 5000)", pid))

    @contextmanager
    def _ending(self, model, method, times=1, end=None):
        """End the connection that a method uses, before it goes on.

        :param int times: how many calls do.
        :param end: what is done instead with the connection's cursor.
        """
        cls = self.registry[model]
        original = getattr(cls, method)
        calls = []

        def call(records, *args, **kwargs):
            calls.append(1)
            if len(calls) <= times:
                (end or self._end)(records.env.cr)
            return original(records, *args, **kwargs)

        with patch.object(cls, method, call):
            yield calls

    @contextmanager
    def _ending_while_committing(self):
        """End the connection of a redemption after its last statement, before the commit."""
        redeeming = []
        original = Cursor.commit

        def commit(cr):
            if redeeming[:1] == [cr]:
                cr.flush()
                self._end(cr)
            return original(cr)

        with (
            patch.object(Cursor, 'commit', commit),
            self._ending('account.payment', '_pay_open_invoices', end=redeeming.append),
        ):
            yield redeeming

    def _end_after_commit(self, cr):
        @cr.postcommit.add
        def end():
            self._end(cr)
            cr.execute("SELECT 1")

    # -------------------------------------------------------------------------
    # SERVED AGAIN
    # -------------------------------------------------------------------------

    def test_a_redemption_is_served_again_when_nothing_was_committed(self):
        for moment in (
            ('refill.card', '_find_by_code'),
            ('refill.card.lockout', '_refuse_locked'),  # the connection of the counts
            ('refill.card', '_turn_into_payment'),
            ('account.move', 'create'),
            ('account.payment', '_pay_open_invoices'),
        ):
            for way in WAYS:
                with self._calling(way, moment=moment) as call, self._ending(*moment) as calls:
                    response = self._send(call)
                    self.assertEqual(len(calls), 2)
                    self._assert_served(response)

    def test_it_is_served_again_when_nobody_could_tell_who_asks(self):
        for way, model, method in (
            ('json2', 'res.users.apikeys', '_check_credentials'),
            ('screen', 'res.users', '_compute_session_token'),
            ('form', 'res.users', '_compute_session_token'),
        ):
            with self._calling(way) as call, self._ending(model, method) as calls:
                response = self._send(call)
                self.assertGreaterEqual(len(calls), 2)
                self._assert_served(response)

    def _assert_served(self, response):
        self.assertEqual(response.status_code, 200)
        if 'json' in response.headers['Content-Type']:
            self.assertNotIn('error', response.json())
        self._assert_redeemed_once(self.code)
        self._assert_attempts()

    def test_a_connection_that_ended_meanwhile_is_not_noticed(self):
        self._send(self._prepare_json2())
        with self._committing() as env:
            env.cr.execute(
                SQL(
                    """
                    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()
                       AND state LIKE 'idle%%'
                    """
                )
            )
        self.code = self._generate_code()
        self.assertEqual(self._send(self._prepare_json2()).status_code, 200)
        self._assert_redeemed_once(self.code)

    def test_connections_that_the_pool_finds_lost_are_not_noticed(self):
        borrow = ConnectionPool.borrow
        for way in WAYS:
            vanished = [DatabaseError("server closed the connection unexpectedly")] * 3

            def find(*args, vanished=vanished):
                if vanished:
                    raise vanished.pop()
                return borrow(*args)

            with self._calling(way) as call:
                with patch.object(ConnectionPool, 'borrow', find):
                    response = self._send(call)
                self._assert_served(response)

    # -------------------------------------------------------------------------
    # ANSWERED WITH A SENTENCE
    # -------------------------------------------------------------------------

    def _assert_sentence(self, response, reason, sentence):
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.headers['Retry-After'], '5')
        if 'json' in response.headers['Content-Type']:
            error = response.json()
            if 'jsonrpc' in error:
                self.assertEqual(error['id'], 7)
                error = error['error']['data']
                self.assertEqual(error['name'], 'odoo.exceptions.UserError')
            self.assertIn(sentence, error['message'])
            self.assertEqual(error['context'], {'reason': reason})
            self.assertNotIn('psycopg2', response.text)
        else:
            [alert] = html.fromstring(response.text).xpath("//p[@role='alert']")
            self.assertIn(sentence, alert.text_content())
        self.assertNotIn(self.code, response.text)

    def test_a_redemption_that_is_lost_again_and_again_is_answered_with_a_sentence(self):
        for way in WAYS:
            with self._calling(way) as call:
                with self._ending('account.move', 'create', times=TRIES) as calls:
                    self._assert_sentence(self._send(call), 'unavailable', UNAVAILABLE)
                self.assertEqual(len(calls), TRIES)
                self._assert_never_redeemed(self.code)

    def test_nobody_is_told_that_nothing_was_changed_when_it_was_lost_while_committing(self):
        for way in WAYS:
            with self._calling(way) as call:
                with self._ending_while_committing() as redeeming:
                    self._assert_sentence(self._send(call), 'uncertain', UNCERTAIN)
                self.assertEqual(len(redeeming), 1)
                self._assert_never_redeemed(self.code)

    def test_nothing_is_done_again_when_it_was_lost_after_it_was_committed(self):
        for way in WAYS:
            with self._calling(way) as call:
                end = self._end_after_commit
                with self._ending('account.payment', '_pay_open_invoices', end=end) as calls:
                    self._assert_sentence(self._send(call), 'uncertain', UNCERTAIN)
                self.assertEqual(len(calls), 1)
                self._assert_redeemed_once(self.code)

    def test_a_redemption_with_a_reference_is_served_again_and_done_once(self):
        def end_after_commit():
            end = self._end_after_commit
            return self._ending('account.payment', '_pay_open_invoices', end=end)

        for way in ('json2', 'screen', 'form'):
            for ending in (self._ending_while_committing, end_after_commit):
                with self._calling(way, ending=ending.__name__) as call:
                    body = call['data'] if way == 'form' else call['json']
                    body = body['params']['kwargs'] if way == 'screen' else body
                    body['reference'] = self.code
                    with ending():
                        self._assert_served(self._send(call))

    def test_what_was_uploaded_is_there_when_a_request_is_served_again(self):
        photo = io.BytesIO()
        Image.new('RGB', (40, 30), 'red').save(photo, 'JPEG')
        session = self._log_in(self.user_id)
        self.addCleanup(self._delete_requests)
        with self._committing() as env:
            token = http.Request.csrf_token(SimpleNamespace(session=session, env=env))
        typed = {'typed': '2026-0001-000001', 'bought_at': "Kiosk", 'bought_on': '2026-01-31'}
        form = {'csrf_token': token, 'reference': 'r1', **typed}
        with self._ending('refill.card.replacement.request', '_ask') as calls:
            self._send(
                {
                    'url': '/my/refill/replacement',
                    'data': form,
                    'files': {'receipt': ('receipt.jpg', photo.getvalue())},
                }
            )
        self.assertEqual(len(calls), 2)
        with self._committing() as env:
            asked = env['refill.card.replacement.request'].search(
                [('partner_id', '=', self.customer_id)]
            )
            self.assertTrue(asked.receipt)

    def _delete_requests(self):
        with self._committing() as env:
            domain = [('partner_id', '=', self.customer_id)]
            env['refill.card.replacement.request'].search(domain).unlink()

    def test_without_any_connection_there_is_a_sentence_in_the_language_of_the_session(self):
        refused = OperationalError("the database system is starting up")
        for way in WAYS:
            with self._calling(way) as call:
                with patch.object(ConnectionPool, 'borrow', side_effect=refused):
                    response = self._send(call)
                self._assert_sentence(response, 'unavailable', UNAVAILABLE)
                self._assert_never_redeemed(self.code)
                # Whoever was logged in still is.
                self._assert_served(self._send(call))

    def test_a_full_disk_is_answered_with_a_sentence_at_once(self):
        def fill(cr):
            cr.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$")

        with self._ending('account.move', 'create', end=fill) as calls:
            response = self._send(self._prepare_json2())
        self._assert_sentence(response, 'unavailable', UNAVAILABLE)
        self.assertEqual(len(calls), 1)
        self._assert_never_redeemed(self.code)

    # -------------------------------------------------------------------------
    # OTHERS
    # -------------------------------------------------------------------------

    def test_what_is_not_about_cards_is_left_to_odoo(self):
        with self._ending('res.partner', 'search_read', times=9) as calls:
            response = self._send(self._prepare_json2('res.partner', 'search_read', domain=[]))
        self.assertEqual(response.status_code, 500)
        self.assertEqual(len(calls), 1)

    def test_a_failure_of_ours_is_no_lost_database(self):
        def fail(cr):
            cr.execute("SELECT nonsense")

        with self._ending('account.move', 'create', end=fail) as calls:
            self.assertEqual(self._send(self._prepare_json2()).status_code, 500)
        self.assertEqual(len(calls), 1)
