"""Where the sandbox keeps its things, and how it runs other programs."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANDBOX = ROOT / '.sandbox'
ADDONS = SANDBOX / 'addons'
ADDON = ADDONS / 'refill_cards'
CONFIGURATION = SANDBOX / 'odoo.conf'
DATA = SANDBOX / 'data'
LOGS = SANDBOX / 'logs'
PREPARATIONS_LOG = LOGS / 'preparations.log'
PYTHON = SANDBOX / 'venv' / 'bin' / 'python'
PACKAGES = SANDBOX / 'venv/lib' / 'python{}.{}'.format(*sys.version_info) / 'site-packages'

LOADED_BY_ODOO = (
    '__init__.py',
    '__manifest__.py',
    'README.md',
    'data',
    'i18n',
    'migrations',
    'refill_cards',
    'static',
    'tests',
)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_STOP = 20


class Trouble(Exception):
    """Something is missing or failed. The message says so, and the one thing to do about it."""


def say(text: str) -> None:
    """Tell the user what is going on, without disturbing what a command prints."""
    over_a_bar = '\033[K' if sys.stderr.isatty() else ''
    print(f"{over_a_bar}sandbox: {text}", file=sys.stderr, flush=True)


@contextmanager
def exclusive() -> Iterator[None]:
    """Let one sandbox command at a time fetch, install and copy."""
    SANDBOX.mkdir(exist_ok=True)
    with open(SANDBOX / 'lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another sandbox command to finish its preparations ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def link_addon() -> None:
    """Lay a folder for the addons path with one link for each thing that Odoo loads.

    The folder itself is no link to the checkout: Odoo's export of terms follows links, and would
    walk through .sandbox/ without end.
    """
    ADDON.mkdir(parents=True, exist_ok=True)
    for name in LOADED_BY_ODOO:
        link, target = ADDON / name, Path(os.path.relpath(ROOT / name, ADDON))
        if link.is_symlink() and not link.exists():
            link.unlink()
        if (ROOT / name).exists() and not link.is_symlink():
            link.symlink_to(target)


def run_quietly(
    doing: str, command: list, *, progress: Callable[[], float] | None = None, **options
) -> None:
    """Run a step of the preparations, its output in a log file.

    :param doing: what to tell the user: the beginning of a sentence
    :param progress: tells which part of the work is done, from 0 to 1
    :raise Trouble: when the command fails; the end of its output is printed first
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    say(f"{doing} ...")
    with open(PREPARATIONS_LOG, 'w') as log:
        streams = {'stdin': subprocess.DEVNULL, 'stdout': log, 'stderr': log}
        process = subprocess.Popen(command, preexec_fn=obey_interrupts, **streams, **options)
        try:
            while process.poll() is None:
                if progress and sys.stderr.isatty():
                    part = min(progress(), 1)
                    bar = f'[{"#" * round(50 * part):50}] {part:4.0%}'
                    print(bar, end='\r', file=sys.stderr, flush=True)
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        print(*PREPARATIONS_LOG.read_text().splitlines()[-60:], sep='\n', file=sys.stderr)
        raise Trouble(f"{doing}: this failed. All that it said is in {PREPARATIONS_LOG}")
    say(f"{doing}: done in {time.monotonic() - started:.0f} s")


def run(
    command: list,
    *,
    own_session: bool = False,
    ready: Callable[[], bool] | None = None,
    **options,
) -> int:
    """Run a program until it ends or we are told to stop, and return its exit code.

    In the foreground (the default) Ctrl-C reaches the program from the terminal. With a session
    of its own it reaches us alone. However we are told to stop, the program is told once, as if
    by Ctrl-C, and killed if it takes too long; it also stops when we are killed.

    :param ready: called repeatedly until it returns True, while the program runs
    """
    process = subprocess.Popen(
        command, start_new_session=own_session, preexec_fn=obey_interrupts, **options
    )
    stopped_by = []

    def stop(signum: int, _frame: object) -> None:
        process.send_signal(signal.SIGINT)
        stopped_by.append((signum, time.monotonic()))

    handlers = dict.fromkeys(STOP_SIGNALS, stop)
    handlers[signal.SIGINT] = stop if own_session else lambda *_: None
    previous = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        while (code := process.poll()) is None:
            if stopped_by and time.monotonic() > stopped_by[0][1] + SECONDS_TO_STOP:
                process.kill()
            if ready and ready():
                ready = None
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
    if stopped_by and stopped_by[0][0] != signal.SIGINT:
        sys.exit(128 + stopped_by[0][0])
    return code if code >= 0 else 128 - code


def obey_interrupts() -> None:
    """In the child: heed Ctrl-C, even when we are a shell's background job, which doesn't. Have
    Linux send the same when the sandbox dies, be it by `kill -9`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == 'linux':
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
