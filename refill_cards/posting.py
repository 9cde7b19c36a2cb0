"""Posts signed messages to addresses that users enter.

None of them reaches into the server's own network: each address that a name leads to is looked at,
and the connection goes to one that was. No redirect is followed, no proxy asked, and neither a slow
nor a talkative receiver holds the server up.
"""

import base64
import hashlib
import hmac
import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection
from contextlib import closing, suppress
from threading import Timer
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

SECONDS = 15
# Of an answer that are read; nobody needs more to see what went wrong.
ANSWER_BYTES = 1000
# Of one host that are tried.
MAX_ADDRESSES = 4
PORTS = {'http': 80, 'https': 443}
# Of the specification https://www.standardwebhooks.com.
SECRET_PREFIX = 'whsec_'
SECRET_BYTES = 32


class Unsafe(Exception):
    """Nothing is sent to such an address.

    :param str reason: ``malformed``, ``insecure`` or ``private``.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Answer(NamedTuple):
    status: int
    text: str  # its beginning


# -------------------------------------------------------------------------
# SIGNATURES
# -------------------------------------------------------------------------


def write_secret(secret: bytes) -> str:
    """Return a secret as receivers enter it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, id_: str, timestamp: int, body: str) -> str:
    """Return the signature of a message, as Standard Webhooks want it.

    >>> secret = base64.b64decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    >>> sign(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = hmac.new(secret, f'{id_}.{timestamp}.{body}'.encode(), hashlib.sha256)
    return f'v1,{base64.b64encode(signed.digest()).decode()}'


# -------------------------------------------------------------------------
# ADDRESSES
# -------------------------------------------------------------------------


def check(url: str, allowed: Collection[str] = ()) -> SplitResult:
    """Return the parts of a URL to which something may be sent, as far as the URL itself tells.

    :param url: as a user entered it.
    :param allowed: hosts, or hosts with their port, that may be private and without encryption.
    :raise Unsafe: when nothing is sent there.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        host.encode('idna')
    except (AttributeError, ValueError):
        raise Unsafe('malformed') from None
    is_plain = url.isascii() and url.isprintable() and ' ' not in url
    if not is_plain or not host or port == 0 or '@' in parts.netloc or parts.scheme not in PORTS:
        raise Unsafe('malformed')
    if not _is_allowed(parts, allowed):
        if parts.scheme != 'https':
            raise Unsafe('insecure')
        if _is_address(host) and not is_public(host):
            raise Unsafe('private')
    return parts


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the internet, also one that is wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition('%')[0])
    inner = getattr(ip, 'ipv4_mapped', None) or getattr(ip, 'sixtofour', None)
    if inner:
        return is_public(str(inner))
    return ip.is_global and not (
        ip.is_multicast
        or ip.is_reserved
        or ip.is_unspecified
        or ip.is_loopback
        or ip.is_link_local
        or getattr(ip, 'is_site_local', False)
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition('%')[0])
    except ValueError:
        return False
    return True


def _is_allowed(parts: SplitResult, allowed: Collection[str]) -> bool:
    return bool({parts.hostname, parts.netloc.lower()} & set(allowed))


def _resolve(parts: SplitResult, allowed: Collection[str]) -> list[tuple]:
    """Return where a host is, as the arguments of a socket and its address.

    :raise Unsafe: when any of that is not public: which one answers, its owner decides.
    """
    port = parts.port or PORTS[parts.scheme]
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    if not _is_allowed(parts, allowed):
        if not all(is_public(address[0]) for *_socket, address in found):
            raise Unsafe('private')
    return found


# -------------------------------------------------------------------------
# POSTING
# -------------------------------------------------------------------------


def post(url: str, body: str, headers: dict[str, str], allowed: Collection[str] = ()) -> Answer:
    """Post a body and return what is answered, whatever its status.

    :param allowed: see :func:`check`.
    :raise Unsafe: when nothing is sent there.
    :raise OSError: when there is no answer, or a broken one.
    """
    parts = check(url, allowed)
    path = (parts.path or '/') + (f'?{parts.query}' if parts.query else '')
    with closing(_Connection(parts, _resolve(parts, allowed))) as connection:
        timer = Timer(SECONDS, connection.give_up)
        timer.start()
        try:
            connection.request('POST', path, body.encode(), headers)
            answer = _read(connection.getresponse())
        except (http.client.HTTPException, OSError) as error:
            if connection.is_late:
                raise _late() from None
            if isinstance(error, OSError):
                raise
            raise ConnectionError(f'The answer is no HTTP: {type(error).__name__}') from None
        finally:
            timer.cancel()
    if connection.is_late:  # cut off, it may look like one that is whole
        raise _late()
    return answer


def _late() -> TimeoutError:
    return TimeoutError(f'No answer within {SECONDS} seconds')


def _read(response: http.client.HTTPResponse) -> Answer:
    """Return the beginning of an answer.

    :raise HTTPException: when it breaks off.
    """
    text = response.read(ANSWER_BYTES)
    if len(text) < ANSWER_BYTES and response.length:
        raise http.client.IncompleteRead(text, response.length)
    # A text that PostgreSQL can hold.
    return Answer(response.status, text.decode(errors='replace').replace('\0', ''))


class _Lines(io.BufferedReader):
    """What a receiver sends: until the headers are whole, its end is no end of an answer."""

    is_whole = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line and not self.is_whole:
            raise http.client.RemoteDisconnected('The answer breaks off')
        return line


class _Response(http.client.HTTPResponse):
    """An answer with whole headers, of which http.client takes the half, too."""

    def begin(self):
        self.fp = _Lines(self.fp.detach())
        res = super().begin()
        self.fp.is_whole = True
        return res


class _Connection(http.client.HTTPConnection):
    """Goes to addresses that were looked at, while host and certificate are those of the URL."""

    response_class = _Response

    def __init__(self, parts: SplitResult, found: list[tuple]):
        super().__init__(parts.hostname, parts.port or PORTS[parts.scheme])
        self.default_port = PORTS[parts.scheme]
        self.is_encrypted = parts.scheme == 'https'
        self.found = found
        self.is_late = False
        self.end = time.monotonic() + SECONDS

    def connect(self):
        self.sock = self._reach()
        if self.is_encrypted:
            context = ssl.create_default_context()
            # Afterwards, when the socket can be given up.
            self.sock = context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def _reach(self) -> socket.socket:
        problem = OSError('No address')
        for *kind, _name, address in self.found[:MAX_ADDRESSES]:
            reached = socket.socket(*kind)
            reached.settimeout(max(self.end - time.monotonic(), 0.1))
            try:
                reached.connect(address)
                return reached
            except OSError as error:
                reached.close()
                problem = error
        raise problem

    def give_up(self):
        """End whatever is under way, from another thread."""
        self.is_late = True
        if self.sock:
            with suppress(OSError):
                # Of the plain socket: an encrypted one would say good-bye first.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
