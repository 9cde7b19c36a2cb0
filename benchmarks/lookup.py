"""Finding a card by its code."""

from contextlib import suppress

from database import Database, create_series
from measuring import Measurement, Row, alternate, at_most, below, measure, queries, seconds
from odoo import api
from odoo.tools import SQL

CODES = 200
ROUNDS = 5
# Of codes that others made, the first ones as long as ours.
FORMS_OF_OTHERS = ('13', '4-4-5', '6-7', '16', '6-11-8')
INDEXES = {'refill_card_code_sealed_unique'}


class Rollback(Exception):
    """What was done is undone."""


def by_code(database: Database) -> list[Row]:
    """Find cards from all over the table by what a customer types; by seal and index alone, too."""
    database.vacuum_analyze()
    with database.environment() as env:
        codes = _choose_codes(env)
        indexes = _get_indexes(env, codes[0])
        if indexes != INDEXES:
            raise RuntimeError(f"Cards are found by {indexes} and not by {INDEXES}.")
        cards = env['refill.card'].sudo()

        def find_seals() -> None:
            for code in codes:
                env['refill.card.code']._get_ids(cards._seal(code))

        runs, bare = alternate(
            lambda: _find_all(env, codes),
            lambda: measure(find_seals, env.cr),
            times=ROUNDS,
            warm_up=1,
        )
        total = cards.search_count([])
    name = f"find a card by its code among {total:,}"
    return [
        below(name, seconds(runs, each=len(codes)), limit=0.001, unit='s'),
        below(f"{name}, seal and index", seconds(bare, each=len(codes)), limit=0.0003, unit='s'),
    ]


def beside_codes_of_others(database: Database) -> Row:
    """Find the same cards while there are imported series, whose codes look otherwise, and none."""
    with database.environment() as env:
        codes = _choose_codes(env)
        total = env['refill.card'].search_count([])

        def find_beside_others() -> Measurement:
            # Gone at the end, with what is remembered of them.
            with suppress(Rollback), env.cr.savepoint():
                for form in FORMS_OF_OTHERS:
                    create_series(env, 1).write(
                        {'is_foreign': True, 'code_case': 'exact', 'code_forms': form}
                    )
                found.append(_find_all(env, codes))
                raise Rollback
            env['refill.card.series']._forget_formats()
            return found.pop()

        found: list[Measurement] = []
        beside, alone = alternate(
            find_beside_others, lambda: _find_all(env, codes), times=ROUNDS, warm_up=1
        )
        env.cr.rollback()
    if queries(beside) != queries(alone):
        raise RuntimeError(f"{queries(beside)} queries beside others, and {queries(alone)} alone.")
    return at_most(
        f"find a card by its code among {total:,}, beside imported cards with codes of"
        f" {len(FORMS_OF_OTHERS)} other forms, and without these",
        seconds(beside, each=len(codes)),
        seconds(alone, each=len(codes)),
        limit=1.2,
        unit='s',
    )


def _choose_codes(env: api.Environment) -> list[str]:
    cards = env['refill.card'].sudo()
    total = cards.search_count([])
    steps = range(0, total, total // CODES)
    return cards.union(*(cards.search([], offset=step, limit=1) for step in steps)).mapped('code')


def _find_all(env: api.Environment, codes: list[str]) -> Measurement:
    cards = env['refill.card'].sudo()

    def find(some: list[str]) -> None:
        for code in some:
            cards.invalidate_model()  # the user stays, whom a request has read before
            cards._find_by_code(code, env['res.partner'], channel='backend')

    find(codes[:1])  # what is remembered from one request to the next
    return measure(lambda: find(codes), env.cr)


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
