"""A plugin of pytest: how the tests are dealt out to processes that run side by side.

pytest-odoo gives every process a copy of the database and a server of its own, so tests with
several connections, jobs or HTTP requests do not meet those of another process.
"""

import os
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest
from odoo.tools import config as odoo_config
from xdist.scheduler import LoadScopeScheduling

TOURS = 'tours'


def pytest_collection_modifyitems(items):
    """Begin with the tours, which take longest for their number."""
    items.sort(key=lambda item: _get_group(item.nodeid) != TOURS)


def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log)


class Scheduling(LoadScopeScheduling):
    """A class stays together, for what it sets up. So do the tours: a browser keeps several cores
    busy, and steps of two at once would take longer than a tour waits."""

    def _split_scope(self, nodeid):
        return _get_group(nodeid)


def _get_group(nodeid):
    file, *classes, _test = nodeid.split('::')
    return TOURS if file.endswith('_tour.py') else '::'.join([file, *classes])


@pytest.fixture(scope='session', autouse=True)
def own_filestore(load_registry):
    """Copy the filestore too. pytest-odoo has all processes use one, where the collection of
    garbage would take files that only another process's database knows."""
    if 'PYTEST_XDIST_WORKER' not in os.environ:
        yield
        return
    [database] = odoo_config['db_name']
    shared = Path(odoo_config.filestore(database))
    own = shared.with_name(database)
    shutil.copytree(shared, own)
    with patch.object(odoo_config, 'filestore', return_value=str(own)):
        yield
    shutil.rmtree(own)
