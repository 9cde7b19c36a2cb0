"""Messages to other systems, without Odoo: signatures, addresses, time and size."""

import base64
import socket
import ssl
import time
from unittest.mock import patch

from odoo.tests import BaseCase, tagged

from ..refill_cards import posting
from .webhook_server import Receiver, make_certificate

PRIVATE = (
    *('127.0.0.1', '10.0.0.1', '172.16.3.4', '192.168.1.1', '169.254.169.254', '0.0.0.0'),
    *('100.64.0.1', '198.18.0.1', '192.0.2.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'),
    *('::1', '::', 'fe80::1%eth0', 'fd00:ec2::254', 'fec0::1', 'ff02::1', '2001::1'),
    *('::ffff:127.0.0.1', '::ffff:169.254.169.254', '::127.0.0.1', '64:ff9b::7f00:1'),
    *('2002:7f00:1::', '2002:a9fe:a9fe::'),
)
PUBLIC = ('8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8')


@tagged('post_install', '-at_install')
class TestPosting(BaseCase):
    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.url = f'http://{self.receiver.host}/x?y=1'

    def _post(self, url=None, allowed=None):
        hosts = [self.receiver.host] if allowed is None else allowed
        url = self.url if url is None else url
        return posting.post(url, 'body', {'webhook-id': 'msg_1'}, hosts)

    def _assert_unsafe(self, reason, url, allowed=()):
        with self.assertRaises(posting.Unsafe) as unsafe:
            self._post(url, allowed)
        self.assertEqual(unsafe.exception.reason, reason)

    def _resolving_to(self, *addresses):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, '', (each, 443)) for each in addresses]
        return patch.object(socket, 'getaddrinfo', return_value=found)

    def test_the_signature_is_that_of_the_specification_s_own_example(self):
        secret = base64.b64decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
        self.assertEqual(
            posting.sign(
                secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}'
            ),
            'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
        )
        self.assertEqual(posting.write_secret(secret), 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')

    # -------------------------------------------------------------------------
    # ADDRESSES
    # -------------------------------------------------------------------------

    def test_nothing_goes_to_addresses_that_are_not_of_the_internet(self):
        for address in PRIVATE:
            with self.subTest(address=address):
                self.assertFalse(posting.is_public(address))
                host = f'[{address}]' if ':' in address else address
                self._assert_unsafe('private', f'https://{host}/')
                with self._resolving_to(address):
                    self._assert_unsafe('private', 'https://example.com/')
        for address in PUBLIC:
            self.assertTrue(posting.is_public(address))
        self.assertFalse(self.receiver.messages)

    def test_other_ways_to_write_an_address_are_no_way_around(self):
        for host in ('127.1', '2130706433', '0x7f.1', '0177.0.0.1', 'localhost', 'LOCALHOST'):
            with self.subTest(host=host):
                port = self.receiver.server.server_port
                self._assert_unsafe('private', f'https://{host}:{port}/')

    def test_a_name_that_leads_to_a_private_address_too_is_refused(self):
        with self._resolving_to('8.8.8.8', '127.0.0.1'):
            self._assert_unsafe('private', 'https://example.com/')

    def test_the_connection_goes_to_the_address_that_was_looked_at(self):
        reached = []
        with (
            self._resolving_to('8.8.8.8') as asked,
            patch.object(
                socket.socket,
                'connect',
                lambda _socket, address: reached.append(address) or 1 / 0,
            ),
            self.assertRaises(ZeroDivisionError),
        ):
            self._post('https://example.com/', [])
        self.assertEqual((asked.call_count, reached), (1, [('8.8.8.8', 443)]))

    def test_what_is_no_plain_address_is_refused(self):
        for url in (
            *('', 'x', 'ftp://example.com', 'file:///etc/passwd', 'https://', 'https://a b/'),
            *('https://exa\nmple.com', 'https://example.com:0', 'https://example.com:99999'),
            *('https://user:password@example.com', 'https://@example.com', 'https://ä.com'),
            f'https://{"a" * 70}.com',
        ):
            with self.subTest(url=url):
                self._assert_unsafe('malformed', url)
        self._assert_unsafe('insecure', 'http://example.com/')

    def test_only_hosts_that_are_allowed_are_private_or_without_encryption(self):
        self._assert_unsafe('insecure', self.url)
        self._assert_unsafe('insecure', self.url, ['127.0.0.1:1', 'other'])
        for allowed in (self.receiver.host, '127.0.0.1'):
            self.assertEqual(self._post(allowed=[allowed]), (200, 'thanks'))
        [message, _again] = self.receiver.messages
        self.assertEqual((message.path, message.body, message.id), ('/x?y=1', 'body', 'msg_1'))
        self.assertEqual(message.headers['host'], self.receiver.host)

    def test_no_proxy_is_asked(self):
        with patch.dict('os.environ', http_proxy='http://192.0.2.1:1', HTTP_PROXY='http://x:1'):
            self.assertEqual(self._post().status, 200)

    # -------------------------------------------------------------------------
    # ANSWERS
    # -------------------------------------------------------------------------

    def test_no_redirect_is_followed(self):
        location = f'http://{self.receiver.host}/elsewhere'
        for status in (301, 302, 303, 307, 308):
            self.receiver.answers = [
                lambda handler, status=status: Receiver.reply(handler, status, Location=location)
            ]
            self.assertEqual(self._post().status, status)
        self.assertEqual({message.path for message in self.receiver.messages}, {'/x?y=1'})

    def test_who_is_slow_is_not_waited_for(self):
        with patch.object(posting, 'SECONDS', 0.3):
            for answer in (self.receiver.hang, self.receiver.dribble):
                self.receiver.answers = [answer]
                started = time.monotonic()
                with self.assertRaises(TimeoutError):
                    self._post()
                self.assertLess(time.monotonic() - started, 5)

    def test_an_answer_that_breaks_off_is_none(self):
        self.receiver.answers = [self.receiver.die]
        with self.assertRaises(ConnectionError):
            self._post()
        for garbage in (
            *(b'', b'SSH-2.0-OpenSSH\r\n', b'HTTP/1.1 200 OK\r\n', b'HTTP/1.1 200 OK\r\nX: y'),
            *(b'HTTP/1.1 200 OK\r\nX: y\r\n', b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n'),
        ):
            self.receiver.answers = [lambda handler, text=garbage: handler.wfile.write(text)]
            with self.assertRaises(ConnectionError):
                self._post()

    def test_an_answer_without_a_length_is_whole_when_its_headers_are(self):
        for whole in (
            b'HTTP/1.0 200 OK\r\n\r\n',
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n',
        ):
            self.receiver.answers = [lambda handler, text=whole: handler.wfile.write(text)]
            self.assertEqual(self._post(), (200, ''))

    def test_nobody_listening_is_an_error(self):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            host = f'127.0.0.1:{free.getsockname()[1]}'
            with self.assertRaises(ConnectionError):
                self._post(f'http://{host}/', [host])

    def test_only_the_beginning_of_an_answer_is_read(self):
        self.receiver.answers = [self.receiver.talk]
        answer = self._post()
        self.assertEqual(answer, (200, 'x' * (posting.ANSWER_BYTES // 2)))

    # -------------------------------------------------------------------------
    # ENCRYPTION
    # -------------------------------------------------------------------------

    def test_the_certificate_must_be_trusted_and_of_that_host(self):
        path = make_certificate('localhost')
        self.addCleanup(path.unlink)
        receiver = Receiver(path)
        self.addCleanup(receiver.close)
        url = f'https://localhost:{receiver.server.server_port}/'
        other = f'https://{receiver.host}/'
        allowed = ['localhost', receiver.host]
        with self.assertRaises(ssl.SSLCertVerificationError):
            self._post(url, allowed)
        create = ssl.create_default_context
        with patch.object(ssl, 'create_default_context', lambda: create(cafile=path)):
            self.assertEqual(self._post(url, allowed).status, 200)
            with self.assertRaises(ssl.SSLCertVerificationError):
                self._post(other, allowed)
        self.assertEqual(len(receiver.messages), 1)
