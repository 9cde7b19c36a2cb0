from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestRedeem(RefillCardCommon):
    def test_a_typing_error_is_refused_and_written_down(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        self._assert_refused('typo', cards.redeem_code, 'QUICK-7K2M', self.customer.id)

    def test_an_employee_without_the_right_cannot_redeem(self):
        card = self._generate_card()
        with self.assertRaises(AccessError):
            self._redeem(card, user=self.employee)
        self.assertEqual(card.state, 'active')

    def test_a_redeemed_card_is_a_posted_payment(self):
        card = self._generate_card()
        payment = self._redeem(card)
        self.assertRecordValues(
            card,
            [{'state': 'used', 'partner_id': self.customer.id, 'used_by_id': self.clerk.id}],
        )
        self.assertEqual(card.payment_id, payment)
        self.assertRecordValues(
            payment, [{'state': 'paid', 'amount': 25, 'memo': card.name, 'payment_type': 'inbound'}]
        )
        self.assertEqual(payment.payment_method_line_id.name, "Refill Card")
        self.assertEqual(payment.move_id.state, 'posted')
        self.assertEqual(self.customer.credit, -25)

    def test_a_used_card_is_refused(self):
        card = self._generate_card()
        self._redeem(card)
        self._assert_refused('used', self._redeem, card, partner=self.stranger)
