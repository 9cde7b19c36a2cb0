"""A PostgreSQL and an Odoo of their own, to which anything may happen, and what happens to them."""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from configparser import ConfigParser
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import requests
from cluster import ROLE, TOOLS, as_another_user
from workspace import obey_interrupts, run_quietly

WORKERS = 2
SETTINGS = {
    'listen_addresses': '',
    'max_connections': '60',
    'max_wal_size': '256MB',
    # The machine itself stays up, so what was written is there after a crash.
    'fsync': 'off',
}
DISK = 3 * 2**30  # bytes
ROOM_LEFT = 2**18  # bytes, when the disk is full
SECONDS_TO_RECOVER = 120
PAUSE = 0.1  # seconds
CLONE_NEWNS = 0x00020000


class Machine:
    """Both servers, in a folder that goes with them.

    :param database: the name of the database of which they get a copy
    :param rng: what happens when
    """

    def __init__(self, database: str, rng: random.Random) -> None:
        self.database = database
        self.folder = Path(tempfile.mkdtemp(prefix='faults-'))
        self._rng = rng
        self._disk = self.folder / 'disk'
        self._odoo: subprocess.Popen | None = None
        self._postgres: subprocess.Popen | None = None
        self.port, self._gevent_port = _find_free_port(), _find_free_port()
        self.url = f'http://127.0.0.1:{self.port}'
        self._make_folders()
        self.has_small_disk = self._mount_disk()
        self.faults = {
            "kill -9 of a worker": self.kill_worker,
            "kill -9 of all workers": self.kill_workers,
            "end of a connection": self.end_connection,
            "end of all connections": self.end_connections,
            "immediate shutdown": self.crash_postgres,
        }
        if self.has_small_disk:
            self.faults["full disk"] = self.fill_disk

    def __enter__(self) -> 'Machine':
        run_quietly("Making a PostgreSQL cluster", self._get_initdb(), cwd='/')
        self.start_postgres()
        self._copy_database()
        return self

    def __exit__(self, *_error: object) -> None:
        for process in filter(None, (self._odoo, self._postgres)):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
        if self.has_small_disk:
            subprocess.run(['umount', '--lazy', self._disk], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def odoo_options(self) -> list[str]:
        """What tells any Odoo to use this database."""
        connection = [
            f'--db_host={self.folder}',
            f'--db_user={ROLE}',
            f'--database={self.database}',
        ]
        return [*connection, f'--data-dir={self.folder / "data"}']

    # -------------------------------------------------------------------------
    # BOTH SERVERS
    # -------------------------------------------------------------------------

    def start_postgres(self) -> None:
        """Start PostgreSQL, and wait until it has recovered."""
        options = [f'-c{name}={value}' for name, value in SETTINGS.items()]
        user = as_another_user()
        if 'setpriv' in user:
            user += ('--pdeathsig', 'INT')  # forgotten with the change of the user
        command = [*user, TOOLS / 'postgres', '-D', self._disk / 'cluster']
        command += [f'-cunix_socket_directories={self.folder}', *options]
        with open(self.folder / 'postgres.log', 'a') as log:
            streams = {'stdin': subprocess.DEVNULL, 'stdout': log, 'stderr': log}
            self._postgres = subprocess.Popen(
                command, cwd='/', preexec_fn=obey_interrupts, **streams
            )

    def start_odoo(self) -> None:
        """Start Odoo with workers for requests and one for jobs, and wait until it serves."""
        self._spawn_odoo()
        self.recover()

    def _spawn_odoo(self) -> None:
        # Odoo starts its server for long polling by the file that it was started by.
        start = self.folder / 'start.py'
        start.write_text("from odoo.cli.command import main\nmain()\n")
        command = [sys.executable, start, 'server', *self.odoo_options]
        command += [f'--http-port={self.port}', f'--gevent-port={self._gevent_port}']
        command += [f'--workers={WORKERS}', '--max-cron-threads=1', '--log-level=warn']
        command.append(f'--logfile={self.folder / "odoo.log"}')
        self._odoo = subprocess.Popen(command, preexec_fn=obey_interrupts)

    def recover(self) -> None:
        """Mend what a fault has broken, and wait until both servers serve.

        :raise TimeoutError: when they don't
        """
        end = time.monotonic() + SECONDS_TO_RECOVER
        while not (self._is_postgres_ready() and (self._odoo is None or self._is_odoo_ready())):
            if self._postgres is None or self._postgres.poll() is not None:
                self.start_postgres()
            # It ends where it wants to start a worker and there is no database: whatever runs
            # services starts it again.
            if self._odoo is not None and self._odoo.poll() is not None:
                self._spawn_odoo()
            if time.monotonic() > end:
                print((self.folder / 'postgres.log').read_text()[-3000:])
                print((self.folder / 'odoo.log').read_text()[-6000:])
                raise TimeoutError(
                    "The servers do not come back. Above are the ends of their logs."
                )
            time.sleep(PAUSE)

    def _is_postgres_ready(self) -> bool:
        try:
            with closing(self._connect()):
                return True
        except psycopg2.OperationalError:
            return False

    def _is_odoo_ready(self) -> bool:
        try:
            health = requests.get(f'{self.url}/web/health?db_server_status=1', timeout=30)
        except requests.RequestException:
            return False
        return health.ok

    def _connect(self, database: str = 'postgres') -> 'psycopg2.extensions.connection':
        return psycopg2.connect(host=self.folder, user=ROLE, dbname=database)

    # -------------------------------------------------------------------------
    # FAULTS
    # -------------------------------------------------------------------------

    def kill_worker(self) -> None:
        """Kill one of Odoo's workers, be it for requests or for jobs."""
        if workers := self._list_workers():
            os.kill(self._rng.choice(workers), signal.SIGKILL)

    def kill_workers(self) -> None:
        for worker in self._list_workers():
            os.kill(worker, signal.SIGKILL)

    def end_connection(self) -> None:
        """End one of the connections that are doing something, by PostgreSQL itself."""
        self._terminate("state <> 'idle' ORDER BY random() LIMIT 1")

    def end_connections(self) -> None:
        self._terminate("TRUE")

    def crash_postgres(self) -> None:
        """Shut PostgreSQL down at once, without a checkpoint; it is back a little later."""
        self._postgres.send_signal(signal.SIGQUIT)
        self._postgres.wait(30)
        time.sleep(self._rng.uniform(0, 1))
        self.start_postgres()

    def fill_disk(self) -> None:
        """Leave PostgreSQL no room for a while."""
        space = os.statvfs(self._disk)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        self._resize_disk(used + self._rng.randrange(ROOM_LEFT))
        time.sleep(self._rng.uniform(0.5, 2))
        self._resize_disk(DISK)

    def _list_workers(self) -> list[int]:
        """List the processes of Odoo's workers, but not the one for long polling."""
        workers = []
        for status in Path('/proc').glob('[0-9]*/stat'):
            with suppress(OSError):
                parent = int(status.read_text().rpartition(')')[2].split()[1])
                command = (status.parent / 'cmdline').read_bytes()
                if parent == self._odoo.pid and b'\0gevent\0' not in command:
                    workers.append(int(status.parent.name))
        return sorted(workers)

    def _terminate(self, which: str) -> None:
        with suppress(psycopg2.OperationalError), closing(self._connect()) as connection:
            connection.cursor().execute(
                f"""
                SELECT pg_terminate_backend(pid) FROM (
                    SELECT pid FROM pg_stat_activity
                     WHERE datname = %s AND pid <> pg_backend_pid() AND {which}
                ) AS connection
                """,
                [self.database],
            )

    # -------------------------------------------------------------------------
    # FOLDERS
    # -------------------------------------------------------------------------

    def _make_folders(self) -> None:
        self._disk.mkdir()
        if 'setpriv' in as_another_user():
            shutil.chown(self.folder, 'nobody')

    def _mount_disk(self) -> bool:
        """Put a small disk in memory under PostgreSQL, and say whether that was allowed.

        In a name space of our own, so that it goes with us, however we end.
        """
        if os.geteuid() or ctypes.CDLL(None).unshare(CLONE_NEWNS):
            return False
        private = ['mount', '--make-rprivate', '/']
        disk = ['mount', '-t', 'tmpfs', '-o', f'size={DISK}', 'tmpfs', self._disk]
        is_mounted = all(
            not subprocess.run(each, check=False).returncode for each in (private, disk)
        )
        if is_mounted and 'setpriv' in as_another_user():
            shutil.chown(self._disk, 'nobody')
        return is_mounted

    def _resize_disk(self, size: int) -> None:
        subprocess.run(['mount', '-o', f'remount,size={size}', self._disk], check=False)

    def _get_initdb(self) -> list:
        command = [*as_another_user(), TOOLS / 'initdb', '-D', self._disk / 'cluster']
        return [*command, '--username', ROLE, '--encoding=UTF8', '--locale=C.UTF-8', '--auth=trust']

    def _copy_database(self) -> None:
        """Copy database and files from the sandbox's PostgreSQL and Odoo."""
        self.recover()
        dump = subprocess.Popen(
            [TOOLS / 'pg_dump', '--create', self.database], stdout=subprocess.PIPE
        )
        restore = [TOOLS / 'psql', '-XqAt', '-h', self.folder, '-U', ROLE, '-d', 'postgres']
        subprocess.run(restore, stdin=dump.stdout, stdout=subprocess.DEVNULL, check=True)
        if dump.wait():
            raise RuntimeError(f"pg_dump failed for {self.database}")
        settings = ConfigParser()
        settings.read(os.environ['ODOO_RC'])
        files = Path(settings['options']['data_dir'], 'filestore', self.database)
        if files.exists():
            shutil.copytree(files, self.folder / 'data/filestore' / self.database)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
