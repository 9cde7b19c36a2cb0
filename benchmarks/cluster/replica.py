"""What the replica answers, and whether it knows what was just written."""

import re
import time
from collections import Counter

from machines import Odoo, Postgres, wait_until
from single_packet import Browser

READS = 30
DELAY = '200ms'
PAGES = ('/my/payments',)
READ = r'^/my/payments|/(web_search_read|web_read_group|get_figures|get_owed)\b'
# Odoo writes at the end of a request's line whether it was read from the replica (`ro`), from the
# primary (`rw`), or from the primary after the replica could not (`ro->rw`).
LINE = re.compile(r'"(?:GET|POST) (\S+) HTTP/[^"]*" \d+ - \d+ [\d.]+ [\d.]+ (\S+)')


def catch_up(primary: Postgres, replica: Postgres) -> None:
    """Wait until the replica has all that the primary wrote till now."""
    [[position]] = primary.query('SELECT pg_current_wal_lsn()')
    wait_until(
        lambda: replica.query(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == [['t']],
        "The replica does not follow.",
    )


def set_up(database: Postgres, **settings: str) -> None:
    """Change settings of a server that runs."""
    for name, value in settings.items():
        database.query(f"ALTER SYSTEM SET {name} = '{value}'")
    database.query('SELECT pg_reload_conf()')
    time.sleep(1)


def ask_for_reports(accountant: Browser, customer: Browser) -> dict[str, object]:
    """Ask for what staff and customers look at, through the proxy."""
    lists = {
        'refill.card': ('name', 'code', 'state', 'price'),
        'refill.card.series': ('name', 'active_count', 'used_count'),
        'refill.card.event': ('serial', 'new_state'),
    }
    found: dict[str, object] = {
        model: accountant.call(
            model, 'web_search_read', domain=[], specification=dict.fromkeys(fields, {}), limit=80
        )
        for model, fields in lists.items()
    }
    found['statistics'] = accountant.call(
        'refill.card.report',
        'web_read_group',
        domain=[],
        groupby=['state'],
        aggregates=['card_count:sum', 'amount:sum'],
    )
    for method in ('get_figures', 'get_owed'):
        found[method] = accountant.call('refill.card.dashboard', method)
    for page in PAGES:
        found[page] = customer.get(page).status_code
    return found


def read_modes(hosts: list[Odoo]) -> dict[str, Counter]:
    """Return from which database each list and report was answered till now, and how often."""
    modes: dict[str, Counter] = {}
    for host in hosts:
        for path, mode in LINE.findall(host.log.read_text()):
            if not re.search(READ, path):
                continue
            modes.setdefault(re.split('[?#]', path)[0], Counter())[mode] += 1
    return modes


def count_missed_reads(accountant: Browser) -> int:
    """Open a report, and read it as the web client does; count how often it is not there yet.

    Opening writes to the primary. The web client reads what it shows by a method that Odoo sends
    to the replica.
    """
    missed = 0
    for _read in range(READS):
        action = accountant.call('refill.card.roll.forward', 'action_open')
        try:
            [record] = accountant.call(
                'refill.card.roll.forward',
                'web_read',
                [action['res_id']],
                specification={'date_from': {}, 'shown': {}},
            )
            missed += not record['shown']
        except (RuntimeError, ValueError):
            missed += 1
    return missed
