from odoo.tests import tagged
from odoo.tools import SQL

from .common import RefillCardCommon
from .consistency import find_contradictions
from .import_common import ImportCommon


@tagged('post_install', '-at_install')
class TestConsistency(RefillCardCommon):
    """What `consistency.py` finds in a database that is not in order."""

    def setUp(self):
        super().setUp()
        self.card, self.other = self._generate(2).card_ids.sudo()
        self._redeem(self.card)
        self.env.flush_all()
        # The database of the tests may hold what other tests have left.
        self.found_before = find_contradictions(self.env)

    def _find(self):
        found = find_contradictions(self.env)
        return [sentence for sentence in found if sentence not in self.found_before]

    def _break(self, query, *values):
        self.env.cr.execute(SQL(query, *values))

    def test_a_database_in_order_has_no_contradictions(self):
        self._redeem(self.other)
        self.env.flush_all()
        self.assertFalse(self._find())

    def test_a_used_card_without_its_payment_is_found(self):
        self._break("UPDATE refill_card SET payment_id = NULL WHERE id = %s", self.card.id)
        self.assertIn(f'used card {self.card.name}', '\n'.join(self._find()))

    def test_a_gap_in_the_numbers_is_found(self):
        move = self.card.payment_id.move_id
        self._break(
            "UPDATE account_move SET sequence_number = sequence_number + 1 WHERE id = %s", move.id
        )
        [gap] = self._find()
        self.assertIn(move.sequence_prefix, gap)

    def test_half_a_series_is_found(self):
        self._break(
            "UPDATE refill_card_series SET generated = 1 WHERE id = %s", self.card.series_id.id
        )
        [half] = self._find()
        self.assertIn("1 of 2", half)

    def test_half_a_file_is_found(self):
        window = self.env['refill.card.export.wizard'].with_user(self.accountant)
        window = window.create({'series_ids': self.card.series_id.ids, 'scope': 'all'})
        export = self.env['refill.card.export'].browse(window._export()['res_id'])
        self.assertFalse(self._find())
        self._break("DELETE FROM refill_card_export_range WHERE export_id = %s", export.id)
        [half] = self._find()
        self.assertIn("0 of 2", half)

    def test_a_change_that_is_not_logged_is_found(self):
        self._break("DELETE FROM refill_card_event WHERE card_id = %s", self.card.id)
        [missing] = self._find()
        self.assertIn(self.card.name, missing)

    def test_counters_that_are_no_recount_are_found(self):
        series = self.card.series_id
        self._break(
            "INSERT INTO refill_card_tally (series_id, state, count) VALUES (%s, 'active', 1)",
            series.id,
        )
        counter, tally = self._find()
        self.assertIn(f"series {series.name} tells 2 active cards and has 1", counter)
        self.assertIn("the tally tells 2 active cards", tally)


@tagged('post_install', '-at_install')
class TestConsistencyOfImports(ImportCommon):
    def test_a_line_of_an_import_that_is_lost_is_found(self):
        lines = "abcDEF11,25\nabcDEF12,25\nabcDEF12,25\nx,25\n"
        record = self._import(f"Code,Price\n{lines}", preset='other', name='whole.csv')
        self.assertFalse([each for each in find_contradictions(self.env) if 'whole.csv' in each])
        self.env.cr.execute("DELETE FROM refill_card_import_problem WHERE line = 5")
        told = [each for each in find_contradictions(self.env) if 'whole.csv' in each]
        self.assertEqual(len(told), 1)
        self.assertIn("of 4 lines 0 wait, 2 are cards and 1 are left out", told[0])
        self.assertEqual(record.state, 'done')
