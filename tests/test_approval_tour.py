from odoo.tests import HttpCase, tagged

from .test_approval import ApprovalCommon


@tagged('post_install', '-at_install')
class TestApprovalTour(ApprovalCommon, HttpCase):
    def test_one_manager_asks_on_the_screen_and_another_one_approves(self):
        self._limit('generation')
        login = self.accountant.login
        self.start_tour('/odoo/refill-card-series', 'refill_card_approval_ask', login=login)
        approval = self._get_waiting()
        self.assertEqual((approval.kind, approval.requester_id), ('generation', self.accountant))
        self.assertFalse(self._count_series())
        login = self.second.login
        self.start_tour('/odoo/refill-card-series', 'refill_card_approval_decide', login=login)
        self.assertEqual((approval.state, approval.decided_by_id), ('done', self.second))
        self.assertEqual(self.env['refill.card.series'].search([]).quantity, 100)
