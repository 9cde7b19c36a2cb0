"""Confirming invoices, with and without the hooks by which cards follow and prepaid credit pays."""

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from database import PRICE, Database, create_series
from measuring import Measurement, Row, alternate, at_most, below, measure, queries, seconds
from odoo import api
from odoo.fields import Command

ROUNDS = 5
# Both sides together confirm ten thousand in each of the two measurements that follow.
INVOICES = 1000
PAID_INVOICES = 100


def beside_odoo(database: Database) -> list[Row]:
    """Compare in one request each, a customer an invoice, as the accountant."""
    rows = []
    runs = 2 * ROUNDS
    drafts = _create_drafts(database, runs * INVOICES)
    database.vacuum_analyze()
    ours, theirs = _confirm_in_turn(database, drafts, INVOICES)
    work = "confirm 1,000 invoices of customers without credit, beside without the addon's hooks"
    rows.append(at_most(work, seconds(ours), seconds(theirs), limit=1.1, unit='s'))
    rows.append(_more_queries(work, ours, theirs, INVOICES, limit=0.01))

    drafts = _create_drafts(database, runs * PAID_INVOICES)
    _redeem_for(database, drafts)
    database.vacuum_analyze()
    ours, theirs = _confirm_in_turn(database, drafts, PAID_INVOICES)
    work = "confirm 100 invoices that credit pays, beside without the addon's hooks"
    # What is to be less than a limit may not reach it.
    rows.append(_more_queries(work, ours, theirs, PAID_INVOICES, limit=2.001))
    return rows


def _more_queries(
    work: str, ours: list[Measurement], theirs: list[Measurement], count: int, limit: float
) -> Row:
    more = [mine - other for mine, other in zip(queries(ours), queries(theirs), strict=True)]
    return below(
        f"{work}: queries more, an invoice",
        [number / count for number in more],
        limit=limit,
        unit='queries',
    )


def _confirm_in_turn(database: Database, drafts: list[int], count: int) -> list[list[Measurement]]:
    batches = iter([drafts[start : start + count] for start in range(0, len(drafts), count)])
    return alternate(
        lambda: _confirm(database, next(batches)),
        lambda: _confirm(database, next(batches), hooked=False),
        times=ROUNDS,
    )


def _confirm(database: Database, invoice_ids: list[int], *, hooked: bool = True) -> Measurement:
    with database.environment(database.accountant_id) as env:
        moves = env.registry['account.move']
        hooks = ExitStack()
        if not hooked:
            for hook, nothing in (
                ('_use_refill_card_credit', None),
                ('_is_about_refill_cards', False),
            ):
                hooks.enter_context(patch.object(moves, hook, lambda _, n=nothing: n))

        def work() -> None:
            env['account.move'].browse(invoice_ids).action_post()
            env.cr.flush()  # chatter and all

        with hooks:
            return measure(work, env.cr)


def _create_drafts(database: Database, quantity: int) -> list[int]:
    invoice_ids: list[int] = []
    while len(invoice_ids) < quantity:
        with database.environment() as env:
            invoice_ids += _create_some_drafts(env, min(INVOICES, quantity - len(invoice_ids)))
    return invoice_ids


def _create_some_drafts(env: api.Environment, quantity: int) -> list[int]:
    customers = env['res.partner'].create(
        [{'name': f"Customer {number}"} for number in range(quantity)]
    )
    line = Command.create({'name': "Month", 'price_unit': PRICE, 'tax_ids': [Command.clear()]})
    values = {'move_type': 'out_invoice', 'invoice_line_ids': [line]}
    invoices = env['account.move'].create(
        [{**values, 'partner_id': customer.id} for customer in customers]
    )
    return invoices.ids


def _redeem_for(database: Database, invoice_ids: list[int]) -> None:
    """Give each invoice's customer the credit of a card."""
    with database.environment() as env:
        series = create_series(env, len(invoice_ids))
        series._generate()
        codes = series.card_ids.mapped('code')
        customer_ids: list[Any] = env['account.move'].browse(invoice_ids).partner_id.ids
    with database.environment(database.accountant_id) as env:
        for code, customer_id in zip(codes, customer_ids, strict=True):
            env['refill.card'].redeem_code(code, customer_id)
