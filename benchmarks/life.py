"""Changing many cards at once, and looking for one of them."""

from database import Database
from measuring import Row, below, forget_peak, measure, resident_memory, seconds

# What users wait for, and what a worker of Odoo's may take.
CHANGE_SECONDS = 30
CHANGE_MEMORY = 100
FIND_SECONDS = 60


def of_many(database: Database) -> list[Row]:
    """Disable the largest series, and find a damaged card in it, as the accountant."""
    return [*_disable(database), _find(database)]


def _disable(database: Database) -> list[Row]:
    idle = resident_memory('VmRSS')
    forget_peak()
    with database.environment(database.accountant_id) as env:
        series = env['refill.card.series'].search([], order='quantity desc', limit=1)
        wizard = env['refill.card.change'].create(
            {'series_ids': series.ids, 'operation': 'disable', 'reason': 'stolen'}
        )

        def work() -> None:
            wizard.action_confirm()
            env.cr.commit()

        run = measure(work, env.cr)
        if series.disabled_count != series.quantity:
            raise RuntimeError("Not all cards were disabled.")
        name = f"disable {series.quantity:,} cards with an event each"
    memory = (resident_memory('VmHWM') - idle) / 2**20
    return [
        below(name, seconds([run]), limit=CHANGE_SECONDS, unit='s'),
        below(f"{name}, memory over idle", [memory], limit=CHANGE_MEMORY, unit='MiB'),
    ]


def _find(database: Database) -> Row:
    with database.environment(database.accountant_id) as env:
        series = env['refill.card.series'].search([], order='quantity desc', limit=1)
        card = env['refill.card'].search([('series_id', '=', series.id)], limit=1)
        typed = f'??{card.sudo().code[2:-1]}?'
        run = measure(
            lambda: env['refill.card.find'].create({'series_id': series.id, 'typed': typed}), env.cr
        )
        name = f"find a damaged card among {series.quantity:,}"
    return below(name, seconds([run]), limit=FIND_SECONDS, unit='s')
