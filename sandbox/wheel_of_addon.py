"""Builds the addon's wheel, whatever the checkout's folder is called.

whool, the build tool of Odoo's community, takes an addon's name from its folder and all files that
git knows into the wheel. So it is given a folder with the right name and nothing but the addon.
"""

import os
import shutil
import tempfile
from pathlib import Path

from whool import buildapi
from workspace import LOADED_BY_ODOO, ROOT


def build_wheel(
    wheel_directory: str,
    config_settings: dict | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel: the hook of PEP 517 that pip calls in the checkout's folder."""
    destination = Path(wheel_directory).resolve()
    with tempfile.TemporaryDirectory() as folder:
        addon = Path(folder, 'refill_cards')
        addon.mkdir()
        for path in (ROOT / name for name in (*LOADED_BY_ODOO, 'LICENSE')):
            if path.is_dir():
                shutil.copytree(
                    path, addon / path.name, ignore=shutil.ignore_patterns('__pycache__')
                )
            elif path.exists():
                shutil.copy(path, addon)
        os.chdir(addon)
        try:
            return buildapi.build_wheel(str(destination), config_settings, metadata_directory)
        finally:
            os.chdir(ROOT)
