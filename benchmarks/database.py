"""The database that the benchmarks run in: a company with accounts, and who works there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config

DATABASE = os.environ['REFILL_CARDS_BENCH_DB']
OPTIONS = ['--database', DATABASE, '--log-level=warn', '--no-http', '--max-cron-threads=0']
PRICE = 25


class Database:
    """A fresh database, filled with what a company needs to take payments.

    :param options: of Odoo, beside our own.
    """

    def __init__(self, *options: str) -> None:
        config.parse_config([*OPTIONS, *options], setup_logging=True)
        self._registry = Registry(DATABASE)
        with self.environment() as env:
            # Odoo sets up the journals of a company that gets a chart of accounts.
            env['account.chart.template'].try_loading(
                'generic_coa', env.ref('base.main_company'), install_demo=False
            )
        with self.environment() as env:
            self.accountant_id: int = self._create_accountant(env).id

    @contextmanager
    def environment(self, user_id: int = SUPERUSER_ID) -> Iterator[api.Environment]:
        """An environment as a request gets it: a transaction and caches of its own."""
        with self._registry.cursor() as cr:
            yield api.Environment(cr, user_id, {})

    def vacuum_analyze(self) -> None:
        """Do what PostgreSQL's autovacuum does in time. Odoo's queries are slow without."""
        with self._registry.cursor() as cr:
            cr.commit()
            cr._cnx.autocommit = True  # VACUUM cannot run inside a transaction
            cr.execute('VACUUM ANALYZE')
            cr._cnx.autocommit = False

    def forget_cards(self) -> None:
        """Empty the cards' tables and the books: what follows begins with none of either."""
        with self._registry.cursor() as cr:
            for table in ('', '_code', '_event', '_tally'):
                cr.execute(f'TRUNCATE refill_card{table} CASCADE')  # pylint: disable=sql-injection
            # Truncating would take companies along, which name an entry.
            cr.execute("SET LOCAL session_replication_role = replica")
            for table in (
                *('account_partial_reconcile', 'account_full_reconcile', 'account_payment'),
                *('account_move_line', 'account_move'),
            ):
                cr.execute(f'DELETE FROM {table}')  # pylint: disable=sql-injection

    def _create_accountant(self, env: api.Environment) -> Any:
        return env['res.users'].create(
            {
                'name': "Accountant",
                'login': 'benchmark',
                'company_id': env.ref('base.main_company').id,
                'company_ids': env.ref('base.main_company').ids,
                'group_ids': env.ref('account.group_account_manager').ids,
            }
        )


def create_series(env: api.Environment, quantity: int) -> Any:
    """Create a series without cards, with the settings that the wizard proposes.

    :return: the series, as superuser
    :rtype: refill.card.series
    """
    wizard = env['refill.card.generate'].create({'quantity': quantity, 'price': PRICE})
    return env['refill.card.series'].sudo().create(wizard._prepare_series_values())
