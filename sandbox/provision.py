"""Fetches what the sandbox runs: Odoo, its Python packages, a browser, formatters, checkers."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from workspace import (
    PACKAGES,
    PREPARATIONS_LOG,
    ROOT,
    SANDBOX,
    Trouble,
    run_quietly,
    say,
)

OLDEST_PYTHON = (3, 10)
OLDEST_PYTHON_OF_LOCUST = (3, 11)
REQUIREMENTS = Path(__file__).with_name('requirements.txt')
TRAFFIC = SANDBOX / 'traffic'
TRAFFIC_REQUIREMENTS = ROOT / 'benchmarks' / 'requirements.txt'
FETCHED_ODOO = SANDBOX / 'odoo'
ODOO_REPOSITORY = 'https://github.com/odoo/odoo'
ODOO_SERIES = '19.0'
DEBIAN_KEYS = Path('/usr/share/keyrings/debian-archive-keyring.gpg')
DEBIAN_PYTHON_FOLDER = 'usr/lib/python3/dist-packages'
DEBIAN_PACKAGES = (
    'odoo-19',
    # Odoo's package links to the files of these:
    'fonts-font-awesome/stable',  # 4.7: the one in unstable has other glyphs
    'fonts-inconsolata',
    'fonts-montserrat',
    'fonts-ocr-b',
    'fonts-roboto-unhinted',
    'libjs-jquery',
    'libjs-jquery-form',
    'libjs-underscore',
)
BROWSER_FOLDER = SANDBOX / 'bin'
BROWSERS = (
    'google-chrome',
    'google-chrome-stable',
    'chromium',
    'chromium-browser',
)
# Odoo passes --disable-background-networking; these call out all the same.
BROWSER_OPTIONS = '--disable-component-update --disable-quic --disable-sync'
AXE = SANDBOX / 'axe'
AXE_PACKAGES = ('axe-core@4.14.1',)
PRETTIER = SANDBOX / 'prettier'
PRETTIER_PACKAGES = ('prettier@3.10.1', '@prettier/plugin-xml@3.4.2')
PRETTIER_OPTIONS = (
    '--print-width=100',
    '--tab-width=4',
    '--no-xml-self-closing-space',
    '--xml-whitespace-sensitivity=strict',  # spaces around a text are part of it
    '--no-error-on-unmatched-pattern',
    '--log-level=warn',
)


def python_environment() -> None:
    """Make the virtual environment with the pinned packages, unless it is there as it should be."""
    if sys.version_info < OLDEST_PYTHON:
        raise Trouble("Odoo 19 needs Python 3.10 or newer: run this with such a `python3`.")
    _virtual_environment(SANDBOX / 'venv', REQUIREMENTS, "Odoo's Python packages")


def traffic_environment() -> Path:
    """Make the virtual environment of the programs that send requests to Odoo, likewise.

    Locust would have a say in the versions of Odoo's packages.

    :return: its Python
    """
    if sys.version_info < OLDEST_PYTHON_OF_LOCUST:
        raise Trouble("Locust needs Python 3.11 or newer: run this with such a `python3`.")
    return _virtual_environment(TRAFFIC, TRAFFIC_REQUIREMENTS, "what sends requests to Odoo")


def _virtual_environment(folder: Path, requirements: Path, what: str) -> Path:
    """:return: its Python"""
    python = folder / 'bin' / 'python'
    version = f'{sys.version_info[:2]} {SANDBOX}'
    made_from = f'{version}\n{requirements.read_text()}'
    stamp = folder / 'made-from'
    made_before_from = stamp.read_text() if stamp.exists() else ''
    if made_before_from == made_from:
        return python
    if not made_before_from.startswith(version):
        say("Making a virtual environment for Python ...")
        try:
            venv.create(folder, clear=True, with_pip=True)
        except subprocess.CalledProcessError as error:
            raise Trouble(
                "This Python cannot make virtual environments: on Debian and Ubuntu, "
                "`apt-get install python3-venv`."
            ) from error
    pins = requirements.read_text().count('==')
    run_quietly(
        f"Installing {what}",
        [python, '-m', 'pip', 'install', '--disable-pip-version-check', '-r', requirements],
        progress=lambda: PREPARATIONS_LOG.read_text().count('Collecting ') / pins,
    )
    stamp.write_text(made_from)
    return python


def odoo() -> None:
    """Find or fetch Odoo 19, and let the virtual environment import it."""
    named = os.environ.get('ODOO_HOME')
    home = Path(named).expanduser().resolve() if named else _fetched_odoo()
    release = home / 'odoo' / 'release.py'
    if not release.exists() or not re.search(r'version_info = \(19,', release.read_text()):
        raise Trouble(
            f"{home} holds no Odoo 19: let ODOO_HOME name a checkout of Odoo's branch "
            f"{ODOO_SERIES} or a dist-packages folder, or unset it to have Odoo fetched."
        )
    (PACKAGES / 'odoo.pth').write_text(f'{home}\n')


def _fetched_odoo() -> Path:
    if not FETCHED_ODOO.exists():
        # Made beside its place and moved: an interrupted download leaves nothing half done.
        fresh = SANDBOX / 'odoo.part'
        shutil.rmtree(fresh, ignore_errors=True)
        if not _fetch_from_debian(fresh):
            _clone_odoo(fresh)
        fresh.rename(FETCHED_ODOO)
    if (FETCHED_ODOO / 'odoo-bin').exists():
        return FETCHED_ODOO
    return FETCHED_ODOO / DEBIAN_PYTHON_FOLDER


def _clone_odoo(destination: Path) -> None:
    if not shutil.which('git'):
        raise Trouble("Install git to have Odoo fetched, or let ODOO_HOME name an Odoo 19.")
    say(f"Cloning Odoo {ODOO_SERIES} (about 1 GB on disk) ...")
    clone = ['git', 'clone', '--depth=1', f'--branch={ODOO_SERIES}', ODOO_REPOSITORY, destination]
    if subprocess.run(clone).returncode:
        raise Trouble("git could not clone Odoo: let ODOO_HOME name an Odoo 19 that you have.")


def _fetch_from_debian(destination: Path) -> bool:
    """Download Odoo's Debian package and unpack it, as any user and with no effect on the system.

    The package is in Debian's suite unstable only: a package list of our own, from the machine's
    mirror of Debian, finds it there. apt checks signatures as ever.

    :return: whether this machine can do so: it has apt, and that knows a mirror of Debian
    """
    if not shutil.which('apt-get') or not DEBIAN_KEYS.exists():
        return False
    apt = SANDBOX / 'apt'
    for folder in ('lists/partial', 'cache/archives/partial', 'packages'):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    settings = {
        'Acquire::Languages': 'none',
        'APT::Sandbox::User': '',
        'Debug::NoLocking': '1',
        'Dir::Cache': apt / 'cache',
        'Dir::State': apt,
        'Dir::State::lists': apt / 'lists',
        'Dir::State::status': '/var/lib/dpkg/status',
    }
    apt_get = ['apt-get', *(f'-o{name}={value}' for name, value in settings.items())]
    say("Looking for Odoo in Debian's packages ...")
    subprocess.run([*apt_get, 'update'], capture_output=True)
    targets = _output([*apt_get, 'indextargets', '--format', '$(LABEL) $(REPO_URI)'])
    mirrors = [line.split()[1] for line in targets.splitlines() if line.startswith('Debian ')]
    if not mirrors:
        return False
    sources = apt / 'sources.list'
    sources.write_text(
        ''.join(
            f'deb [signed-by={DEBIAN_KEYS}] {mirrors[0]} {suite} main\n'
            for suite in ('unstable', 'stable')
        )
    )
    apt_get += [f'-oDir::Etc::sourcelist={sources}', '-oDir::Etc::sourceparts=/dev/null']
    run_quietly("Reading Debian's lists of packages", [*apt_get, 'update'])
    packages = apt / 'packages'
    download = [*apt_get, 'download', *DEBIAN_PACKAGES]
    uris = _output([*download, '--print-uris']).splitlines()
    size = sum(int(line.split()[2]) for line in uris if line.startswith("'"))
    run_quietly(
        f"Downloading Odoo ({size / 1e6:.0f} MB)",
        download,
        progress=lambda: sum(path.stat().st_size for path in packages.rglob('*.*')) / size,
        cwd=packages,
    )
    say("Unpacking Odoo ...")
    for package in sorted(packages.glob('*.deb')):
        subprocess.run(['dpkg', '-x', package, destination], check=True)
    shutil.rmtree(apt)
    # The package lacks this file, for the blurred background of video calls, and every page of
    # the backend would report an error. Nothing but those calls uses what the file defines.
    missing = (
        destination
        / DEBIAN_PYTHON_FOLDER
        / ('odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js')
    )
    if not missing.exists():
        missing.parent.mkdir(parents=True)
        missing.write_text("/* Not in Debian's package of Odoo. */\n")
    return True


def _output(command: list) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def browser() -> None:
    """Find or install a Chrome or Chromium, and put it where Odoo's tests look for one."""
    named = os.environ.get('CHROME')
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, BROWSERS)), None)
    if named and not found:
        raise Trouble(f"CHROME names {named}, and there is no such program: name one, or unset it.")
    if not found and install_on_debian('chromium'):
        found = shutil.which('chromium')
    if not found:
        raise Trouble(
            "The tours need a browser: install Chromium or Chrome (on Debian, as root: "
            "`apt-get install chromium`), or let CHROME name one."
        )
    wrapper = BROWSER_FOLDER / 'google-chrome'  # the first name that Odoo tries
    script = f'#!/bin/sh\nexec {shlex.quote(found)} {BROWSER_OPTIONS} "$@"\n'
    if wrapper.exists() and wrapper.read_text() == script:
        return
    fresh = wrapper.with_suffix('.new')
    fresh.parent.mkdir(exist_ok=True)
    fresh.write_text(script)
    fresh.chmod(0o755)
    trial = [fresh, '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
    trial += [f'--user-data-dir={SANDBOX}/browser', 'about:blank']
    tried = subprocess.run(trial, capture_output=True, text=True)
    if tried.returncode:
        raise Trouble(
            f"{tried.stderr}\n{found} does not start: repair it, or let CHROME name another."
        )
    fresh.rename(wrapper)


def wkhtmltopdf() -> None:
    """Install the program that Odoo prints its reports with, where there is none."""
    if not shutil.which('wkhtmltopdf') and not install_on_debian('wkhtmltopdf'):
        raise Trouble(
            "Receipts and benchmarks need wkhtmltopdf: install it (on Debian 12, as root: "
            "`apt-get install wkhtmltopdf`)."
        )


def install_on_debian(*packages: str) -> bool:
    """Install system packages, as root on Debian.

    :return: whether this could be done
    """
    if os.geteuid() or not Path('/etc/debian_version').exists():
        return False
    environment = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    apt_get = ['apt-get', '--yes', '-oDPkg::Lock::Timeout=600']
    run_quietly("Reading the system's lists of packages", [*apt_get, 'update'])
    doing = f"Installing {', '.join(packages)}"
    run_quietly(doing, [*apt_get, 'install', *packages], env=environment)
    return True


def axe() -> Path:
    """Install the checker of accessibility.

    :return: the script that a page loads
    """
    return _npm(AXE, AXE_PACKAGES, "axe-core") / 'axe-core' / 'axe.min.js'


def prettier() -> list:
    """Install the formatter of XML, JavaScript and style sheets.

    :return: how it is called
    """
    modules = _npm(PRETTIER, PRETTIER_PACKAGES, "prettier")
    plugin = modules / '@prettier/plugin-xml/src/plugin.js'
    return [modules / '.bin' / 'prettier', '--no-config', f'--plugin={plugin}', *PRETTIER_OPTIONS]


def _npm(folder: Path, packages: tuple[str, ...], name: str) -> Path:
    """Install packages of npm, unless they are there as they should be.

    :return: the folder with their modules
    """
    stamp = folder / 'made-from'
    made_from = ' '.join(packages)
    if not stamp.exists() or stamp.read_text() != made_from:
        if not shutil.which('npm'):
            raise Trouble(f"{name} comes from npm: install Node.js.")
        install = ['npm', 'install', '--no-audit', '--no-fund', '--prefix', folder]
        run_quietly(f"Installing {name}", [*install, *packages])
        stamp.write_text(made_from)
    return folder / 'node_modules'
