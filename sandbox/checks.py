"""The linters and formatters, with the settings in pyproject.toml."""

import subprocess

import provision
from workspace import ADDON, LOADED_BY_ODOO, PYTHON, ROOT, say

XML_AND_JAVASCRIPT = '{refill_cards,static}/**/*.{js,scss,xml}'


def run_all(fix: bool) -> int:
    """Run every check, also after one has failed.

    :param bool fix: first let ruff and the formatters put right what they can
    :return: 1 when a check failed, else 0
    """
    ruff = [PYTHON, '-m', 'ruff']
    prettier = provision.prettier()
    fixes = [
        [*ruff, 'check', '--fix-only'],
        [*ruff, 'format'],
        [*prettier, '--write', XML_AND_JAVASCRIPT],
    ]
    checks = {
        "ruff": [*ruff, 'check'],
        "ruff's format": [*ruff, 'format', '--diff'],
        "the format of XML and JavaScript": [*prettier, '--check', XML_AND_JAVASCRIPT],
        "pylint-odoo": [PYTHON, '-m', 'pylint', f'--rcfile={ROOT}/pyproject.toml', *_modules()],
    }
    for command in fixes if fix else ():
        subprocess.run(command, cwd=ROOT)
    failed = []
    for name, command in checks.items():
        say(f"Checking {name}")
        if subprocess.run(command, cwd=ROOT).returncode:
            failed.append(name)
    if not failed:
        say("All is in order.")
        return 0
    say(f"Not in order: {', '.join(failed)}. What a program can do: `python3 sandbox lint --fix`")
    return 1


def _modules() -> list:
    """The addon's Python files by their path on the addons path, which tells pylint its name."""
    return [
        path
        for name in LOADED_BY_ODOO
        for path in ([ADDON / name] if name.endswith('.py') else (ADDON / name).rglob('*.py'))
    ]
