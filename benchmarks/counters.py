"""Counting ten million cards: lists of series, groups, pivots and figures."""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any

from odoo import api

ROUNDS = 7
MONEY = ['__count', 'price:sum', 'price:sum_currency', 'currency_id:array_agg_distinct']
SERIES = (
    *('name', 'prefix', 'price', 'currency_id', 'has_used_cards', 'can_manage', 'quantity'),
    *('deletion_question', 'card_count', 'inactive_count', 'active_count', 'used_count'),
    *('expired_count', 'disabled_count', 'active_amount', 'used_amount', 'company_names', 'state'),
)
ANALYSIS = (
    *('active_count:sum', 'used_count:sum', 'used_share:avg', 'currency_id:array_agg_distinct'),
    *('active_amount:sum', 'active_amount:sum_currency', 'used_amount:sum', '__count'),
    'used_amount:sum_currency',
)


def of_many(env: api.Environment) -> Iterator[tuple[str, float, float]]:
    """Count as the web client does, for the environment's user.

    :return: of each piece of work what it is, the milliseconds that it took, and the goal.
    """
    for name, work, goal in _get_works(env):
        yield name, _measure(env, work), goal


def _measure(env: api.Environment, work: Callable[[], Any]) -> float:
    times = []
    for _round in range(ROUNDS):
        env.invalidate_all()
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    return median(times) * 1000


def _get_works(env: api.Environment) -> Iterator[tuple[str, Callable[[], Any], float]]:
    series, cards, report = (
        env[model] for model in ('refill.card.series', 'refill.card', 'refill.card.report')
    )
    shown = {fname: {} for fname in SERIES if fname in series._fields}
    yield (
        'list of series with its counters',
        lambda: series.web_search_read([], shown, limit=80),
        50,
    )
    counts = ['card_count:sum', 'used_count:sum', 'active_count:sum']
    yield 'series by face value', lambda: series.web_read_group([], ['price'], counts), 50
    yield 'cards by status', lambda: cards.web_read_group([], ['state'], MONEY), 50
    yield 'cards by series', lambda: cards.web_read_group([], ['series_id'], MONEY), 50
    used = [('state', '=', 'used')]
    yield (
        'used cards by company',
        lambda: cards.web_read_group(used, ['used_company_id'], MONEY),
        50,
    )
    sets = [[], ['state'], ['state', 'series_id']]
    yield (
        'pivot of money by status',
        lambda: cards.formatted_read_grouping_sets([], sets, MONEY),
        50,
    )
    yield 'number of cards', lambda: cards.search_count([]), 50
    yield (
        'statistics, as they open',
        lambda: report.formatted_read_grouping_sets(
            [], [[], ['currency_id'], ['currency_id', 'series_id']], ANALYSIS
        ),
        50,
    )
    yield (
        'statistics by status and face value',
        lambda: report.web_read_group([], ['face_value', 'state'], ['amount:sum', '__count']),
        50,
    )
