"""Odoo's configuration and the databases: the demo's, cached ones, and fresh copies of these.

A fresh copy whose tests run side by side gets copies itself, named after it: `test_1-gw0`.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cluster
from workspace import (
    ADDON,
    ADDONS,
    CONFIGURATION,
    DATA,
    LOADED_BY_ODOO,
    PYTHON,
    ROOT,
    Trouble,
    exclusive,
    run_quietly,
)

MODULE = 'refill_cards'
DEMO = 'demo'
ODOO = [PYTHON, '-m', 'odoo']


def configure() -> None:
    """Write odoo.conf for the demo's database; the other databases are named on command lines."""
    if ',' in str(ADDONS):
        raise Trouble(f"Odoo reads no folder with a comma in its path: rename or move {ROOT}.")
    options = {
        'addons_path': ADDONS,  # Odoo knows its own
        'admin_passwd': secrets.token_urlsafe(),
        'data_dir': DATA,
        'db_host': cluster.socket_folder(),
        'db_name': DEMO,
        'db_user': cluster.ROLE,
        'http_interface': '127.0.0.1',
        'with_demo': True,
    }
    fresh = CONFIGURATION.with_suffix('.new')
    fresh.touch(mode=0o600)
    fresh.write_text('\n'.join(['[options]', *(f'{key} = {options[key]}' for key in options)]))
    fresh.replace(CONFIGURATION)


def environment() -> dict[str, str]:
    """The environment of every program that uses Odoo."""
    return {**os.environ, **cluster.environment(), 'ODOO_RC': str(CONFIGURATION)}


def prepare_demo(*, update: bool) -> None:
    """Create the demo's database, or continue where that was interrupted.

    Accounting comes first, with a chart of accounts: Odoo loads that at the end of an
    installation only, and the addon's demo data posts payments.

    :param bool update: update the addon when its files have changed since the database was
    """
    state = _state_of(DEMO)
    if not state:
        _drop(DEMO)
        _install(DEMO, 'account', "Installing Accounting with demo data", demo=True)
        state = _set_state(DEMO, 'account')
    addon = _digest_of_addon()
    if state == 'account':
        _install(DEMO, MODULE, "Installing Refill Cards with demo data", demo=True)
    elif update and state != addon:
        _install(DEMO, MODULE, "Updating Refill Cards", demo=True, option='-u')
    else:
        return
    _set_state(DEMO, addon)


@contextmanager
def fresh(purpose: str, *modules: str) -> Iterator[str]:
    """A new database with the modules and this addon, without demo data, dropped in the end.

    :param purpose: what it is for: the beginning of its name
    """
    name = f'{purpose}_{os.getpid()}'
    try:
        with exclusive():
            _drop_abandoned(purpose)
            _copy(_with_addon(modules), name)
        yield name
    finally:
        for copy in _list(f'{name}(-.+)?'):
            _drop(copy)


def _with_addon(modules: tuple[str, ...]) -> str:
    """Name a database with the modules and this addon, installed anew when its files changed."""
    name = '_'.join(('addon', *modules))
    addon = _digest_of_addon()
    if _state_of(name) != addon:
        _copy(_cached(modules), name)
        _install(name, MODULE, f"Installing Refill Cards in {name}")
        _set_state(name, addon)
    return name


def _cached(modules: tuple[str, ...]) -> str:
    """Name a database with the modules. It is created at the first call."""
    name = '_'.join(('cached', *modules))
    if _state_of(name) != 'installed':
        *earlier, last = modules
        if earlier:
            _copy(_cached(tuple(earlier)), name)
        else:
            _drop(name)
        _install(name, last, f"Installing {last} in {name}")
        _set_state(name, 'installed')
    return name


def _copy(source: str, name: str) -> None:
    _drop(name)
    cluster.query(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    shutil.copytree(_filestore(source), _filestore(name))


def _drop(name: str) -> None:
    cluster.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    shutil.rmtree(_filestore(name), ignore_errors=True)


def _drop_abandoned(purpose: str) -> None:
    """Drop the copies of commands that were killed before they could."""
    for name in _list(f'{purpose}_[0-9]+(-.+)?'):
        process_id = name.removeprefix(f'{purpose}_').partition('-')[0]
        if not _is_alive(int(process_id)):
            _drop(name)


def _list(pattern: str) -> list[str]:
    """List the databases whose whole name matches a regular expression."""
    return cluster.query(f"SELECT datname FROM pg_database WHERE datname ~ '^{pattern}$'").split()


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except OSError:
        return False
    return True


def _filestore(name: str) -> Path:
    return DATA / 'filestore' / name


def _install(name: str, module: str, doing: str, *, demo: bool = False, option: str = '-i') -> None:
    """Have Odoo install or update a module. It creates the database where there is none."""
    if module == MODULE and not (ADDON / '__manifest__.py').exists():
        raise Trouble(f"There is no __manifest__.py in {ROOT}: this is no checkout of the addon.")
    command = [*ODOO, '-d', name, option, module, '--stop-after-init']
    run_quietly(doing, command if demo else [*command, '--without-demo'], env=environment())
    installed = f"SELECT 1 FROM ir_module_module WHERE name = '{module}' AND state = 'installed'"
    if not cluster.query(installed, name):
        raise Trouble(f"{doing}: Odoo did not install it. Is its manifest in order?")


def _state_of(name: str) -> str:
    """What the last finished step left as a comment on the database, or nothing."""
    return cluster.query(
        f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'"
    )


def _set_state(name: str, state: str) -> str:
    cluster.query(f'COMMENT ON DATABASE "{name}" IS \'{state}\'')
    return state


def _digest_of_addon() -> str:
    """A fingerprint of the files that Odoo loads."""
    digest = hashlib.sha256()
    for top in (ROOT / name for name in LOADED_BY_ODOO if name != 'tests'):
        for path in sorted(top.rglob('*')) if top.is_dir() else [top]:
            if path.is_file() and '__pycache__' not in path.parts:
                digest.update(f'{path.relative_to(ROOT)}\0'.encode() + path.read_bytes())
    return digest.hexdigest()
