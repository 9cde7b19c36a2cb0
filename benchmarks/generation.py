"""Generating cards: against Odoo's generator of coupons, and against a bare INSERT."""

from collections.abc import Callable
from typing import Any

from database import Database, create_series
from measuring import (
    Measurement,
    Row,
    alternate,
    at_most,
    below,
    faster,
    forget_peak,
    measure,
    resident_memory,
    seconds,
)
from odoo import api
from odoo.tools import SQL

CARDS = 100_000
COUPONS = 2_000  # of more, two soon get the same of Odoo's short codes, which is an error
MANY_CARDS = 1_000_000
ROUNDS = 5
ROUNDS_BESIDE_COUPONS = 3


def beside_bare_insert(database: Database) -> Row:
    """Compare with inserting the same rows into the same table, all values made before."""
    ours, bare = alternate(
        lambda: _generate(database), lambda: _insert_bare(database), times=ROUNDS
    )
    return at_most(
        f"generate {CARDS:,} cards, beside the bare INSERT ... SELECT unnest of such rows",
        seconds(ours),
        seconds(bare),
        limit=1.5,
        unit='s',
    )


def beside_coupons(database: Database) -> Row:
    """Compare with Odoo's wizard, which makes fewer coupons, as a hundred thousand take minutes."""
    ours, coupons = alternate(
        lambda: _generate(database),
        lambda: _generate_coupons(database),
        times=ROUNDS_BESIDE_COUPONS,
    )
    return faster(
        f"generate a card, one of {CARDS:,}, beside one of {COUPONS:,} by Odoo's loyalty wizard",
        seconds(ours, each=CARDS),
        seconds(coupons, each=COUPONS),
        times=30,
        unit='s',
    )


def memory_of_many(database: Database) -> Row:
    """Generate a million cards as the background job does: how much more memory is that?"""
    idle = resident_memory('VmRSS')
    forget_peak()
    with database.environment() as env:
        create_series(env, MANY_CARDS)
        env['refill.card.series']._cron_generate()
    return below(
        f"generate {MANY_CARDS:,} cards in the background, memory over idle",
        [(resident_memory('VmHWM') - idle) / 2**20],
        limit=300,
        unit='MiB',
    )


def _generate(database: Database) -> Measurement:
    """Generate as the background job does, which commits each batch."""
    with database.environment() as env:
        create_series(env, CARDS)
        return measure(env['refill.card.series']._cron_generate, env.cr)


def _insert_bare(database: Database) -> Measurement:
    with database.environment() as env:
        insert = _prepare_insert(env)

        def work() -> None:
            insert()
            env.cr.commit()

        return measure(work, env.cr)


def _prepare_insert(env: api.Environment) -> Callable[[], Any]:
    """Make values like the last generated card's, and the statements that insert them."""
    series = create_series(env, CARDS)
    series.state = 'ready'  # the background job leaves it alone
    sealer = env['refill.card.key']._get_generating_sealer()
    env.flush_all()
    [card] = env.execute_query_dict(SQL("SELECT * FROM refill_card ORDER BY id DESC LIMIT 1"))
    constants = {name: value for name, value in card.items() if value is not None}
    for name in ('id', 'number', 'name'):
        del constants[name]
    constants['series_id'] = series.id
    drawn = SQL("SELECT nextval('refill_card_id_seq') FROM generate_series(1, %s)", CARDS)
    ids = [id_ for [id_] in env.execute_query(drawn)]
    numbers = list(range(1, CARDS + 1))
    names = [f'{series.name}-{number:06}' for number in numbers]
    sealed = [sealer.seal(body) for body in series._get_format().generate(CARDS)]
    statement = SQL(
        """
        INSERT INTO refill_card (id, number, name, %s)
        SELECT id, number, name, %s FROM unnest(%s, %s, %s) AS card (id, number, name)
        """,
        SQL(', ').join(map(SQL.identifier, constants)),
        SQL(', ').join(SQL("%s", value) for value in constants.values()),
        *(ids, numbers, names),
    )
    codes = SQL(
        "INSERT INTO refill_card_code (id, sealed) SELECT * FROM unnest(%s, %s)", ids, sealed
    )

    def insert() -> None:
        env.cr.execute(codes)
        env.cr.execute(statement)

    return insert


def _generate_coupons(database: Database) -> Measurement:
    with database.environment() as env:
        program = env['loyalty.program'].create({'name': "Coupons", 'program_type': 'gift_card'})
        wizard = env['loyalty.generate.wizard'].create(
            {'program_id': program.id, 'mode': 'anonymous', 'coupon_qty': COUPONS}
        )

        def work() -> None:
            wizard.generate_coupons()
            env.cr.commit()

        return measure(work, env.cr)
