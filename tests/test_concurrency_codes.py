from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger
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
