"""What takes how long, ours and theirs measured side by side: `python3 sandbox bench`."""

import argparse
import sys
import time
from collections.abc import Iterator

import books
import confirmation
import export
import faults
import generation
import imports
import large
import life
import lookup
import owed
import redemption
import windows
from database import Database
from measuring import Row, print_table


def main() -> int:
    parser = argparse.ArgumentParser(prog='python3 sandbox bench', description=__doc__)
    parser.add_argument('--strict', action='store_true', help="exit with 1 when a goal is missed")
    parser.add_argument(
        '--small', action='store_true', help="lists and reports of 200,000 cards, not of 10,000,000"
    )
    parser.add_argument(
        '--faults',
        type=int,
        nargs='?',
        const=300,
        metavar='COUNT',
        help="only so many faults in the middle of operations; exit with 1 when books are wrong",
    )
    parser.add_argument('--seed', type=int, default=int(time.time()), help="of the faults")
    options = parser.parse_args()
    if options.faults:
        return faults.run(options.faults, options.seed)
    rows: list[Row] = []
    try:
        for row in _measure_all(options.small):
            print(f'{row.work}: {row.ours}', file=sys.stderr, flush=True)
            rows.append(row)
    finally:
        print_table(rows)
    return int(options.strict and not all(row.met for row in rows))


def _measure_all(small: bool) -> Iterator[Row]:
    """:param small: whether to look at a small provider."""
    database = Database()
    yield generation.memory_of_many(database)
    yield from lookup.by_code(database)
    yield lookup.beside_codes_of_others(database)
    yield from life.of_many(database)
    yield from books.of_many(database)
    database.forget_cards()
    yield generation.beside_coupons(database)
    yield generation.beside_bare_insert(database)
    yield from redemption.beside_bare_payment(database)
    yield from redemption.many_at_once(database)
    yield from confirmation.beside_odoo(database)
    yield export.beside_list_export(database)
    yield export.beside_qweb(database)
    yield from export.memory_of_many(database)
    database.forget_cards()
    yield from imports.of_many(database)
    provider = large.make(database, large.SMALL_QUANTITY if small else large.QUANTITY)
    yield from large.of_each_role(provider)
    yield from owed.of_many(provider)
    yield from windows.of_many(provider)


if __name__ == '__main__':
    sys.exit(main())
