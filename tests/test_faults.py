import os
import subprocess
import sys
import unittest
from pathlib import Path

from odoo.tests import BaseCase, get_db_name, tagged

CHECKOUT = Path(__file__).resolve().parent.parent
FAULTS = 6  # one of each kind
SEED = 1


@tagged('post_install', '-at_install')
class TestFaults(BaseCase):
    """The short form of `python3 sandbox bench --faults`, on a copy of the tests' database."""

    @unittest.skipUnless((CHECKOUT / 'benchmarks').exists(), "a checkout has the servers to break")
    def test_nothing_is_lost_or_done_twice_whatever_breaks(self):
        paths = (CHECKOUT / 'sandbox', CHECKOUT / 'tests')
        faults = subprocess.run(
            [sys.executable, CHECKOUT / 'benchmarks', f'--faults={FAULTS}', f'--seed={SEED}'],
            env={
                **os.environ,
                'PYTHONPATH': os.pathsep.join(map(str, paths)),
                'REFILL_CARDS_BENCH_DB': get_db_name(),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(faults.returncode, 0, faults.stdout)
