from unittest.mock import patch

from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestRedeemTour(RefillCardCommon, HttpCase):
    def _redeem_through_the_screen(self, tour, user):
        """Let the second of two cards be refused for each reason before it is redeemed.

        No window shows beforehand what another tab did meanwhile.
        """
        used, active = self._generate(2).card_ids
        for card in (used, active):
            card.sudo()._operating().name = f'TOUR-{card.number:06}'
        used.series_id.sudo().name = 'TOUR'
        self._redeem(used)
        cards = self.env.registry['refill.card']
        turn = cards._turn_into_payment
        reasons = ['inactive', 'used', 'disabled', 'expired', 'company', 'busy']
        named = {'expired': {'day': '12/31/2025'}, 'company': {'company': self.company.name}}

        def refuse(card, partner, company, **kwargs):
            if not reasons:
                return turn(card, partner, company, **kwargs)
            reason = reasons.pop(0)
            raise card._refusal(reason, **named.get(reason, {}))

        with patch.object(cards, '_turn_into_payment', refuse), mute_logger('odoo.http'):
            self.start_tour('/odoo', tour, login=user.login)
        self.assertFalse(reasons)
        self.assertRecordValues(
            active, [{'state': 'used', 'partner_id': self.customer.id, 'used_by_id': user.id}]
        )

    def test_a_clerk_is_told_why_a_card_is_refused_and_redeems_it(self):
        self._redeem_through_the_screen('refill_card_redeem_clerk', self.clerk)

    def test_an_accountant_is_told_why_a_card_is_refused_and_redeems_it(self):
        self._redeem_through_the_screen('refill_card_redeem_accountant', self.accountant)
