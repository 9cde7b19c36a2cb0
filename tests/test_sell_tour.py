from odoo.tests import HttpCase, tagged

from .test_sale import SaleCommon


@tagged('post_install', '-at_install')
class TestSellTour(SaleCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kiosk = cls.env['res.partner'].create({'name': "Kiosk", 'is_company': True})
        cls.env['refill.card.agreement'].create(
            {'company_id': cls.company.id, 'partner_id': cls.kiosk.id, 'percent': 10}
        )

    def _generate_for_tour(self, quantity, **values):
        series = self._generate(quantity, **values)
        series.sudo().name = 'TOUR'
        for card in series.card_ids.sudo():
            card._operating().name = f'TOUR-{card.number:06}'
        return series

    def test_cards_are_sold_to_a_reseller_and_work_once_they_are_paid(self):
        series = self._generate_for_tour(3, activation_required=True)
        self.start_tour('/odoo', 'refill_card_sell', login=self.accountant.login)
        self.assertEqual(series.card_ids.mapped('state'), ['active', 'active', 'inactive'])
        self.assertEqual(series.card_ids[:2].holder_id, self.kiosk)
        invoice = series.card_ids[0].sudo().invoice_line_id.move_id
        self.assertEqual(invoice.amount_total, 45)

    def test_a_card_on_consignment_is_redeemed_in_the_portal_and_settled(self):
        series = self._generate_for_tour(2)
        self.start_tour('/odoo', 'refill_card_consign', login=self.accountant.login)
        self.assertEqual(series.card_ids.mapped('terms'), ['consigned', 'consigned'])
        self.company.refill_card_portal = True
        self.authenticate(self.customer_user.login, self.customer_user.login)
        card = series.card_ids[0]
        page = self.url_open('/my/refill')
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        self.url_open('/my/refill', data={'code': card.sudo().code, 'csrf_token': token})
        self.assertEqual(card.state, 'used')
        self.start_tour('/odoo', 'refill_card_settle', login=self.accountant.login)
        line = self.env['account.move.line'].search(
            [('refill_card_role', '=', 'settlement'), ('parent_state', '=', 'posted')]
        )
        self.assertEqual(
            (line.partner_id, line.quantity, line.refill_card_series_id), (self.kiosk, 1, series)
        )
