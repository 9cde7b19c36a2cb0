"""Odoo on two hosts behind a proxy, with a replica; one host after the other is killed.

`python3 sandbox bench --cluster`; README.md beside this file says what it shows.
"""

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import consistency
import notifications
import replica as reading
import restoring
from consistency import DATABASE, Findings
from gateway import CLIENTS, Call, Gateway
from machines import (
    Nginx,
    Odoo,
    Pgbouncer,
    Postgres,
    find_programs,
    make_password,
    wait_until,
)
from single_packet import REQUESTS, Browser
from workspace import PYTHON, ROOT, SANDBOX, Trouble, run_quietly

CARDS = 600
CUSTOMERS = 100
JOURNALS = 3
# When which part of the cards is redeemed, the one host or the other is killed.
KILLS = ((0.15, 0), (0.45, 1), (0.75, 0))
SECONDS_AWAY = 5
ASKED_AGAIN = 50
NOTIFICATIONS = 6
AUTOVACUUM = Path(__file__).with_name('autovacuum.sql')


@dataclass
class Cluster:
    """The machines, running."""

    primary: Postgres
    replica: Postgres
    pgbouncer: Pgbouncer
    hosts: list[Odoo]
    nginx: Nginx
    password: str
    stock: dict

    @property
    def url(self) -> str:
        return f'https://localhost:{self.nginx.port}'


@contextmanager
def running(findings: Findings) -> Iterator[Cluster]:
    """Start all machines in a temporary folder, and stop them in the end."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix='refill_cards-cluster-'))
    folder.chmod(0o711)
    machines = []
    try:
        password, key = make_password(), secrets.token_hex(64)
        primary = Postgres('primary', folder, programs, password)
        replica = Postgres('replica', folder, programs, password)
        pgbouncer = Pgbouncer('pgbouncer', folder)
        hosts = [Odoo('odoo_1', folder), Odoo('odoo_2', folder)]
        nginx = Nginx('nginx', folder)
        machines = [primary, replica, pgbouncer, *hosts, nginx]
        started = time.monotonic()
        make_databases(primary, replica, password)
        pgbouncer.set_up(primary, password)
        pgbouncer.start()
        shared = folder / 'shared'
        shared.mkdir(mode=0o700)
        for host in hosts:
            host.set_up(
                password=password,
                key=key,
                shared=shared,
                pgbouncer=pgbouncer.port,
                replica=replica.port,
            )
        stock = fill(hosts[0], folder)
        primary.query(AUTOVACUUM.read_text(), DATABASE)
        nginx.set_up(*hosts)
        for machine in (*hosts, nginx):
            machine.start()
        [[version]] = primary.query('SHOW server_version')
        findings.tell(
            f"Two Odoo hosts, nginx, pgbouncer, PostgreSQL {version} and its replica run"
            f" after {time.monotonic() - started:.0f} s: {folder}"
        )
        yield Cluster(primary, replica, pgbouncer, hosts, nginx, password, stock)
    finally:
        for machine in reversed(machines):
            machine.stop()
        if findings.failed:
            keep_logs(machines)
        shutil.rmtree(folder, ignore_errors=True)


def make_databases(primary: Postgres, replica: Postgres, password: str) -> None:
    primary.make_primary()
    primary.start()
    for role, right in (('odoo', 'CREATEDB'), ('replicator', 'REPLICATION')):
        primary.query(f"CREATE ROLE {role} LOGIN {right} PASSWORD '{password}'")
    primary.query(f'CREATE DATABASE {DATABASE} OWNER odoo')
    replica.make_replica(primary)
    replica.start()


def fill(host: Odoo, folder: Path) -> dict:
    """Install the addon through pgbouncer, and generate cards, customers and keys."""
    environment = {**os.environ, 'ODOO_RC': str(host.settings), 'REFILL_CARDS_BENCH_DB': DATABASE}
    install = [
        '-m',
        'odoo',
        '-i',
        'refill_cards',
        '--without-demo',
        '--stop-after-init',
        '--no-http',
    ]
    file = folder / 'stock.json'
    stock = [ROOT / 'benchmarks/stock.py', file, str(CARDS), str(CUSTOMERS), str(JOURNALS)]
    for doing, command in (("Installing the addon", install), ("Generating cards", stock)):
        run_quietly(doing, [PYTHON, *command], env=environment, cwd='/')
    return json.loads(file.read_text())


def keep_logs(machines: list) -> None:
    logs = SANDBOX / 'logs' / 'cluster'
    shutil.rmtree(logs, ignore_errors=True)
    for machine in machines:
        for file in ('log', 'odoo.log', 'output'):
            if (machine.folder / file).exists():
                logs.mkdir(parents=True, exist_ok=True)
                shutil.copy(machine.folder / file, logs / f'{machine.name}.{file}')
    print(f"What the machines said is in {logs}", file=sys.stderr)


# -------------------------------------------------------------------------
# WHAT IS TRIED
# -------------------------------------------------------------------------


def redeem_while_hosts_are_killed(cluster: Cluster, findings: Findings) -> list[Call]:
    stock = cluster.stock
    calls = [
        Call(code, stock['customers'][number % CUSTOMERS])
        for number, code in enumerate(stock['codes'][:-1])  # the last is for the single packet
    ]
    gateway = Gateway(cluster.url, cluster.nginx.certificate, stock['clerk'])
    findings.tell(f"\n{len(calls)} cards are redeemed by {CLIENTS} clients through both hosts")
    started = time.monotonic()
    with gateway.redeeming(calls):
        _kill_hosts(cluster, findings, gateway, len(calls))
    seconds = time.monotonic() - started
    lost = Counter(why for call in calls for why in call.lost)
    findings.tell(
        f"  {len(calls) / seconds:.1f} a second; answers lost or refused, and why: {dict(lost)}"
    )
    findings.check("every call is answered", all(call.answer for call in calls))
    findings.check("answers were lost", lost.total() > 0)
    interrupted = [call for call in calls if call.lost]
    asked = (interrupted + calls)[: len(interrupted) + ASKED_AGAIN]
    same = all(gateway.ask_again(call) == call.answer for call in asked)
    findings.check(f"{len(asked)} calls asked again have the same answer", same)
    return calls


def _kill_hosts(cluster: Cluster, findings: Findings, gateway: Gateway, total: int) -> None:
    for part, number in KILLS:
        wait_until(
            lambda enough=part * total: gateway.has_answered(enough), "Nobody answers.", limit=600
        )
        host = cluster.hosts[number]
        answered = gateway.answered
        host.kill()
        time.sleep(SECONDS_AWAY)
        host.start()
        meanwhile = gateway.answered - answered
        findings.tell(
            f"  {host.name} was killed after {answered} answers, and is back; the other one"
            f" answered {meanwhile} meanwhile"
        )


def send_one_form_many_times(cluster: Cluster, findings: Findings) -> Browser:
    findings.tell(f"\n{REQUESTS} times the same form in one packet, over HTTP/2")
    browser = Browser(cluster.nginx.port, cluster.nginx.certificate)
    browser.log_in('customer', cluster.stock['password'])
    form = {**browser.read_fields('/my/refill'), 'code': cluster.stock['codes'][-1]}
    answers = browser.send_in_one_packet('/my/refill', form)
    findings.tell(f"  answers: {dict(Counter(answers))}")
    payments = cluster.primary.query(
        f"SELECT id FROM account_payment WHERE partner_id = {cluster.stock['customer']}", DATABASE
    )
    findings.check("one payment is made", len(payments) == 1, len(payments))
    is_done = all(path.endswith('/my/refill/done') for _status, path in answers)
    findings.check("each is answered as the first", is_done)
    return browser


def restore_backup(cluster: Cluster, findings: Findings) -> None:
    findings.tell("\nA backup, made from the replica and restored beside the database")
    reading.catch_up(cluster.primary, cluster.replica)
    host = cluster.hosts[0]
    restoring.restore_backup(cluster.primary, cluster.replica, DATABASE, host.folder)
    sql = "SELECT count(*) FROM refill_card WHERE state = 'used'"
    [[used]] = cluster.primary.query(sql, restoring.RESTORED)
    findings.check("it holds every used card", int(used) == CARDS)
    problem = restoring.ask_for_problem(host, has_key=True)
    findings.check("with the key codes are read", problem == 'none')
    problem = restoring.ask_for_problem(host, has_key=False)
    findings.check("with another key Odoo says so", problem.startswith("The key"))


def read_from_replica(cluster: Cluster, findings: Findings, customer: Browser) -> None:
    findings.tell("\nReports and lists from the replica")
    accountant = Browser(cluster.nginx.port, cluster.nginx.certificate)
    accountant.log_in('benchmark', cluster.stock['password'])
    reading.catch_up(cluster.primary, cluster.replica)
    found = reading.ask_for_reports(accountant, customer)
    [series] = found['refill.card.series']['records']
    findings.check("the replica counts all cards as used", series['used_count'] == CARDS)
    modes = reading.read_modes(cluster.hosts)
    for path, counts in sorted(modes.items()):
        findings.tell(f"          {path}: {dict(counts)}")
    is_replica = all(set(counts) == {'ro'} for counts in modes.values())
    findings.check("they were answered by the replica alone", is_replica)
    _read_what_was_written(cluster, findings, accountant)
    cluster.replica.kill()
    found = reading.ask_for_reports(accountant, customer)
    [series] = found['refill.card.series']['records']
    findings.check("without it the primary answers", series['used_count'] == CARDS)


def _read_what_was_written(cluster: Cluster, findings: Findings, accountant: Browser) -> None:
    """Read right after writing, in three ways of following."""
    for behind, delay, names, commit in (
        ("follows as fast as it can", '0', '', 'on'),
        (f"is {reading.DELAY} behind", reading.DELAY, '', 'on'),
        (
            "is as late, and commits wait for it (remote_apply)",
            reading.DELAY,
            'replica',
            'remote_apply',
        ),
    ):
        reading.set_up(cluster.replica, recovery_min_apply_delay=delay)
        reading.set_up(cluster.primary, synchronous_standby_names=names, synchronous_commit=commit)
        missed = reading.count_missed_reads(accountant)
        findings.tell(
            f"  the replica {behind}: {missed} of {reading.READS} reads right after a write did"
            " not find it"
        )
    findings.check("with remote_apply each finds what was just written", not missed)
    reading.set_up(cluster.primary, synchronous_standby_names='', synchronous_commit='on')


def hear_notifications(cluster: Cluster, findings: Findings) -> None:
    findings.tell("\nNotifications, through pgbouncer and by websocket through nginx")
    pool = cluster.pgbouncer.port, cluster.password
    findings.check("in session mode they are heard", notifications.hears(*pool, 'postgres'))
    heard = notifications.hears(*pool, 'by_transaction')
    findings.tell(f"  in transaction mode they are {'' if heard else 'not '}heard")
    accountant = Browser(cluster.nginx.port, cluster.nginx.certificate)
    accountant.log_in('benchmark', cluster.stock['password'])
    count = notifications.count_heard(accountant, NOTIFICATIONS)
    findings.check(
        "a browser hears of what either host does",
        count == NOTIFICATIONS,
        f"{count} of {NOTIFICATIONS}",
    )


def main() -> int:
    findings = Findings()
    with running(findings) as cluster:
        calls = redeem_while_hosts_are_killed(cluster, findings)
        customer = send_one_form_many_times(cluster, findings)
        findings.tell("\nThe books, and what the health query says")
        consistency.check_answers(findings, cluster.primary, calls, cluster.stock['price'])
        consistency.check_books(findings, cluster.primary, cluster.stock['series'], CARDS)
        hear_notifications(cluster, findings)
        restore_backup(cluster, findings)
        read_from_replica(cluster, findings, customer)
    failed = f"{findings.failed} things are not as they should be."
    findings.tell(f"\n{failed if findings.failed else 'All is as it should be.'}")
    return bool(findings.failed)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
