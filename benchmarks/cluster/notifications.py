"""Why pgbouncer lends whole sessions: LISTEN is forgotten with a transaction's connection."""

import json
import select
import ssl
import time
from contextlib import suppress

import psycopg2
import websocket
from single_packet import Browser

SECONDS = 20
SECONDS_TO_HEAR = 5
# The first websocket of a host waits until the registry is loaded.
SECONDS_TO_CONNECT = 60
# A connection that listens is lent to others in between.
OTHERS = 5


def hears(port: int, password: str, database: str) -> bool:
    """Return whether a connection of the pool that listens hears what another one tells."""
    options = {'host': '127.0.0.1', 'port': port, 'user': 'odoo', 'password': password}
    listening = psycopg2.connect(**options, dbname=database)
    telling = psycopg2.connect(**options, dbname=database)
    try:
        for connection in (listening, telling):
            connection.autocommit = True
        with listening.cursor() as cursor:
            cursor.execute('LISTEN refill_cards_benchmark')
        with telling.cursor() as cursor:
            for _other in range(OTHERS):
                cursor.execute('NOTIFY refill_cards_benchmark')
        end = time.monotonic() + SECONDS_TO_HEAR
        while time.monotonic() < end and not listening.notifies:
            select.select([listening], [], [], 0.1)
            listening.poll()
        return bool(listening.notifies)
    finally:
        listening.close()
        telling.close()


def count_heard(browser: Browser, times: int) -> int:
    """Return how many notifications a browser hears of what it asks one host or the other to do."""
    info = browser.read_session_info()
    trust = ssl.create_default_context(cafile=browser.certificate)
    socket = websocket.create_connection(
        f'wss://localhost:{browser.port}/websocket?version={info["websocket_worker_version"]}',
        cookie=browser.get_cookies(),
        sslopt={'context': trust},
        timeout=SECONDS_TO_CONNECT,
    )
    socket.settimeout(SECONDS)
    try:
        socket.send(json.dumps({'event_name': 'subscribe', 'data': {'channels': [], 'last': 0}}))
        time.sleep(1)
        settings = info['user_settings']['id']
        heard = 0
        for number in range(times):
            key = f'key {number}'
            change = {'new_settings': {'push_to_talk_key': key}}
            browser.call('res.users.settings', 'set_res_users_settings', [settings], **change)
            heard += _hears_of(socket, key)
        return heard
    finally:
        socket.close()


def _hears_of(socket: websocket.WebSocket, text: str) -> bool:
    with suppress(websocket.WebSocketTimeoutException):
        while text not in socket.recv():
            continue
        return True
    return False
