"""Opening windows at ten million cards: of a few cards, as every day, and of a whole series."""

from collections.abc import Iterator
from typing import Any

from large import Provider
from lxml import etree
from measuring import Row, below, measure, seconds
from odoo import api

ROUNDS = 3
FEW = 100
# What every day brings is there at once; a million cards are counted before one changes them.
FEW_SECONDS = 0.5
SERIES_SECONDS = 10


def of_many(provider: Provider) -> Iterator[Row]:
    """Open the windows of whoever manages cards, as the web client does."""
    with provider.database.environment(provider.database.accountant_id) as env:
        for name, model, values, limit in _get_windows(env, provider):
            runs = [
                measure(lambda m=model, v=values: _open(env[m], v), env.cr) for _ in range(ROUNDS)
            ]
            name = f"{name}, among {provider.total:,} cards"
            yield below(name, seconds(runs), limit=limit, unit='s')


def _get_windows(
    env: api.Environment, provider: Provider
) -> Iterator[tuple[str, str, dict[str, Any], float]]:
    """:return: of each window what it is, its model, what is chosen in it, and its goal."""
    series = env['refill.card.series'].browse(provider.late_id)
    first, last = (
        env['refill.card'].search(
            [('series_id', '=', series.id)], order=order, limit=1, offset=offset
        )
        for order, offset in (('id', FEW), ('id', 2 * FEW - 1))
    )
    few = {'first_id': first.id, 'last_id': last.id}
    whole = {'series_ids': series.ids}
    reseller = env['res.partner'].sudo().create({'name': "Reseller", 'is_company': True})
    for what, chosen, limit in (
        (f"{FEW} cards", few, FEW_SECONDS),
        (f"a series of {provider.quantity:,}", whole, SERIES_SECONDS),
    ):
        yield (
            f"window to sell {what}",
            'refill.card.sell',
            {**chosen, 'partner_id': reseller.id},
            limit,
        )
        for operation, model in (
            ('disable', 'refill.card.change'),
            ('extend', 'refill.card.change'),
            ('consign', 'refill.card.hand.out'),
        ):
            name = f"window to {operation} {what}"
            yield name, model, {**chosen, 'operation': operation}, limit
    values = {**whole, 'partner_id': reseller.id, 'quantity': FEW}
    yield f"window to sell the next {FEW} cards", 'refill.card.sell', values, FEW_SECONDS
    for name, model in (
        ('window of the opening balance', 'refill.card.opening'),
        ('window to settle', 'refill.card.settle'),
        ('window to release expired value', 'refill.card.release'),
    ):
        yield name, model, {}, SERIES_SECONDS


def _open(windows: Any, values: dict[str, Any]) -> None:
    windows.env.invalidate_all()
    view = etree.fromstring(windows.get_view(view_type='form')['arch'])
    shown = {
        field.get('name'): {}
        for field in view.iter('field')
        if field.get('name') in windows._fields
    }
    windows.create(values).web_read(shown)
