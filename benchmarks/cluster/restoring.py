"""Whether a backup from the replica is one: it opens codes with the key, and only with it."""

import os
import secrets
import subprocess
from pathlib import Path

from machines import Odoo, Postgres
from workspace import PYTHON, Trouble

RESTORED = 'restored'
# What the server says to whoever works with cards.
ASK = "print('PROBLEM', env['refill.card.key']._get_problem() or 'none')\n"


def restore_backup(primary: Postgres, replica: Postgres, database: str, folder: Path) -> None:
    """Back up a database from the replica, and restore it under another name."""
    file = folder / 'backup'
    replica.dump(database, file)
    primary.restore(file, RESTORED)


def ask_for_problem(host: Odoo, *, has_key: bool) -> str:
    """Return what Odoo says of the key, run by a host's configuration on what was restored."""
    environment = dict(os.environ)
    if not has_key:
        environment['REFILL_CARDS_KEY'] = secrets.token_hex(64)  # it goes before odoo.conf's
    shell = [PYTHON, '-m', 'odoo', 'shell', '-c', host.settings, '-d', RESTORED, '--no-http']
    done = subprocess.run(shell, input=ASK, env=environment, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.startswith('PROBLEM '):
            return line.removeprefix('PROBLEM ')
    raise Trouble(f"Odoo does not open what was restored: {done.stderr}")
