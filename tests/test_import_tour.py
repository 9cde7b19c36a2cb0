from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestImportTour(RefillCardCommon, HttpCase):
    def test_the_accountant_imports_a_table_after_seeing_what_it_holds(self):
        self.start_tour('/odoo', 'refill_card_import', login=self.accountant.login)
        record = self.env['refill.card.import'].search([])
        self.assertEqual(
            (record.state, record.name, record.preset), ('done', 'vouchers.csv', 'splynx')
        )
        self.assertEqual(record.series_ids.card_ids.mapped('state'), ['active', 'active', 'used'])
        self.assertEqual(record.problem_count, 1)
