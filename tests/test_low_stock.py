from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestLowStock(RefillCardCommon):
    """The salesperson is told when a reseller runs low."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.salesperson = cls._new_user('salesperson', 'base.group_user')
        cls.reseller = cls.env['res.partner'].create(
            {'name': "Kiosk", 'is_company': True, 'user_id': cls.salesperson.id}
        )
        cls.agreement = cls.env['refill.card.agreement'].create(
            {
                'partner_id': cls.reseller.id,
                'company_id': cls.company.id,
                'stock_minimum': 3,
            }
        )

    def _consign(self, quantity, **values):
        cards = self._generate(quantity, **{'activation_required': True, **values}).card_ids.sudo()
        cards._consign(self.reseller)
        return cards

    def _run(self):
        """Run the job; return what the salesperson is told."""
        before = self.reseller.activity_ids
        self.env.ref('refill_cards.ir_cron_low_stock').method_direct_trigger()
        self.env.invalidate_all()
        return self.reseller.activity_ids - before

    def test_nobody_is_told_of_a_reseller_who_has_enough_or_none_at_all(self):
        self.assertFalse(self._run())
        self._consign(3)
        self.assertFalse(self._run())

    def test_nobody_is_told_where_there_is_no_limit_or_no_agreement(self):
        self.agreement.stock_minimum = 0
        self._consign(2)
        self.assertFalse(self._run())
        self.agreement.unlink()
        self.assertFalse(self._run())

    def test_the_salesperson_is_told_once_a_fall_and_not_per_card(self):
        cards = self._consign(5)
        cards[:3]._activate()
        [activity] = self._run()
        self.assertEqual(activity.user_id, self.salesperson)
        self.assertEqual(activity.summary, f"Runs low on refill cards of {self.company.name}")
        self.assertIn("25.00: 2 cards left, the limit is 3.", activity.note)
        self.assertFalse(self._run())
        cards[3]._activate()
        self.assertFalse(self._run(), "it is the same fall")
        more = self._consign(2)
        self.assertFalse(self._run())
        more[0]._take_back()
        self.assertEqual(len(self._run()), 1, "it fell again")

    def test_redeemed_and_disabled_cards_are_none_left(self):
        cards = self._consign(5, activation_required=False)
        self._redeem(cards[0])
        self._redeem(cards[1])
        self.assertFalse(self._run())
        cards[2]._disable('lost')
        self.assertEqual(len(self._run()), 1)

    def test_each_face_value_counts_by_itself(self):
        self._consign(4)
        tens = self._consign(3, price=10)
        self.assertFalse(self._run())
        tens._activate()
        [activity] = self._run()
        self.assertIn("10.00: 0 cards left", activity.note)
        self.assertNotIn("25.00", activity.note)

    def test_cards_that_the_reseller_bought_are_none_to_be_replenished(self):
        bought = self._generate(1).card_ids
        self._sell_cards(bought, self.reseller)
        self.assertFalse(self._run())

    def test_cards_of_another_company_do_not_count(self):
        manager = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        self._consign(2, user=manager)
        self.assertFalse(self._run())

    def test_without_a_salesperson_the_accountants_who_manage_cards_are_told(self):
        self._consign(1)
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        self.salesperson.write(
            {
                'company_ids': [Command.set(self.other_company.ids)],
                'company_id': self.other_company.id,
            }
        )
        told = self._run().user_id
        self.assertIn(self.accountant, told)
        self.assertFalse(told & (bookkeeper + manager + self.salesperson + self.clerk))
