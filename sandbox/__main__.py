"""A real Odoo and PostgreSQL to develop and try Refill Cards with, all of it in .sandbox/."""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import checks
import cluster
import databases
import provision
from workspace import (
    ADDON,
    LOGS,
    PYTHON,
    ROOT,
    SANDBOX,
    STOP_SIGNALS,
    Trouble,
    exclusive,
    link_addon,
    run,
    say,
)

SETTINGS = ROOT / 'setup.cfg'
LOGINS = (
    ('administrator', 'admin', '/odoo'),
    ('accountant', 'accountant', '/odoo'),
    ('clerk of a partner company', 'clerk', '/odoo'),
    ('customer', 'customer', '/my'),
    ('reseller', 'reseller', '/my'),
)


def demo(port: int) -> int:
    """Serve Odoo with demo data on this machine until Ctrl-C."""
    with socket.socket() as probe:
        if probe.connect_ex(('127.0.0.1', port)) == 0:
            raise Trouble(f"Port {port} is in use: `python3 sandbox demo --port {port + 1}`.")
    prepare()
    log = LOGS / 'demo.log'
    with cluster.running():
        with exclusive():
            databases.prepare_demo(update=True)
        say(f"Starting Odoo (its log: {log.relative_to(ROOT)}) ...")

        def ready() -> bool:
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{port}/web/login', timeout=5).close()
            except OSError:
                return False
            _print_addresses(port)
            return True

        command = [*databases.ODOO, f'--http-port={port}', f'--logfile={log}']
        if run(command, own_session=True, ready=ready, env=databases.environment()):
            raise Trouble(f"Odoo ended by itself: {log} says why.")
        return 0


def _print_addresses(port: int) -> None:
    print("\nRefill Cards is ready. Ctrl-C stops it.\n")
    for who, login, path in LOGINS:
        print(f"  http://localhost:{port}{path:6} {who:27} {login} / {login}")
    print(flush=True)


def test(beside: list[str], arguments: list[str]) -> int:
    """Run all tests on a fresh database and print what they cover, or those in the named files."""
    prepare()
    with exclusive():
        provision.browser()
        provision.wkhtmltopdf()
        axe = provision.axe()
    with cluster.running(), databases.fresh('test', 'account', *beside) as database:
        environment = databases.environment()
        environment['PATH'] = f'{provision.BROWSER_FOLDER}{os.pathsep}{environment["PATH"]}'
        environment['PYTHONPATH'] = str(ROOT / 'sandbox')  # for the plugin
        environment['REFILL_CARDS_AXE'] = str(axe)
        pytest = ['pytest', '-c', SETTINGS, f'--rootdir={ADDON}', f'--confcutdir={ADDON}']
        pytest += ['-o', f'cache_dir={SANDBOX}/pytest', '-p', 'side_by_side', '-n', 'logical']
        pytest += ['--odoo-http', f'--odoo-database={database}', *arguments]
        # In the addon's folder on the addons path, where pytest-odoo learns the addon's name.
        if any((ADDON / argument.partition('::')[0]).exists() for argument in arguments):
            return run([PYTHON, '-m', *pytest], cwd=ADDON, env=environment)
        return _run_with_coverage(pytest, environment)


def _run_with_coverage(pytest: list, environment: dict[str, str]) -> int:
    """Run all tests and print what they cover. Measuring takes as long as the tests themselves."""
    with tempfile.TemporaryDirectory(dir=SANDBOX) as folder:
        environment['COVERAGE_FILE'] = f'{folder}/coverage'
        coverage, rcfile = [PYTHON, '-m', 'coverage'], f'--rcfile={SETTINGS}'
        code = run([*coverage, 'run', rcfile, '-m', *pytest], cwd=ADDON, env=environment)
        for command in (['combine', '--quiet'], ['report']):
            subprocess.run([*coverage, *command, rcfile], cwd=ROOT, env=environment)
        return code


def bench(arguments: list[str]) -> int:
    """Run the benchmarks on a fresh database; --load and --cluster: those that send requests."""
    prepare()
    if '--cluster' in arguments:
        return run([_prepare_traffic(), ROOT / 'benchmarks/cluster'], env=_add_sandbox(os.environ))
    if '--load' in arguments:
        command, beside = [_prepare_traffic(), ROOT / 'benchmarks/load.py'], []
    else:
        command, beside = [PYTHON, ROOT / 'benchmarks', *arguments], ['loyalty']
        with exclusive():
            provision.wkhtmltopdf()
    with cluster.running(), databases.fresh('bench', 'account', *beside) as database:
        environment = {**databases.environment(), 'REFILL_CARDS_BENCH_DB': database}
        return run(command, env=_add_sandbox(environment))


def _prepare_traffic() -> Path:
    """Return the Python of programs that send requests."""
    with exclusive():
        return provision.traffic_environment()


def _add_sandbox(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a benchmark finds what the sandbox runs programs with.

    And what the tests check books with.
    """
    paths = (ROOT / 'sandbox', ROOT / 'tests')
    return {**environment, 'PYTHONPATH': os.pathsep.join(map(str, paths))}


def odoo(arguments: list[str]) -> int:
    """Run an Odoo command on the demo's database: `odoo shell < script.py`."""
    prepare()
    with cluster.running():
        with exclusive():
            databases.prepare_demo(update=False)
        return run([*databases.ODOO, *arguments], env=databases.environment())


def lint(fix: bool) -> int:
    """Check the style of all that is in the repository, or have it put right."""
    with exclusive():
        provision.python_environment()
        link_addon()
    return checks.run_all(fix)


def clean() -> int:
    """Stop PostgreSQL and remove all that the sandbox fetched and made."""
    if SANDBOX.exists():
        if not cluster.stop_if_unused():
            raise Trouble("Another sandbox command is running: stop that first.")
        shutil.rmtree(SANDBOX)
    return 0


def prepare() -> None:
    """Fetch what is missing. When nothing is, this takes no time."""
    with exclusive():
        provision.python_environment()
        provision.odoo()
        link_addon()
        databases.configure()


def main() -> int:
    parser = argparse.ArgumentParser(prog='python3 sandbox', description=__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for command in (demo, test, odoo, bench, lint, clean):
        passes_on = command in (test, odoo, bench)
        subparser = commands.add_parser(
            command.__name__, help=command.__doc__, add_help=not passes_on
        )
        subparser.set_defaults(command=command)
        if command is demo:
            subparser.add_argument('--port', type=int, default=8069)
        elif command is test:
            subparser.add_argument(
                '--beside',
                type=lambda names: names.split(','),
                default=[],
                metavar='MODULE,...',
                help="other modules of Odoo to install first",
            )
        elif command is lint:
            subparser.add_argument('--fix', action='store_true', help="first fix what can be")
    given, rest = parser.parse_known_args()
    options = vars(given)
    command = options.pop('command')
    if command in (test, odoo, bench):
        options['arguments'] = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    for signum in STOP_SIGNALS:
        signal.signal(signum, lambda number, _frame: sys.exit(128 + number))
    try:
        return command(**options)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == '__main__':
    sys.exit(main())
