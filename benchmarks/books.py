"""Selling, consigning and settling many cards at once, as the accountant."""

from collections.abc import Callable
from typing import Any

from database import PRICE, Database, create_series
from measuring import Row, below, forget_peak, measure, resident_memory, seconds
from odoo import api
from odoo.fields import Command, Date

QUANTITY = 100_000
# What users wait for, and what a worker of Odoo's may take.
SECONDS = 30
MEMORY = 100


def of_many(database: Database) -> list[Row]:
    with database.environment() as env:
        series = [create_series(env, QUANTITY) for _number in range(2)]
        for each in series:
            each._generate_cards(QUANTITY)
        series[0].for_sale = True
        series[1].activation_required = True
        env.cr.execute(
            "UPDATE refill_card SET state = 'inactive' WHERE series_id = %s", series[1].ids
        )
        reseller = env['res.partner'].create({'name': "Reseller", 'is_company': True})
        reseller_id, sold_id, consigned_id = reseller.id, series[0].id, series[1].id
    database.vacuum_analyze()

    def sell(env: api.Environment) -> Callable[[], Any]:
        product = env['product.product']._get_refill_card_product(PRICE, env.company.currency_id)
        line = {'product_id': product.id, 'quantity': QUANTITY, 'price_unit': PRICE - 2}
        invoice = env['account.move'].create(
            {
                'move_type': 'out_invoice',
                'partner_id': reseller_id,
                'invoice_line_ids': [Command.create(line)],
            }
        )
        return invoice.action_post

    def consign(env: api.Environment) -> Callable[[], Any]:
        window = env['refill.card.hand.out'].create(
            {'series_ids': [consigned_id], 'operation': 'consign', 'holder_id': reseller_id}
        )
        return window.action_confirm

    def activate(env: api.Environment) -> Callable[[], Any]:
        window = env['refill.card.change'].create(
            {'series_ids': [consigned_id], 'operation': 'activate'}
        )
        return window.action_confirm

    def settle(env: api.Environment) -> Callable[[], Any]:
        window = env['refill.card.settle'].create(
            {'partner_ids': [reseller_id], 'day': Date.today()}
        )

        def work() -> None:
            window.action_settle()
            env['account.move'].search([('state', '=', 'draft')]).action_post()

        return work

    rows = []
    for name, prepare in (
        ('sell', sell),
        ('consign', consign),
        ('activate, on consignment', activate),
        ('settle, with statements', settle),
    ):
        rows += _measure(database, f"{name} {QUANTITY:,} cards", prepare)
    _check(database, {sold_id: 'sold', consigned_id: 'sold'})
    return rows


def _measure(
    database: Database, name: str, prepare: Callable[[api.Environment], Callable[[], Any]]
) -> list[Row]:
    idle = resident_memory('VmRSS')
    forget_peak()
    with database.environment(database.accountant_id) as env:
        work = prepare(env)

        def and_commit() -> None:
            work()
            env.cr.commit()

        run = measure(and_commit, env.cr)
    memory = (resident_memory('VmHWM') - idle) / 2**20
    return [
        below(name, seconds([run]), limit=SECONDS, unit='s'),
        below(f"{name}, memory over idle", [memory], limit=MEMORY, unit='MiB'),
    ]


def _check(database: Database, expected: dict[int, str]) -> None:
    with database.environment() as env:
        for series_id, terms in expected.items():
            domain = [('series_id', '=', series_id), ('terms', '=', terms)]
            billed = [*domain, ('invoice_line_id.parent_state', '=', 'posted')]
            if env['refill.card'].search_count(billed) != QUANTITY:
                raise RuntimeError("Not all cards were sold and billed.")
