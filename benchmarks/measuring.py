"""Timing two things side by side, and the table of what came out."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HEADINGS = ('work', 'ours', 'theirs', 'ratio', 'goal', 'met')
PREFIXES = ((1, ''), (1e3, 'm'), (1e6, 'µ'), (1e9, 'n'))


@dataclass(frozen=True)
class Row:
    """One line of the table; nothing is beside a work without ``theirs`` and ``ratio``."""

    work: str
    ours: str
    goal: str
    met: bool
    theirs: str = '-'
    ratio: str = '-'


@dataclass(frozen=True)
class Measurement:
    """What one run of a piece of work took."""

    seconds: float
    queries: int


def measure(work: Callable[[], Any], cr: Any) -> Measurement:
    """Run a piece of work once, the garbage of the earlier ones collected before the clock starts.

    :param cr: the cursor whose queries are counted.
    """
    gc.collect()
    queries = cr.sql_log_count
    started = time.perf_counter()
    work()
    return Measurement(time.perf_counter() - started, cr.sql_log_count - queries)


def alternate(
    *works: Callable[[], Measurement], times: int, warm_up: int = 0
) -> list[list[Measurement]]:
    """Measure pieces of work in turn, so that a busy machine slows all of them alike.

    :param warm_up: how often each runs before the first measurement.
    :return: the measurements of each piece of work.
    """
    for _ in range(warm_up):
        for work in works:
            work()
    measurements: list[list[Measurement]] = [[] for _ in works]
    for round_ in range(times):
        order = range(len(works)) if round_ % 2 else reversed(range(len(works)))
        for index in order:
            measurements[index].append(works[index]())
    return measurements


def seconds(measurements: Sequence[Measurement], each: float = 1) -> list[float]:
    """Return what runs took, each divided by the number of things that it made."""
    return [measurement.seconds / each for measurement in measurements]


def queries(measurements: Sequence[Measurement]) -> list[int]:
    return [measurement.queries for measurement in measurements]


def at_most(
    work: str, ours: Sequence[float], theirs: Sequence[float], limit: float, unit: str
) -> Row:
    """Return the row of work that may cost up to ``limit`` times as much as theirs.

    The ratio is the median of those of neighbouring runs, which other programs slow alike.
    """
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Row(
        work,
        ours=_quantity(ours, unit),
        theirs=_quantity(theirs, unit),
        ratio=f'{ratio:.2f} x',
        goal=f'at most {limit} x',
        met=ratio <= limit,
    )


def faster(
    work: str, ours: Sequence[float], theirs: Sequence[float], times: float, unit: str
) -> Row:
    """Return the row of work that must be at least so many ``times`` faster than theirs."""
    ratio = median(other / mine for mine, other in zip(ours, theirs, strict=True))
    return Row(
        work,
        ours=_quantity(ours, unit),
        theirs=_quantity(theirs, unit),
        ratio=f'{ratio:.1f} x faster',
        goal=f'at least {times} x faster',
        met=ratio >= times,
    )


def below(work: str, ours: Sequence[float], limit: float, unit: str) -> Row:
    """Return the row of work that has an absolute limit."""
    return Row(
        work,
        ours=_quantity(ours, unit),
        goal=f'less than {_quantity([limit], unit)}',
        met=median(ours) < limit,
    )


def forget_peak() -> None:
    """Begin to look for the peak of this process's memory anew: see proc(5)."""
    Path('/proc/self/clear_refs').write_text('5')


def resident_memory(name: str) -> int:
    """Return a figure of /proc/self/status, in bytes.

    :param name: ``VmRSS`` for the memory now, ``VmHWM`` for its peak.
    """
    for line in Path('/proc/self/status').read_text().splitlines():
        key, _, value = line.partition(':')
        if key == name:
            return int(value.split()[0]) * 1024
    raise LookupError(name)


def _quantity(amounts: Sequence[float], unit: str) -> str:
    """Return the median of the amounts as text."""
    amount, prefix = median(amounts), ''
    if unit == 's':
        amount, prefix = next(
            (amount * factor, prefix) for factor, prefix in PREFIXES if amount * factor >= 1
        )
    return f'{amount:.4g} {prefix}{unit}'


def print_table(rows: Sequence[Row]) -> None:
    lines = [HEADINGS]
    for row in rows:
        met = 'yes' if row.met else 'NO'
        lines.append((row.work, row.ours, row.theirs, row.ratio, row.goal, met))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple('-' * width for width in widths))
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print('  '.join(cells).rstrip())
