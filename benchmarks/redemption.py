"""Redeeming a card, all of it, against creating and posting Odoo's bare payment.

What ``account_payment_redeemed`` saves is saved for the entries of cards only; bare payments would
gain by it, too.
"""

from collections.abc import Iterator
from typing import Any

from database import PRICE, Database, create_series
from measuring import Measurement, Row, alternate, at_most, measure, queries, seconds
from odoo import api
from odoo.fields import Command, Date

WARM_UP = 5
ROUNDS = 60
BATCH = 100
BATCHES = 5


def beside_bare_payment(database: Database) -> list[Row]:
    """Compare as an accountant, each time in a transaction of its own and for a new customer."""
    runs = WARM_UP + ROUNDS
    with database.environment() as env:
        codes = iter(_generate_codes(env, runs))
        values = _prepare_payment_values(env)
        customers = iter(create_customers(env, 2 * runs))
    database.vacuum_analyze()
    ours, bare = alternate(
        lambda: _redeem(database, codes, customers),
        lambda: _pay(database, values, customers),
        times=ROUNDS,
        warm_up=WARM_UP,
    )
    work = (
        "redeem a card (work is saved for cards' entries only), beside Odoo's bare payment, posted"
    )
    return [
        at_most(work, seconds(ours), seconds(bare), limit=0.85, unit='s'),
        at_most(work, queries(ours), queries(bare), limit=0.9, unit='queries'),
    ]


def many_at_once(database: Database) -> list[Row]:
    """Compare a call of `redeem_codes` with as many of `redeem_code`, card by card."""
    runs = 1 + BATCHES
    with database.environment() as env:
        codes = _generate_codes(env, 2 * runs * BATCH)
        customers = iter(create_customers(env, 2 * runs))
    database.vacuum_analyze()
    batches = iter([codes[i : i + BATCH] for i in range(0, len(codes), BATCH)])
    together, single = alternate(
        lambda: _redeem_together(database, next(batches), next(customers)),
        lambda: _redeem_one_by_one(database, next(batches), next(customers)),
        times=BATCHES,
        warm_up=1,
    )
    work = f'redeem_codes of {BATCH}, per card, beside redeem_code'
    return [at_most(work, seconds(together, BATCH), seconds(single, BATCH), limit=0.35, unit='s')]


def _redeem_together(database: Database, codes: list[str], customer: int) -> Measurement:
    with database.environment(database.accountant_id) as env:

        def work() -> None:
            answers = env['refill.card'].redeem_codes(codes, customer)
            env.flush_all()
            assert all('payment' in answer for answer in answers)

        return measure(work, env.cr)


def _redeem_one_by_one(database: Database, codes: list[str], customer: int) -> Measurement:
    """Redeem each code in a transaction of its own, as a caller without a batch does."""
    measurements = [_redeem(database, iter([code]), iter([customer])) for code in codes]
    return Measurement(
        sum(each.seconds for each in measurements), sum(each.queries for each in measurements)
    )


def _redeem(database: Database, codes: Iterator[str], customers: Iterator[int]) -> Measurement:
    with database.environment(database.accountant_id) as env:

        def work() -> None:
            env['refill.card'].redeem_code(next(codes), next(customers))
            env.flush_all()

        return measure(work, env.cr)


def _pay(database: Database, values: dict[str, Any], customers: Iterator[int]) -> Measurement:
    with database.environment(database.accountant_id) as env:

        def work() -> None:
            payments = env['account.payment']
            payments.create({**values, 'partner_id': next(customers)}).action_post()
            env.flush_all()

        return measure(work, env.cr)


def _prepare_payment_values(env: api.Environment) -> dict[str, Any]:
    """Return the values of a payment as Odoo's wizard Register Payment does, for any customer."""
    journal = create_plain_journal(env)
    return {
        'payment_type': 'inbound',
        'partner_type': 'customer',
        'company_id': journal.company_id.id,
        'journal_id': journal.id,
        'payment_method_line_id': journal.inbound_payment_method_line_ids.id,
        'currency_id': journal.company_id.currency_id.id,
        'amount': PRICE,
        'date': Date.today(),
        'memo': "Payment",
    }


def _generate_codes(env: api.Environment, quantity: int) -> list[str]:
    series = create_series(env, quantity)
    series._generate()
    return series.card_ids.mapped('code')


def create_customers(env: api.Environment, quantity: int) -> list[int]:
    values = [{'name': f"Customer {number}"} for number in range(quantity)]
    return env['res.partner'].create(values).ids


def create_plain_journal(env: api.Environment) -> Any:
    """Create a journal as the cards' is, with Odoo's own payment method.

    :rtype: account.journal
    """
    cards = env.company._get_refill_card_method_line().journal_id
    account = cards.default_account_id.copy({'name': "Money received"})
    method = env.ref('account.account_payment_method_manual_in')
    line = {'payment_method_id': method.id, 'payment_account_id': account.id}
    return env['account.journal'].create(
        {
            'name': "Plain",
            'type': cards.type,
            'code': 'PLAIN',
            'show_on_dashboard': cards.show_on_dashboard,
            'default_account_id': account.id,
            'inbound_payment_method_line_ids': [Command.clear(), Command.create(line)],
            'outbound_payment_method_line_ids': [Command.clear()],
        }
    )
