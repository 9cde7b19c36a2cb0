"""Many requests in one packet: a browser's double click at its fastest, or an attack.

HTTP/2 carries requests side by side in one connection, so a packet can hold many, and a server
begins them at the same moment, however the network trembles:
https://portswigger.net/research/smashing-the-state-machine
"""

import re
import socket
import ssl
from pathlib import Path
from urllib.parse import urlencode

import h2.config
import h2.connection
import h2.events
import requests
from gateway import open_session

REQUESTS = 20
SECONDS = 60
BYTES = 65536
PACKET = 16384  # what TLS seals at once


class Browser:
    """A customer who is logged in to the portal."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port = port
        self.certificate = certificate
        self._session = open_session(certificate)

    def log_in(self, login: str, password: str) -> None:
        fields = {**self.read_fields('/web/login'), 'login': login, 'password': password}
        answer = self._session.post(self._get_url('/web/login'), data=fields)
        answer.raise_for_status()
        if '/web/login' in answer.url:
            raise RuntimeError(f"{login} could not log in.")

    def _get_url(self, path: str) -> str:
        return f'https://localhost:{self.port}{path}'

    def get(self, path: str) -> requests.Response:
        response = self._session.get(self._get_url(path))
        response.raise_for_status()
        return response

    def call(self, model: str, method: str, *args: object, **kwargs: object) -> object:
        """Return what a method answers to the web client."""
        params = {'model': model, 'method': method, 'args': args, 'kwargs': kwargs}
        body = {'jsonrpc': '2.0', 'method': 'call', 'params': params}
        url = self._get_url(f'/web/dataset/call_kw/{model}/{method}')
        answer = self._session.post(url, json=body).json()
        if 'error' in answer:
            raise RuntimeError(answer['error']['data']['message'])
        return answer['result']

    def read_session_info(self) -> dict:
        """Return what the web client is told about its session."""
        url = self._get_url('/web/session/get_session_info')
        return self._session.post(url, json={'jsonrpc': '2.0', 'params': {}}).json()['result']

    def get_cookies(self) -> str:
        return '; '.join(f'{name}={value}' for name, value in self._session.cookies.items())

    def read_fields(self, path: str) -> dict[str, str]:
        """Return the hidden fields of a page's forms."""
        fields = {}
        for tag in re.findall(r'<input[^>]*type="hidden"[^>]*>', self.get(path).text):
            attributes = dict(re.findall(r'([a-z_]+)="([^"]*)"', tag))
            fields[attributes.get('name', '')] = attributes.get('value', '')
        return fields

    def send_in_one_packet(self, path: str, fields: dict[str, str]) -> list[tuple[str, str]]:
        """Send a form many times at once.

        :return: of each answer its status and where it leads
        """
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(['h2'])
        with (
            socket.create_connection(('localhost', self.port), timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname='localhost') as connection,
        ):
            if connection.selected_alpn_protocol() != 'h2':
                raise RuntimeError("The proxy does not speak HTTP/2.")
            return self._send(connection, path, urlencode(fields).encode())

    def _send(self, connection: ssl.SSLSocket, path: str, body: bytes) -> list[tuple[str, str]]:
        http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding='utf-8'))
        http.initiate_connection()
        connection.sendall(http.data_to_send())
        http.receive_data(connection.recv(BYTES))  # its settings
        headers = [
            (':method', 'POST'),
            (':path', path),
            (':scheme', 'https'),
            (':authority', f'localhost:{self.port}'),
            ('content-type', 'application/x-www-form-urlencoded'),
            ('content-length', str(len(body))),
            ('cookie', self.get_cookies()),
        ]
        for number in range(REQUESTS):
            stream = 2 * number + 1
            http.send_headers(stream, headers)
            http.send_data(stream, body, end_stream=True)
        packet = http.data_to_send()
        if len(packet) > PACKET:
            raise RuntimeError(f"{len(packet)} bytes are more than one packet.")
        connection.sendall(packet)
        return self._receive(connection, http)

    def _receive(
        self, connection: ssl.SSLSocket, http: h2.connection.H2Connection
    ) -> list[tuple[str, str]]:
        answers, ended = {}, 0
        while ended < REQUESTS:
            for event in http.receive_data(connection.recv(BYTES)):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                    answers[event.stream_id] = headers[':status'], headers.get('location', '')
                elif isinstance(event, h2.events.DataReceived):
                    http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    ended += 1
                elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    raise RuntimeError(f"The proxy broke off: {event}")
            if pending := http.data_to_send():
                connection.sendall(pending)
        return list(answers.values())
