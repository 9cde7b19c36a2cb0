"""What takes how long, ours and theirs measured side by side: `python3 sandbox bench`."""

import argparse
import sys

import books
import confirmation
import export
import generation
import life
import lookup
import redemption
from database import Database
from measuring import print_table


def main() -> int:
    parser = argparse.ArgumentParser(prog='python3 sandbox bench', description=__doc__)
    parser.add_argument('--strict', action='store_true', help="exit with 1 when a goal is missed")
    options = parser.parse_args()
    database = Database()
    rows = [generation.memory_of_many(database), lookup.by_code(database)]
    rows += life.of_many(database)
    rows += books.of_many(database)
    database.forget_cards()
    rows += [
        generation.beside_coupons(database),
        generation.beside_bare_insert(database),
        *redemption.beside_bare_payment(database),
        *confirmation.beside_odoo(database),
        export.beside_list_export(database),
        export.beside_qweb(database),
        *export.memory_of_many(database),
    ]
    print_table(rows)
    return int(options.strict and not all(row.met for row in rows))


if __name__ == '__main__':
    sys.exit(main())
