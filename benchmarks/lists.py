"""Opening the lists of ten million cards and of their audit log: a page, and the pager's count."""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any

from lxml import etree
from odoo import api

ROUNDS = 15
PAGE = 80
COUNTED = 10_001  # as far as the pager counts
FILTERS: dict[str, tuple[list[Any], float]] = {
    'list of cards': ([], 30),
    'list of cards, series in use': ([('series_id.active', '=', True)], 30),
    'list of active cards': ([('state', '=', 'active')], 30),
    # Most of them may be used elsewhere, and be none of the user's business.
    'list of used cards': ([('state', '=', 'used')], 60),
    'list of disabled cards': ([('state', '=', 'disabled')], 30),
}


def of_many(env: api.Environment) -> Iterator[tuple[str, float, float]]:
    """Open the lists as the web client does, for the environment's user.

    :return: of each list its name, the milliseconds that it took, and the goal.
    """
    cards, events = env['refill.card'], env['refill.card.event']
    for name, (domain, goal) in FILTERS.items():
        yield name, _open(cards, domain), goal
    for series in env['refill.card.series'].search([], order='id desc', limit=2):
        name = f'list of one series of {series.quantity:,}'
        yield name, _open(cards, [('series_id', '=', series.id)]), 30
    yield 'list of cards, group of active ones opened', _open_group(cards, 'state', 'active'), 60
    yield 'audit log', _open(events, []), 100


def _open(rows: Any, domain: list[Any]) -> float:
    """Return the milliseconds that a list takes with the columns that it shows at first."""
    shown = _get_columns(rows)
    return _measure(
        rows, lambda: rows.web_search_read(domain, shown, limit=PAGE, count_limit=COUNTED)
    )


def _open_group(rows: Any, fname: str, value: Any) -> float:
    """Return the milliseconds that a list by groups takes, one of them opened."""
    opened = {'value': value, 'folded': False, 'offset': 0, 'limit': PAGE}
    shown = _get_columns(rows)
    return _measure(
        rows,
        lambda: rows.web_read_group(
            [], [fname], opening_info=[opened], unfold_read_specification=shown
        ),
    )


def _get_columns(rows: Any) -> dict[str, Any]:
    """Return what the web client asks for the columns that a list shows at first."""
    view = etree.fromstring(rows.get_view(view_type='list')['arch'])
    shown = {
        field.get('name'): {}
        for field in view.iter('field')
        if field.get('optional') != 'hide' and field.get('column_invisible') is None
    }
    for name, told in shown.items():
        if rows._fields[name].type == 'many2one':
            told['fields'] = {'display_name': {}}
    return shown


def _measure(rows: Any, work: Callable[[], Any]) -> float:
    """Return the milliseconds that something takes with an empty cache."""
    times = []
    for _round in range(ROUNDS):
        rows.env.invalidate_all()
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    return median(times) * 1000
