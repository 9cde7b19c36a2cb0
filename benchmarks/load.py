"""Redemptions over JSON-2 beside bare payments, by more and more clients, on two workers.

`python3 sandbox bench --load`; locustfile.py says what is sent.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from workspace import PYTHON, Trouble, obey_interrupts

HERE = Path(__file__).parent
WORKERS = 2
PORT = 8469
CLIENTS = (1, 2, 4, 8)
ROUNDS = 2
SECONDS = 15
CARDS = 12_000
CUSTOMERS = 1_000
JOURNALS = 4
MIXED = {'RedeemUser': 2, 'PortalUser': 4, 'ListUser': 1, 'RefusedUser': 1}
REDEEM = '/json/2/refill.card/redeem_code'
POST = '/json/2/account.payment/action_post'


class Load:
    """Sends what users do, by a process of locust a measurement."""

    def __init__(self, stock: Path) -> None:
        self._stock = stock
        self._used = 0

    def send(self, clients: int, *users: str) -> list[dict]:
        """Return locust's figures, by what was asked.

        :raise Trouble: when something was not answered as it should be
        """
        command = [sys.executable, '-m', 'locust', '-f', HERE / 'locustfile.py', *users]
        command += [
            '--headless',
            '--json',
            '--host',
            f'http://127.0.0.1:{PORT}',
            '--skip-log-setup',
        ]
        command += [
            '-u',
            str(clients),
            '-r',
            str(clients),
            '-t',
            f'{SECONDS}s',
            '--stop-timeout',
            '30',
        ]
        environment = {
            **os.environ,
            'REFILL_CARDS_STOCK': str(self._stock),
            'REFILL_CARDS_USED': str(self._used),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Trouble(
                f"Requests were not answered as they should be:\n{done.stdout}{done.stderr}"
            )
        figures = json.loads(done.stdout)
        self._used += sum(each['num_requests'] for each in figures if each['name'] == REDEEM)
        return figures

    def measure(self, clients: int, user: str, name: str) -> float:
        """Return how many requests of a name were answered each second."""
        [figure] = [each for each in self.send(clients, user) if each['name'] == name]
        return figure['num_requests'] / (figure['last_request_timestamp'] - figure['start_time'])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        stock = Path(folder, 'stock.json')
        command = [PYTHON, HERE / 'stock.py', stock, str(CARDS), str(CUSTOMERS), '1']
        if subprocess.run(command).returncode:
            raise Trouble("Filling the database failed.")
        odoo = _serve(Path(folder))
        try:
            load = Load(stock)
            load.send(WORKERS, 'RedeemUser', 'PaymentUser')  # warm
            _compare(load)
            _mix(load)
        finally:
            odoo.terminate()
            odoo.wait()
    return 0


def _serve(folder: Path) -> subprocess.Popen:
    """Serve the database by two workers, as nothing else is measured: no jobs."""
    program = folder / 'odoo-bin'  # by its name Odoo starts the process for websockets
    program.write_text("import odoo.cli; odoo.cli.main()\n")
    command = [PYTHON, program, '-d', os.environ['REFILL_CARDS_BENCH_DB']]
    command += [f'--workers={WORKERS}', '--max-cron-threads=0', f'--http-port={PORT}']
    command += ['--gevent-port', str(PORT + 1), f'--logfile={folder}/log', '--log-level=warn']
    process = subprocess.Popen(command, preexec_fn=obey_interrupts)
    while process.poll() is None:
        try:
            urllib.request.urlopen(f'http://127.0.0.1:{PORT}/web/health', timeout=60).close()
        except OSError:
            time.sleep(0.2)
        else:
            return process
    raise Trouble("Odoo did not start.")


def _compare(load: Load) -> None:
    """Print the table of what is answered a second.

    Both are measured in turn, so that other programs slow them alike; the best round counts.
    """
    print("| clients | journals | redemptions a second | bare payments a second | ratio |")
    print(f"|{'---|' * 5}")
    for journals in (1, JOURNALS):
        if journals > 1:
            _add_journals(journals - 1)
        for clients in CLIENTS:
            redeemed, paid = [], []
            for _round in range(ROUNDS):
                redeemed.append(load.measure(clients, 'RedeemUser', REDEEM))
                paid.append(load.measure(clients, 'PaymentUser', POST))
            ours, bare = max(redeemed), max(paid)
            print(
                f"| {clients} | {journals} | {ours:.1f} | {bare:.1f} | {ours / bare:.2f} |",
                flush=True,
            )


def _add_journals(count: int) -> None:
    """Add refill card journals, as the button in Settings does."""
    lines = [f'for _ in range({count}):', '    env.company._add_refill_card_journal()', '']
    add = '\n'.join([*lines, 'env.cr.commit()', ''])
    shell = [PYTHON, '-m', 'odoo', 'shell', '-d', os.environ['REFILL_CARDS_BENCH_DB'], '--no-http']
    subprocess.run(shell, input=add, text=True, check=True, capture_output=True)


def _mix(load: Load) -> None:
    """Print how long each kind of request takes while all kinds come."""
    users = [user for user, count in MIXED.items() for _one in range(count)]
    figures = load.send(len(users), *MIXED)
    print(f"\nAll at once, {len(users)} clients:\n")
    print(f"| request | answers | median | slowest |\n|{'---|' * 4}")
    for each in figures:
        times = sorted((float(ms), count) for ms, count in each['response_times'].items())
        print(
            f"| {each['method']} {each['name']} | {each['num_requests']}"
            f" | {_get_median(times):.0f} ms | {each['max_response_time']:.0f} ms |"
        )


def _get_median(times: list[tuple[float, int]]) -> float:
    left = sum(count for _ms, count in times) / 2
    for ms, count in times:
        left -= count
        if left <= 0:
            return ms
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
