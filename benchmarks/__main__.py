"""What takes how long, ours and theirs measured side by side: `python3 sandbox bench`."""

import argparse
import sys
import time

import books
import confirmation
import export
import faults
import generation
import large
import life
import lookup
import owed
import redemption
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
    database = Database()
    rows = _measure_all(database)
    database.forget_cards()
    provider = large.make(database, large.SMALL_QUANTITY if options.small else large.QUANTITY)
    rows += large.of_each_role(provider)
    rows += owed.of_many(provider)
    print_table(rows)
    return int(options.strict and not all(row.met for row in rows))


def _measure_all(database: Database) -> list[Row]:
    rows = [generation.memory_of_many(database), lookup.by_code(database)]
    rows += life.of_many(database)
    rows += books.of_many(database)
    database.forget_cards()
    return [
        *rows,
        generation.beside_coupons(database),
        generation.beside_bare_insert(database),
        *redemption.beside_bare_payment(database),
        *redemption.many_at_once(database),
        *confirmation.beside_odoo(database),
        export.beside_list_export(database),
        export.beside_qweb(database),
        *export.memory_of_many(database),
    ]


if __name__ == '__main__':
    sys.exit(main())
