"""A server that receives messages, or does not."""

import json
import ssl
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Message(NamedTuple):
    path: str
    headers: dict
    body: str

    @property
    def id(self):
        return self.headers['webhook-id']

    @property
    def told(self):
        return json.loads(self.body)

    @property
    def kind(self):
        return self.told['type'].removeprefix('refill_card.')


class Receiver:
    """An HTTP server on the loopback interface, in threads of its own.

    ``answers`` are given one after the other, the last one again and again: a status, or a function
    of the handler.
    """

    def __init__(self, certificate=None):
        self.messages = []
        self.answers = [200]
        self.stopping = threading.Event()
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), self._make_handler())
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f'127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def close(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def _make_handler(receiver):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length'])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.messages.append(Message(self.path, headers, body))
                answers = receiver.answers
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if callable(answer):
                    answer(self)
                else:
                    receiver.reply(self, answer, b'thanks')

            def log_message(self, *args):
                pass

        return Handler

    @staticmethod
    def reply(handler, status, body=b'', **headers):
        handler.send_response(status)
        handler.send_header('Content-Length', str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    # What goes wrong.

    def hang(self, handler):
        """Answer nothing until the server stops."""
        self.stopping.wait(30)

    def dribble(self, handler):
        """Send a header without end, a byte at a time."""
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nX: ')
        with suppress(OSError):
            while not self.stopping.wait(0.02):
                handler.wfile.write(b'x')

    def die(self, handler):
        """Break off in the middle of an answer."""
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')

    def talk(self, handler):
        """Send an answer that nobody wants to read to its end."""
        self.reply(handler, 200, b'\0x' * 5_000_000)


def make_certificate(name):
    """Return the path of a file with a certificate for a host, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with NamedTemporaryFile(suffix='.pem', delete=False) as file:
        file.write(certificate.public_bytes(pem) + private)
    return Path(file.name)
