from unittest.mock import patch

from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestRedeemTour(RefillCardCommon, HttpCase):
    def _redeem_through_the_screen(self, tour, user):
        """Let the second of three cards be refused for each reason before it is redeemed.

        No window shows beforehand what another tab did meanwhile; the tour is that tab, too, for
        the third card.
        """
        cards = self._generate(3).card_ids
        for card in cards:
            card.sudo()._operating().name = f'TOUR-{card.number:06}'
        cards.series_id.sudo().name = 'TOUR'
        self._redeem(cards[0])
        model = self.env.registry['refill.card']
        turn = model._turn_into_payment
        reasons = ['inactive', 'used', 'disabled', 'expired', 'company', 'busy']
        named = {'expired': {'day': '12/31/2025'}, 'company': {'company': self.company.name}}

        def refuse(card, partner, company, **kwargs):
            if not reasons:
                return turn(card, partner, company, **kwargs)
            reason = reasons.pop(0)
            raise card._refusal(reason, **named.get(reason, {}))

        with patch.object(model, '_turn_into_payment', refuse), mute_logger('odoo.http'):
            self.start_tour('/odoo', tour, login=user.login)
        self.assertFalse(reasons)
        self.assertRecordValues(
            cards[1:],
            [{'state': 'used', 'partner_id': self.customer.id, 'used_by_id': user.id}] * 2,
        )

    def test_a_clerk_is_told_why_a_card_is_refused_and_redeems_it(self):
        self._redeem_through_the_screen('refill_card_redeem_clerk', self.clerk)

    def test_an_accountant_is_told_why_a_card_is_refused_and_redeems_it(self):
        self._redeem_through_the_screen('refill_card_redeem_accountant', self.accountant)
