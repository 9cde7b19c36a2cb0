"""Finding a card by its code."""

from database import Database
from measuring import Row, alternate, below, measure, seconds
from odoo import api
from odoo.tools import SQL

CODES = 200
ROUNDS = 5
INDEXES = {'refill_card_code_sealed_unique'}


def by_code(database: Database) -> list[Row]:
    """Find cards from all over the table by what a customer types; by seal and index alone, too."""
    database.vacuum_analyze()
    with database.environment() as env:
        cards = env['refill.card'].sudo()
        total = cards.search_count([])
        steps = range(0, total, total // CODES)
        some = cards.union(*(cards.search([], offset=step, limit=1) for step in steps))
        codes = some.mapped('code')
        indexes = _get_indexes(env, codes[0])
        if indexes != INDEXES:
            raise RuntimeError(f"Cards are found by {indexes} and not by {INDEXES}.")

        def find_all() -> None:
            for code in codes:
                cards.invalidate_model()  # the user stays, whom a request has read before
                cards._find_by_code(code, env['res.partner'], channel='backend')

        def find_seals() -> None:
            for code in codes:
                env['refill.card.code']._get_ids(cards._seal(code))

        runs, bare = alternate(
            lambda: measure(find_all, env.cr),
            lambda: measure(find_seals, env.cr),
            times=ROUNDS,
            warm_up=1,
        )
    name = f"find a card by its code among {total:,}"
    return [
        below(name, seconds(runs, each=len(codes)), limit=0.001, unit='s'),
        below(f"{name}, seal and index", seconds(bare, each=len(codes)), limit=0.0003, unit='s'),
    ]


def _get_indexes(env: api.Environment, code: str) -> set[str | None]:
    """Return the indexes by which PostgreSQL finds a card; None stands for a whole table."""
    sealed = env['refill.card']._seal(code)
    query = SQL("SELECT id FROM refill_card_code WHERE sealed = ANY(%s)", sealed)
    [[[explained]]] = env.execute_query(SQL("EXPLAIN (FORMAT JSON) %s", query))
    plans, indexes = [explained['Plan']], set()
    while plans:
        plan = plans.pop()
        plans += plan.get('Plans', [])
        if 'Scan' in plan['Node Type']:
            indexes.add(plan.get('Index Name'))
    return indexes
