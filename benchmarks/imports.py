"""Importing cards of another system: how much memory a million of them take, and how long."""

import base64
import csv
import random
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import xlsxwriter
from database import Database
from measuring import Row, below, forget_peak, measure, resident_memory, seconds
from odoo import api

MANY_CARDS = 1_000_000
CHARACTERS = string.ascii_letters + string.digits
HEADER = ('Code', 'Serial number', 'Price', 'Valid till', 'Status')


def of_many(database: Database) -> Iterator[Row]:
    """Check and import a million cards as the background job does, from CSV and from a workbook."""
    idle = resident_memory('VmRSS')
    for name in ('cards.csv', 'cards.xlsx'):
        record_id = _upload(database, name)
        for step, state in ((None, 'checked'), ('action_confirm', 'done')):
            work = f"{'import' if step else 'check'} {MANY_CARDS:,} cards of {name}"
            yield from _measure(database, record_id, step, state, work, idle)
        database.forget_cards()


def _upload(database: Database, name: str) -> int:
    """Choose a file that another process made, whose memory is not ours."""
    with TemporaryDirectory() as folder, database.environment() as env:
        path = Path(folder, name)
        subprocess.run([sys.executable, __file__, path], check=True)
        file = base64.b64encode(path.read_bytes())
        record = env['refill.card.import'].create({'name': name, 'file': file})
        record.action_check()
        return record.id


def _measure(
    database: Database, record_id: int, step: str | None, state: str, work: str, idle: int
) -> Iterator[Row]:
    """Press a button, if any, and measure what the background job does until a state.

    :param idle: the memory before the file was chosen, in bytes.
    """
    with database.environment() as env:
        record = env['refill.card.import'].browse(record_id)
        if step:
            getattr(record, step)()
            env.cr.commit()
        forget_peak()
        run = measure(lambda: _run_job(env, record), env.cr)
        memory = resident_memory('VmHWM') - idle
        if (record.state, record.ready_count) != (state, MANY_CARDS):
            raise RuntimeError(f"{record.ready_count:,} cards are {record.state}: {record.problem}")
    yield below(f"{work} in the background", seconds([run]), limit=120, unit='s')
    yield below(f"{work}, memory over idle", [memory / 2**20], limit=300, unit='MiB')


def _run_job(env: api.Environment, record) -> None:
    """Run the job as often as the server would."""
    while record.state in ('checking', 'importing'):
        env.ref('refill_cards.ir_cron_import').method_direct_trigger()
        env.cr.commit()


def _write_table(path: Path) -> None:
    rng = random.Random(1)
    rows = (
        (''.join(rng.choices(CHARACTERS, k=16)), f'OLD-{number:07}', 25, '2066-12-31', 'active')
        for number in range(MANY_CARDS)
    )
    if path.suffix == '.csv':
        with path.open('w', newline='') as file:
            csv.writer(file).writerows([HEADER, *rows])
        return
    # With the texts of all cells in one place, as Excel and most other programs write them.
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER, *rows]):
            sheet.write_row(number, 0, row)


if __name__ == '__main__':
    _write_table(Path(sys.argv[1]))
