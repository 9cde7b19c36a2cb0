from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestAccountantTour(RefillCardCommon, HttpCase):
    def test_the_accountant_generates_and_redeems(self):
        invoice = self._invoice(10)
        self.start_tour('/odoo', 'refill_card_accountant', login=self.accountant.login)
        series = self.env['refill.card.series'].search([], limit=1)
        self.assertRecordValues(
            series,
            [{'quantity': 5, 'prefix': 'TOUR', 'price': 40, 'used_count': 1, 'active_count': 4}],
        )
        used = series.card_ids.filtered('used_on')
        self.assertEqual(used.partner_id, self.customer)
        self.assertEqual(used.payment_id.state, 'paid')
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._balance(), 30)
