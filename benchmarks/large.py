"""A provider with many cards: what benchmarks of lists, counters and reports look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import counters
import lists
from database import Database, create_series
from measuring import Row, below
from odoo import api
from odoo.fields import Date
from odoo.tools import SQL

SERIES = 10
QUANTITY = 1_000_000  # of each
SMALL_QUANTITY = 20_000
COMPANIES = 50
BATCH = 20_000
TABLES = (
    'refill_card',
    'refill_card_code',
    'refill_card_event',
    'account_move',
    'account_move_line',
    'account_payment',
)


@dataclass(frozen=True)
class Provider:
    """Who issued the cards, who works there, and in which series they are.

    All series but two are sold, and a tenth of those cards is used, by customers of the provider.
    One series is for every partner company, and its first third, in one piece, is used in one of
    them; the last one is for one partner company only.
    """

    database: Database
    quantity: int  # of each series
    sold_ids: list[int]
    shared_id: int
    late_id: int
    partner_user_id: int  # sees the last two series
    accountant_id: int  # of three of the companies

    @property
    def total(self) -> int:
        return SERIES * self.quantity

    @property
    def sold(self) -> int:
        return len(self.sold_ids) * self.quantity

    @property
    def used(self) -> int:
        """How many of the sold cards."""
        return self.sold // 10


def make(database: Database, quantity: int) -> Provider:
    """Fill a database with ten series, as the addon would, but in SQL: it takes minutes."""
    with database.environment() as env:
        companies = env['res.company'].create(
            [{'name': f"Partner {number}"} for number in range(COMPANIES)]
        )
        series = [create_series(env, quantity) for _number in range(SERIES)]
        *sold, shared, late = series
        shared.company_ids = companies
        late.company_ids = companies[-1]
        provider = Provider(
            database,
            quantity,
            sold_ids=[each.id for each in sold],
            shared_id=shared.id,
            late_id=late.id,
            partner_user_id=_create_user(env, 'refill_cards.group_refill_card_user', companies[-1]),
            accountant_id=_create_user(
                env, 'account.group_account_manager', env.company + companies[:2]
            ),
        )
        for each in series:
            each.write({'generated': quantity, 'state': 'ready'})
        env.flush_all()
        with _without_indexes(env):
            _fill(env, provider, elsewhere=companies[0])
        env.invalidate_all()
    database.vacuum_analyze()
    return provider


def of_each_role(provider: Provider) -> list[Row]:
    """Open lists and counters as whoever works with the cards."""
    rows = []
    for role, user_id in (
        ('manager', provider.database.accountant_id),
        ('accountant of three companies', provider.accountant_id),
        ('partner user', provider.partner_user_id),
    ):
        with provider.database.environment(user_id) as env:
            # All of the companies ticked in the switcher.
            env = env(context={'allowed_company_ids': env.user.company_ids.ids})
            for name, took, goal in (*lists.of_many(env), *counters.of_many(env)):
                work = f'{name}, {role}, among {provider.total:,} cards'
                rows.append(below(work, [took / 1000], limit=goal / 1000, unit='s'))
    return rows


def _create_user(env: api.Environment, group: str, companies: Any) -> int:
    user = env['res.users'].create(
        {
            'name': group,
            'login': group,
            'company_id': companies[0].id,
            'company_ids': companies.ids,
            'group_ids': env.ref(group).ids,
        }
    )
    return user.id


@contextmanager
def _without_indexes(env: api.Environment) -> Iterator[None]:
    """Have the indexes built after the rows, and no foreign key checked row by row."""
    indexes = env.execute_query(
        SQL(
            """
            SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
             WHERE indrelid = ANY(%s::regclass[])
               AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
            """,
            list(TABLES),
        )
    )
    env.cr.execute("SET LOCAL session_replication_role = replica")
    for name, _definition in indexes:
        env.cr.execute(f"DROP INDEX {name}")  # pylint: disable=sql-injection
    yield
    env.cr.execute("SET LOCAL session_replication_role = origin")
    env.cr.execute("SET LOCAL maintenance_work_mem = '1GB'")
    for _name, definition in indexes:
        env.cr.execute(definition)


def _fill(env: api.Environment, provider: Provider, elsewhere: Any) -> None:
    """Write the cards, their history and their entries.

    :param res.company elsewhere: where a third of the shared series is used.
    """
    company = env.company
    method_line = company._get_refill_card_method_line()
    customer = env['res.partner'].create({'name': "Customer"})
    values = {
        'company': company.id,
        'elsewhere': elsewhere.id,
        'shared': provider.shared_id,
        'sold': provider.sold_ids,
        'currency': company.currency_id.id,
        'customer': customer.id,
        'journal': method_line.journal_id.id,
        'liability': method_line.payment_account_id.id,
        'receivable': customer.property_account_receivable_id.id,
        'today': Date.today(),
        'used': provider.used,
        'quantity': provider.quantity,
    }
    sealer = env['refill.card.key']._get_generating_sealer()
    env.flush_all()
    for series in env['refill.card.series'].search([], order='id'):
        values |= {'series': series.id, 'name': series.name}
        for first in range(0, provider.quantity, BATCH):
            bodies = series._get_format().generate(min(BATCH, provider.quantity - first))
            sealed = ' '.join(map(sealer.seal, bodies))
            env.cr.execute(SQL(CARDS, first=first, sealed=sealed, **values))
    for statement in HISTORY:
        env.cr.execute(SQL(statement, **values))


CARDS = """
    WITH drawn AS (
        SELECT nextval('refill_card_id_seq')::int AS id, %(first)s + row AS number, sealed
          FROM unnest(string_to_array(%(sealed)s, ' ')) WITH ORDINALITY AS code (sealed, row)
    ), code AS (INSERT INTO refill_card_code (id, sealed) SELECT id, sealed FROM drawn)
    INSERT INTO refill_card (id, series_id, number, name, state, terms, handed_out_on, valid_till)
    SELECT id, %(series)s, number, %(name)s || '-' || lpad(number::text, 7, '0'), 'active',
           CASE WHEN %(series)s = ANY(%(sold)s) THEN 'sold' END,
           CASE WHEN %(series)s = ANY(%(sold)s) THEN %(today)s::date - number::int %% 300 END,
           %(today)s::date + number::int %% 900
      FROM drawn
"""
HISTORY = (
    """
    INSERT INTO refill_card_event (card_id, series_id, company_id, serial, date, channel,
                                   old_state, new_state, movement, accounting_date)
    SELECT id, series_id, %(company)s, name, now() AT TIME ZONE 'UTC', 'backend', state, state,
           'sold', handed_out_on
      FROM refill_card WHERE terms = 'sold'
    """,
    """
    CREATE TEMPORARY TABLE used ON COMMIT DROP AS
    SELECT id, name, series_id, state, terms, company_id, %(today)s::date - id %% 200 AS day,
           CASE WHEN company_id = %(company)s THEN nextval('account_move_id_seq')::int END
               AS move_id,
           CASE WHEN company_id = %(company)s THEN nextval('account_payment_id_seq')::int END
               AS payment_id
      FROM (
          (SELECT *, %(company)s AS company_id FROM refill_card
            WHERE terms = 'sold' ORDER BY md5(name) LIMIT %(used)s)
          UNION ALL
          (SELECT *, %(elsewhere)s FROM refill_card
            WHERE series_id = %(shared)s ORDER BY id LIMIT %(quantity)s / 3)
      ) AS card
    """,
    """
    INSERT INTO account_move (id, journal_id, company_id, currency_id, date, state, move_type,
                              name, auto_post)
    SELECT move_id, %(journal)s, %(company)s, %(currency)s, day, 'posted', 'entry', 'B' || move_id,
           'no'
      FROM used WHERE move_id IS NOT NULL
    """,
    """
    INSERT INTO account_payment (id, move_id, company_id, journal_id, partner_id, currency_id,
                                 amount, date, state, payment_type, partner_type)
    SELECT payment_id, move_id, %(company)s, %(journal)s, %(customer)s, %(currency)s, 25, day,
           'paid', 'inbound', 'customer'
      FROM used WHERE payment_id IS NOT NULL
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
     WHERE move_id IS NOT NULL
    """,
    """
    INSERT INTO refill_card_event (card_id, series_id, company_id, serial, date, channel,
                                   old_state, new_state, movement, accounting_date, terms,
                                   used_company_id, partner_id, payment_id)
    SELECT id, series_id, %(company)s, name, day, 'portal', 'active', 'used',
           CASE WHEN payment_id IS NOT NULL THEN 'redeemed' END, day,
           terms, company_id, %(customer)s, payment_id
      FROM used
    """,
    """
    UPDATE refill_card card
       SET state = 'used', used_on = day, used_company_id = used.company_id,
           partner_id = %(customer)s, payment_id = used.payment_id
      FROM used WHERE used.id = card.id
    """,
    """
    INSERT INTO refill_card_tally (series_id, state, disable_reason, company_id, count)
    SELECT series_id, state, disable_reason, used_company_id, count(*) FROM refill_card
     GROUP BY 1, 2, 3, 4
    """,
)
