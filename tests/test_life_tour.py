from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestLifeTour(RefillCardCommon, HttpCase):
    def test_a_range_is_activated_a_card_disabled_as_stolen_and_another_undone(self):
        series = self._generate(3, activation_required=True)
        for card in series.card_ids.sudo():
            card._operating().name = f'TOUR-{card.number:06}'
        self.start_tour('/odoo', 'refill_card_life', login=self.accountant.login)
        undone, stolen, inactive = series.card_ids
        self.assertEqual((undone.state, stolen.state), ('active', 'disabled'))
        self.assertEqual(stolen.disable_reason, 'stolen')
        self.assertEqual(inactive.state, 'inactive')
        self.assertEqual(undone.event_ids[:2].mapped('old_state'), ['active', 'used'])
        self.assertEqual(self._balance(), 0)
