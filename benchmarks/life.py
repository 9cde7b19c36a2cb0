"""Changing many cards at once, and looking for one of them."""

from concurrent.futures import ThreadPoolExecutor

from database import Database, create_series
from measuring import Row, below, forget_peak, measure, resident_memory, seconds
from odoo import api
from odoo.tools import SQL

# What users wait for, and what a worker of Odoo's may take.
CHANGE_SECONDS = 30
SIDE_BY_SIDE_SECONDS = 20
CHANGE_MEMORY = 100
CHANGE_WAL = 3
FIND_SECONDS = 60


def of_many(database: Database) -> list[Row]:
    """Disable the largest series, and find a damaged card in it, as the accountant."""
    with database.environment() as env:
        series = env['refill.card.series'].search([], order='quantity desc', limit=1)
        series_id, quantity = series.id, series.quantity
    return [
        *_disable(database, series_id, quantity),
        _find(database, series_id, quantity),
        _disable_side_by_side(database, quantity),
    ]


def _disable(database: Database, series_id: int, quantity: int) -> list[Row]:
    idle = resident_memory('VmRSS')
    forget_peak()
    with database.environment() as env:
        [[start]] = env.execute_query(SQL("SELECT pg_current_wal_lsn()"))
    with database.environment(database.accountant_id) as env:
        run = measure(lambda: _disable_all(env, series_id), env.cr)
    memory = (resident_memory('VmHWM') - idle) / 2**20
    with database.environment() as env:
        written = SQL("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s) / 1e9", start)
        [[wal]] = env.execute_query(written)
        if env['refill.card.series'].browse(series_id).disabled_count != quantity:
            raise RuntimeError("Not all cards were disabled.")
    name = f"disable {quantity:,} cards with an event each"
    return [
        below(name, seconds([run]), limit=CHANGE_SECONDS, unit='s'),
        below(f"{name}, memory over idle", [memory], limit=CHANGE_MEMORY, unit='MiB'),
        below(f"{name}, written ahead", [float(wal)], limit=CHANGE_WAL, unit='GB'),
    ]


def _disable_side_by_side(database: Database, quantity: int) -> Row:
    """Disable as many cards in two transactions at once."""
    with database.environment() as env:
        halves = [create_series(env, quantity // 2).id for _half in range(2)]
        env['refill.card.series']._cron_generate()

    def disable(series_id: int) -> None:
        with database.environment(database.accountant_id) as env:
            _disable_all(env, series_id)

    def disable_both() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(disable, halves))

    database.vacuum_analyze()
    with database.environment() as env:
        run = measure(disable_both, env.cr)
    name = f"disable {quantity:,} cards, in two transactions side by side"
    return below(name, seconds([run]), limit=SIDE_BY_SIDE_SECONDS, unit='s')


def _disable_all(env: api.Environment, series_id: int) -> None:
    values = {'series_ids': [series_id], 'operation': 'disable', 'reason': 'stolen'}
    env['refill.card.change'].create(values).action_confirm()
    env.cr.commit()


def _find(database: Database, series_id: int, quantity: int) -> Row:
    with database.environment(database.accountant_id) as env:
        card = env['refill.card'].search([('series_id', '=', series_id)], limit=1)
        typed = f'??{card.sudo().code[2:-1]}?'
        run = measure(
            lambda: env['refill.card.find'].create({'series_id': series_id, 'typed': typed}), env.cr
        )
    name = f"find a damaged card among {quantity:,}"
    return below(name, seconds([run]), limit=FIND_SECONDS, unit='s')
