"""A gateway: it redeems cards over the API, and repeats what was not answered."""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

CLIENTS = 8
CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
# One call in so many is not listened to at first, so that its answer is lost.
HANGS_UP = 10
HANG_UP_SECONDS = 0.05
PAUSE_SECONDS = 0.2
MAX_TRIES = 200


@dataclass
class Call:
    """A call, with the reference that the gateway wrote down before it sent it."""

    code: str
    partner_id: int
    reference: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: dict[str, Any] | None = None
    # Why it was repeated: a status, a reason of refusal, or what broke.
    lost: list[str] = field(default_factory=list)


def open_session(certificate: Path) -> requests.Session:
    """Return a session that trusts the proxy's certificate, whatever the environment says."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificate)
    return session


class Gateway:
    """Sends calls by several clients at a time."""

    def __init__(self, url: str, certificate: Path, key: str) -> None:
        self._url = f'{url}/json/2/refill.card/redeem_code'
        self._certificate = certificate
        self._key = key
        self._local = threading.local()
        self._is_over = threading.Event()
        self.answered = 0

    @contextmanager
    def redeeming(self, calls: list[Call]) -> Iterator[None]:
        """Have each call answered while something else happens, and wait until all are.

        :raise RuntimeError: when one cannot be
        """
        with ThreadPoolExecutor(CLIENTS) as clients:
            self._redeemed = [
                clients.submit(self._redeem, number, call) for number, call in enumerate(calls)
            ]
            try:
                yield
                for each in self._redeemed:
                    each.result()
            finally:
                self._is_over.set()
                clients.shutdown(cancel_futures=True)

    def has_answered(self, count: int) -> bool:
        """Tell whether so many calls are answered.

        :raise RuntimeError: when one cannot be
        """
        for each in self._redeemed:
            if each.done():
                each.result()
        return self.answered >= count

    def _redeem(self, number: int, call: Call) -> None:
        hangs_up = number % HANGS_UP == 0
        for seconds in self._get_patience(hangs_up):
            if self._is_over.is_set():
                break
            try:
                response = self._post(call, seconds)
            except requests.exceptions.SSLError:
                raise
            except requests.RequestException as error:
                call.lost.append(type(error).__name__)
            else:
                if response.ok:
                    call.answer = response.json()
                    self.answered += 1
                    return
                call.lost.append(self._read_refusal(response))
            time.sleep(PAUSE_SECONDS)
        raise RuntimeError(f"A call was never answered: {call.lost}")

    def _get_patience(self, hangs_up: bool) -> Iterator[float]:
        yield HANG_UP_SECONDS if hangs_up else ANSWER_SECONDS
        for _try in range(MAX_TRIES):
            yield ANSWER_SECONDS

    def _post(self, call: Call, seconds: float) -> requests.Response:
        """Send a call; over one connection of each client, as browsers and gateways do."""
        if not hasattr(self._local, 'session'):
            self._local.session = open_session(self._certificate)
        return self._local.session.post(
            self._url,
            json={
                'code': call.code,
                'partner_id': call.partner_id,
                'reference': call.reference,
            },
            headers={'Authorization': f'Bearer {self._key}'},
            timeout=(CONNECT_SECONDS, seconds),
        )

    def ask_again(self, call: Call) -> dict[str, Any]:
        """Return the answer to a call that was answered before."""
        response = self._post(call, ANSWER_SECONDS)
        response.raise_for_status()
        return response.json()

    def _read_refusal(self, response: requests.Response) -> str:
        """Return why a call was not answered.

        :raise RuntimeError: when repeating it would not help
        """
        if response.status_code in (502, 503, 504):
            return str(response.status_code)
        body = response.json() if 'json' in response.headers.get('Content-Type', '') else {}
        reason = (body.get('context') or {}).get('reason')
        if reason != 'busy':
            raise RuntimeError(f"{response.status_code} {response.text[:2000]}")
        return reason
