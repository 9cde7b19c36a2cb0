"""What is owed for ten million cards, and the overview of them."""

from large import Provider
from measuring import Row, below, measure, seconds
from odoo import api
from odoo.fields import Date

ROUNDS = 3


def of_many(provider: Provider) -> list[Row]:
    """Roll forward what is owed, and open the overview, among cards that are all sold."""
    database = provider.database
    with database.environment(database.accountant_id) as env:
        report = env['refill.card.roll.forward'].create(
            {'date_from': Date.add(Date.today(), months=-1), 'date_to': Date.today()}
        )

        def roll_forward() -> None:
            env.invalidate_all()
            report.action_show()

        def open_overview() -> None:
            env.invalidate_all()
            env['refill.card.dashboard'].get_figures()

        rows = []
        for name, work, limit in (
            ('roll forward what is owed', roll_forward, 10),
            ('open the overview', open_overview, 1),
        ):
            runs = [measure(work, env.cr) for _round in range(ROUNDS)]
            name = f"{name} for {provider.total:,} cards"
            rows.append(below(name, seconds(runs), limit=limit, unit='s'))
        _check(report, provider)
    return rows


def _check(report: api.Self, provider: Provider) -> None:
    """:raise RuntimeError: when cards and ledger do not say what was filled in."""
    [total] = report.line_ids.filtered(
        lambda line: line.measure == 'count' and line.kind == 'total'
    )
    unexplained = report.reason_ids.filtered(lambda reason: reason.kind == 'unexplained')
    if total.end != provider.sold - provider.used or unexplained:
        raise RuntimeError("What is owed is not what was sold and not redeemed.")
