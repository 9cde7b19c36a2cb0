"""The machines of the cluster: here they are processes, each on a port of its own."""

import os
import secrets
import shutil
import signal
import socket
import string
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import provision
from workspace import ADDONS, PYTHON, Trouble, obey_interrupts

CONFIGURATION = Path(__file__).with_name('configuration')
SECONDS_TO_START = 120
SECONDS_TO_STOP = 20
DEBIAN_POSTGRES = Path('/usr/lib/postgresql')
PROGRAMS = {'nginx': 'nginx', 'pgbouncer': 'pgbouncer', 'openssl': 'openssl'}
# PostgreSQL and pgbouncer refuse to run as root; Debian's package makes this user.
AS_POSTGRES = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups']
AS_POSTGRES += ['--pdeathsig=keep']  # it ends with us


class Template(string.Template):
    """A configuration file with names between @."""

    pattern = r'@(?:(?P<named>[a-z_0-9]+)@|(?P<escaped>@)|(?P<braced>(?!))|(?P<invalid>(?!)))'


def find_programs() -> Path:
    """Find the programs, or install Debian's packages of them.

    :return: the folder with PostgreSQL's programs
    :raise Trouble: when something is missing and cannot be installed
    """
    missing = [
        package for name, package in PROGRAMS.items() if not shutil.which(name, path=_path())
    ]
    if not list(DEBIAN_POSTGRES.glob('*/bin/postgres')):
        missing.append('postgresql')
    if missing and not provision.install_on_debian(*missing):
        raise Trouble(f"Install {', '.join(missing)}; on Debian, root has this done by itself.")
    return max(DEBIAN_POSTGRES.glob('*/bin'), key=lambda folder: float(folder.parent.name))


def _path() -> str:
    """Where Debian has the programs of servers, also for who is not root."""
    return f'{os.environ["PATH"]}{os.pathsep}/usr/sbin'


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Machine:
    """One server. It is started, killed as if its plug were pulled, and started again."""

    as_user: list[str] = []

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.port = find_free_port()
        self._process: subprocess.Popen | None = None
        self.folder.mkdir(mode=0o700)
        if self.as_user and not os.geteuid():
            shutil.chown(self.folder, 'postgres', 'postgres')

    def get_command(self) -> list:
        raise NotImplementedError

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0

    def start(self) -> None:
        """Start it, and wait until it answers.

        :raise Trouble: when it does not
        """
        with open(self.folder / 'output', 'a') as output:
            self._process = subprocess.Popen(
                self.run_as(self.get_command()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd='/',
                start_new_session=True,
                preexec_fn=obey_interrupts,
                env={**os.environ, 'PATH': _path()},
            )
        wait_until(self.is_ready, f"{self.name} does not start: {self.folder} says why.")

    def kill(self) -> None:
        """Kill it with all its processes, so that none can end anything in order."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self.kill()

    def run_as(self, command: list) -> list:
        return command if os.geteuid() else [*self.as_user, *command]

    def configure(self, filename: str, **values: object) -> Path:
        """Write a configuration file that the machine's user alone can read."""
        template = Template((CONFIGURATION / filename).read_text())
        values = {'folder': self.folder, 'port': self.port, **values}
        return self.write(filename, template.substitute(values))

    def write(self, filename: str, text: str) -> Path:
        path = self.folder / filename
        path.touch(mode=0o600)
        path.write_text(text)
        if self.as_user and not os.geteuid():
            shutil.chown(path, 'postgres', 'postgres')
        return path


class Postgres(Machine):
    """A PostgreSQL server, primary or replica."""

    as_user = AS_POSTGRES

    def __init__(self, name: str, folder: Path, programs: Path, password: str) -> None:
        super().__init__(name, folder)
        self._programs = programs
        self._password = password
        self._data = self.folder / 'data'

    def make_primary(self) -> None:
        password = self.write('password', self._password)
        self._run('initdb', '-D', self._data, '--username=postgres', f'--pwfile={password}')
        with open(self._data / 'postgresql.conf', 'a') as settings:
            settings.write(self.configure('postgresql.conf').read_text())

    def make_replica(self, primary: 'Postgres') -> None:
        """Copy the primary, and follow it through a slot that keeps what is not yet here."""
        source = f'host=127.0.0.1 port={primary.port} user=replicator password={self._password}'
        options = ['--write-recovery-conf', '--create-slot', f'--slot={self.name}']
        options += ['--checkpoint=fast', '--wal-method=stream']
        self._run('pg_basebackup', '-D', self._data, '-d', source, *options)

    def get_command(self) -> list:
        # Named, so that the primary can wait for it.
        options = [f'-cport={self.port}', f'-ccluster_name={self.name}']
        options.append(f'-cunix_socket_directories={self.folder}')
        return [self._programs / 'postgres', '-D', self._data, *options]

    def is_ready(self) -> bool:
        command = [self._programs / 'pg_isready', '-q', '-h', '127.0.0.1', '-p', str(self.port)]
        return not subprocess.run(command).returncode

    def query(self, sql: str, database: str = 'postgres') -> list[list[str]]:
        """Run SQL as the superuser, and return its rows."""
        psql = ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-F', '\t', '-c', sql]
        return [line.split('\t') for line in self._ask(*psql, '-d', database).splitlines()]

    def dump(self, database: str, file: Path) -> None:
        self._ask('pg_dump', '--format=custom', '-f', file, '-d', database)

    def restore(self, file: Path, database: str) -> None:
        self.query(f'CREATE DATABASE {database} OWNER odoo')
        self._ask('pg_restore', '--no-acl', '-d', database, file)

    def _ask(self, program: str, *arguments: object) -> str:
        """Run a client of PostgreSQL as the superuser, and return what it prints."""
        server = ['-h', '127.0.0.1', '-p', str(self.port), '-U', 'postgres']
        done = subprocess.run(
            [self._programs / program, *server, *arguments],
            env={**os.environ, 'PGPASSWORD': self._password},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Trouble(f"{self.name}: {done.stderr}")
        return done.stdout

    def _run(self, program: str, *arguments: object) -> None:
        command = self.run_as([self._programs / program, *arguments])
        done = subprocess.run(command, capture_output=True, text=True, cwd='/')
        if done.returncode:
            raise Trouble(f"{program}: {done.stderr}")


class Pgbouncer(Machine):
    """The pool of connections before the primary."""

    as_user = AS_POSTGRES

    def set_up(self, primary: Postgres, password: str) -> None:
        self.write('userlist.txt', f'"odoo" "{password}"\n')
        self._settings = self.configure('pgbouncer.ini', primary=primary.port)

    def get_command(self) -> list:
        return ['pgbouncer', '-q', self._settings]


class Odoo(Machine):
    """A host with workers for requests, one for jobs, and one for websockets."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.websocket_port = find_free_port()
        self.log = self.folder / 'odoo.log'

    def set_up(self, **values: object) -> None:
        self.settings = self.configure(
            'odoo.conf', addons=ADDONS, websocket=self.websocket_port, log=self.log, **values
        )

        # With workers, Odoo starts the one for websockets by the name of its program.
        self._program = self.write('odoo-bin', "import odoo.cli; odoo.cli.main()\n")

    def get_command(self) -> list:
        return [PYTHON, self._program, '-c', self.settings]

    def is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f'http://127.0.0.1:{self.port}/web/health', timeout=60).close()
        except OSError:
            return False
        return True


class Nginx(Machine):
    """The proxy: it ends TLS and spreads requests over the hosts."""

    as_user = AS_POSTGRES

    def set_up(self, first: Odoo, second: Odoo) -> None:
        self.certificate = self.folder / 'certificate.pem'
        subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
        command = ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1']
        command += [*subject, '-keyout', self.folder / 'key.pem', '-out', self.certificate]
        subprocess.run(self.run_as(command), check=True, capture_output=True)
        self._settings = self.configure(
            'nginx.conf',
            odoo_1=first.port,
            odoo_2=second.port,
            websocket_1=first.websocket_port,
            websocket_2=second.websocket_port,
        )

    def get_command(self) -> list:
        return ['nginx', '-c', self._settings, '-e', self.folder / 'log']


def wait_until(
    is_true: Callable[[], bool], otherwise: str, limit: float = SECONDS_TO_START
) -> None:
    """:raise Trouble: when it does not become true within some seconds"""
    end = time.monotonic() + limit
    while not is_true():
        if time.monotonic() > end:
            raise Trouble(otherwise)
        time.sleep(0.1)


def make_password() -> str:
    return secrets.token_hex(16)
