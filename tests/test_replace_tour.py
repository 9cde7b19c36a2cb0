from odoo.tests import tagged

from .common import ServesAxe
from .test_portal_tour import PortalTourCommon


@tagged('post_install', '-at_install')
class TestReplaceTour(ServesAxe, PortalTourCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._serve_axe()

    def test_a_manager_replaces_a_card_and_refuses_a_request(self):
        cards = self._generate(2).card_ids
        cards[0].sudo()._operating().name = 'TOUR-000001'
        requests = self.env['refill.card.replacement.request'].sudo()
        request = requests._ask(
            self.customer, self.company, cards[1].name, "Kiosk", '2026-01-31', b''
        )
        self.start_tour('/odoo', 'refill_card_replace', login=self.accountant.login)
        self.assertEqual(cards.mapped('state'), ['disabled', 'active'])
        self.assertEqual(request.state, 'refused')

    def test_a_customer_asks_for_another_card_on_a_phone(self):
        self.browser_size = '375x667'
        self.touch_enabled = True
        self.start_tour('/my/refill', 'refill_card_replacement', login=self.customer_user.login)
        request = self.env['refill.card.replacement.request'].search([])
        self.assertEqual((request.partner_id, request.bought_at), (self.customer, "Kiosk"))
