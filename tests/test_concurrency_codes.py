from contextlib import closing

from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.modules.migration import load_script
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger
from odoo.tools.misc import file_path
from psycopg2 import OperationalError

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyCodes(ConcurrencyCase):
    def _open_codes(self, env, series_id):
        """Open the codes of a series as exports, prints and e-mails do; return its only row."""
        rows = env['refill.card']._iterate_rows(Domain('series_id', '=', series_id), 10)
        return next(rows)[0]

    def test_a_price_does_not_change_while_the_codes_are_exported(self):
        series_id = self._generate()
        with self._transaction() as exporting:
            row = self._open_codes(exporting, series_id)
            with self._in_background(
                *(self._request, 'refill.card.series', 'write', [series_id], {'price': 50})
            ) as change:
                self._wait_until_blocked_by(exporting, change)
                exporting.cr.commit()
        with self.assertRaisesRegex(UserError, "stay as they are"):
            change.result()
        with self._committing() as env:
            self.assertEqual(env['refill.card.series'].browse(series_id).price, row.price)

    def test_an_export_does_not_tell_the_price_of_before(self):
        series_id = self._generate()
        with self._transaction() as exporting:
            exporting.execute_query(SQL("SELECT 1"))  # from here on it sees the price of before
            self._request('refill.card.series', 'write', [series_id], {'price': 50})
            with mute_logger('odoo.sql_db'), self.assertRaises(OperationalError):
                self._open_codes(exporting, series_id)
            exporting.cr.rollback()
            self.assertEqual(self._open_codes(exporting, series_id).price, 50)


@tagged('post_install', '-at_install')
class TestConcurrencyUpdate(ConcurrencyCase):
    """Another server still runs while the codes move into a table of their own."""

    def setUp(self):
        super().setUp()
        path = file_path('refill_cards/migrations/19.0.1.5.0/pre-codes.py')
        self.migrate = load_script(path, 'pre_codes').migrate
        self._execute(
            """
            CREATE SCHEMA refill_before;
            CREATE TABLE refill_before.refill_card (id INTEGER, code_sealed VARCHAR, state VARCHAR);
            INSERT INTO refill_before.refill_card VALUES (1, 'sealed', 'active')
            """
        )
        self.addCleanup(self._execute, 'DROP SCHEMA refill_before CASCADE')

    def _execute(self, statement):
        with self.registry.cursor() as cr:
            cr.execute(statement)

    def _update_after(self, statement):
        """Move the codes, after another server's statement that this transaction does not see."""
        with closing(self.registry.cursor()) as cr, mute_logger('odoo.sql_db'):
            cr.execute('SET LOCAL search_path = refill_before')
            cr.execute('SELECT FROM refill_card')
            self._execute(statement)
            self.migrate(cr, '19.0.1.4.0')
            cr.execute('SELECT id, sealed FROM refill_card_code')
            return cr.fetchall()

    def test_codes_move(self):
        self.assertEqual(self._update_after('SELECT 1'), [(1, 'sealed')])

    def test_an_update_does_not_lose_what_another_server_just_wrote(self):
        for statement in (
            "INSERT INTO refill_before.refill_card VALUES (2, 'new', 'active')",
            "UPDATE refill_before.refill_card SET state = 'used'",
        ):
            with self.subTest(statement), self.assertRaisesRegex(UserError, "Stop every server"):
                self._update_after(statement)

    def test_an_update_waits_for_another_server(self):
        with closing(self.registry.cursor()) as cr, self._transaction() as other:
            other.cr.execute("UPDATE refill_before.refill_card SET state = 'used'")
            cr.execute("SET LOCAL lock_timeout = '100ms'")
            cr.execute('SET LOCAL search_path = refill_before')
            with mute_logger('odoo.sql_db'), self.assertRaises(OperationalError):
                self.migrate(cr, '19.0.1.4.0')
