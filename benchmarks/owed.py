"""What is owed for ten million cards, and the overview of them."""

from database import Database, create_series
from measuring import Row, below, measure, seconds
from odoo import api
from odoo.fields import Date
from odoo.tools import SQL

SERIES = 10
QUANTITY = 1_000_000  # of each
REDEEMED = 1_000_000  # of all
ROUNDS = 3


def of_many(database: Database) -> list[Row]:
    """Roll forward what is owed, and open the overview, among cards that are all sold."""
    with database.environment() as env:
        _fill(env)
    database.vacuum_analyze()
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
            name = f"{name} for {SERIES * QUANTITY:,} cards"
            rows.append(below(name, seconds(runs), limit=limit, unit='s'))
        _check(report)
    return rows


def _check(report: api.Self) -> None:
    """:raise RuntimeError: when cards and ledger do not say what was filled in."""
    [total] = report.line_ids.filtered(
        lambda line: line.measure == 'count' and line.kind == 'total'
    )
    unexplained = report.reason_ids.filtered(lambda reason: reason.kind == 'unexplained')
    if total.end != SERIES * QUANTITY - REDEEMED or unexplained:
        raise RuntimeError("What is owed is not what was sold and not redeemed.")


def _fill(env: api.Environment) -> None:
    """Write cards, their history and their entries as the addon would, but in SQL."""
    company = env.company
    method_line = company._get_refill_card_method_line()
    customer = env['res.partner'].create({'name': "Customer"})
    values = {
        'company': company.id,
        'currency': company.currency_id.id,
        'customer': customer.id,
        'journal': method_line.journal_id.id,
        'liability': method_line.payment_account_id.id,
        'receivable': customer.property_account_receivable_id.id,
        'today': Date.today(),
        'redeemed': REDEEMED,
    }
    for _number in range(SERIES):
        series = create_series(env, QUANTITY)
        series.write({'generated': QUANTITY, 'state': 'ready'})
        env.flush_all()
        env.cr.execute(
            SQL(
                """
                WITH card AS (
                    INSERT INTO refill_card (series_id, number, name, state, terms,
                                             handed_out_on, valid_till)
                    SELECT %(series)s, number, %(name)s || '-' || number, 'active', 'sold',
                           %(today)s::date - number %% 300, %(today)s::date + number %% 900
                      FROM generate_series(1, %(quantity)s) AS number
                 RETURNING id, name
                )
                INSERT INTO refill_card_code (id, sealed) SELECT id, md5(name) FROM card
                """,
                series=series.id,
                name=series.name,
                today=values['today'],
                quantity=QUANTITY,
            )
        )
    for statement in FILLING:
        env.cr.execute(SQL(statement, **values))
    env.invalidate_all()


FILLING = (
    """
    INSERT INTO refill_card_event (card_id, series_id, company_id, serial, date, channel,
                                   old_state, new_state, movement, accounting_date, move_id)
    SELECT id, series_id, %(company)s, name, now() AT TIME ZONE 'UTC', 'backend', state, state,
           'sold', handed_out_on, NULL
      FROM refill_card WHERE terms = 'sold'
    """,
    """
    CREATE TEMPORARY TABLE used AS
    SELECT id, name, series_id, %(today)s::date - id %% 200 AS day,
           nextval('account_move_id_seq')::int AS move_id,
           nextval('account_payment_id_seq')::int AS payment_id
      FROM refill_card WHERE terms = 'sold' ORDER BY number LIMIT %(redeemed)s
    """,
    """
    INSERT INTO account_move (id, journal_id, company_id, currency_id, date, state, move_type,
                              name, auto_post)
    SELECT move_id, %(journal)s, %(company)s, %(currency)s, day, 'posted', 'entry', 'B' || move_id,
           'no'
      FROM used
    """,
    """
    INSERT INTO account_payment (id, move_id, company_id, journal_id, partner_id, currency_id,
                                 amount, date, state, payment_type, partner_type)
    SELECT payment_id, move_id, %(company)s, %(journal)s, %(customer)s, %(currency)s, 25, day,
           'paid', 'inbound', 'customer'
      FROM used
    """,
    """
    INSERT INTO account_move_line (move_id, journal_id, company_id, company_currency_id,
                                   currency_id, date, parent_state, display_type, account_id,
                                   partner_id, balance, amount_currency, refill_card_series_id)
    SELECT move_id, %(journal)s, %(company)s, %(currency)s, %(currency)s, day, 'posted',
           'product', part.account_id, %(customer)s, part.amount, part.amount,
           CASE WHEN part.amount > 0 THEN series_id END
      FROM used
     CROSS JOIN (VALUES (%(liability)s, 25), (%(receivable)s, -25)) AS part (account_id, amount)
    """,
    """
    INSERT INTO refill_card_event (card_id, series_id, company_id, serial, date, channel,
                                   old_state, new_state, movement, accounting_date, terms,
                                   used_company_id, partner_id, payment_id)
    SELECT id, series_id, %(company)s, name, day, 'portal', 'active', 'used', 'redeemed', day,
           'sold', %(company)s, %(customer)s, payment_id
      FROM used
    """,
    """
    UPDATE refill_card card
       SET state = 'used', used_on = day, used_company_id = %(company)s,
           partner_id = %(customer)s, payment_id = used.payment_id
      FROM used WHERE used.id = card.id
    """,
)
