"""The overview in the browser."""

from functools import wraps
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon, ServesAxe


@tagged('post_install', '-at_install')
class TestDashboardTour(ServesAxe, RefillCardCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._serve_axe()

    def setUp(self):
        super().setUp()
        self.url = '/odoo/refill-card-overview'

    def _make_cards(self):
        cards = self._generate(4).card_ids
        self._sell_cards(cards[:3], self.customer)
        self._redeem(cards[0])

    def test_an_accountant_reads_the_figures_and_opens_their_lists(self):
        self._make_cards()
        self.start_tour('/odoo', 'refill_card_dashboard', login=self.accountant.login)

    def test_it_fits_a_phone(self):
        self._make_cards()
        self.browser_size = '375x667'
        self.touch_enabled = True
        self.start_tour(self.url, 'refill_card_dashboard_phone', login=self.accountant.login)

    def test_a_failure_is_said_and_who_has_no_cards_is_told_how_to_begin(self):
        manager = self._new_user(
            'newcomer', 'account.group_account_manager', company_id=self.other_company.id
        )
        dashboard = self.env.registry['refill.card.dashboard']
        original, failures = dashboard.get_figures, iter([UserError("Out of order")])

        @wraps(original)
        def fail_first(self):
            for failure in failures:
                raise failure
            return original(self)

        with patch.object(dashboard, 'get_figures', fail_first):
            tour = 'refill_card_dashboard_failure'
            self.start_tour(self.url, tour, login=manager.login)
