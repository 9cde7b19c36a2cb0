"""Fills a database with what requests need: codes of cards, customers, and who may ask.

Run with Odoo's Python: `stock.py FILE CARDS CUSTOMERS JOURNALS`; it writes
FILE, as JSON.
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from database import PRICE, Database, create_series
from odoo import api
from odoo.fields import Command
from redemption import create_customers, create_plain_journal

PASSWORD = 'benchmark'


def main() -> None:
    path, cards, customers, journals = sys.argv[1:]
    database = Database()
    with database.environment() as env:
        # Redemptions over the API are a clerk's, and bare payments an accountant's.
        clerk = _create_user(env, 'clerk', 'refill_cards.group_refill_card_user')
        customer = _create_user(env, 'customer', 'base.group_portal')
        accountant = env['res.users'].browse(database.accountant_id)
        accountant.password = PASSWORD
        env.company.refill_card_portal = True
        for _further in range(int(journals) - 1):
            env.company._add_refill_card_journal()
        series = create_series(env, int(cards))
        series._generate()
        plain = create_plain_journal(env)
        stock = {
            'password': PASSWORD,
            'price': PRICE,
            'series': series.id,
            'codes': series.card_ids.sorted('number').mapped('code'),
            'customers': create_customers(env, int(customers)),
            'clerk': _make_key(clerk),
            'accountant': _make_key(accountant),
            'customer': customer.partner_id.id,
            'payment': {
                'payment_type': 'inbound',
                'partner_type': 'customer',
                'journal_id': plain.id,
                'payment_method_line_id': plain.inbound_payment_method_line_ids.id,
                'currency_id': env.company.currency_id.id,
                'amount': PRICE,
                'memo': "Payment",
            },
        }
    database.vacuum_analyze()
    Path(path).write_text(json.dumps(stock))


def _create_user(env: api.Environment, login: str, group: str) -> Any:
    company = env.company
    return env['res.users'].create(
        {
            'name': login.capitalize(),
            'login': login,
            'password': PASSWORD,
            'company_id': company.id,
            'company_ids': [Command.set(company.ids)],
            'group_ids': [Command.set(env.ref(group).ids)],
        }
    )


def _make_key(user: Any) -> str:
    """Return an API key of the user's."""
    keys = user.env['res.users.apikeys'].with_user(user)
    return keys._generate('rpc', "Benchmark", datetime.now() + timedelta(days=1))


if __name__ == '__main__':
    main()
