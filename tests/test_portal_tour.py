from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon

# Of QUICK-7K2M-9XQ4-R3TZD, which the tour types.
BODY = '7K2M9XQ4R3TZD'


@tagged('post_install', '-at_install')
class TestPortalTour(RefillCardCommon, HttpCase):
    def test_a_customer_redeems_a_card_in_the_portal(self):
        self.company.refill_card_portal = True
        card = self._generate_card()
        sealed = self.env['refill.card']._get_sealer().seal(BODY)
        card.sudo().code_sealed = sealed
        self.start_tour('/my', 'refill_card_portal', login=self.customer_user.login)
        self.assertRecordValues(card, [{'state': 'used', 'partner_id': self.customer.id}])
        self.assertEqual(card.payment_id.state, 'paid')

    def test_a_scanned_card_fills_the_field_and_redeems_nothing(self):
        self.company.refill_card_portal = True
        self.browser_js(
            '/my/refill#QUICK-7K2M-9XQ4-R3TZD',
            code="""
                const { value } = document.querySelector("input[name='code']");
                const { hash } = window.location;
                if (value === "QUICK-7K2M-9XQ4-R3TZD" && !hash) {
                    console.log("test successful");
                } else {
                    console.error(`The field holds ${value}, and the address ${hash}.`);
                }
            """,
            ready="Boolean(document.querySelector(\"input[name='code']\")?.value)",
            login=self.customer_user.login,
        )
        self.assertFalse(self.env['refill.card.attempt'].search([]))
