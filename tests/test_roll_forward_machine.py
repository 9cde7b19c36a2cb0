"""What the report says of a past day is what was so then, whatever happens later."""

from collections import Counter
from datetime import timedelta

from freezegun import freeze_time
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from odoo.fields import Date
from odoo.tests import tagged

from .test_money_machine import SETTINGS as MONEY
from .test_money_machine import MoneyCommon, MoneyOfCards

SETTINGS = settings(MONEY, max_examples=8, stateful_step_count=30)


class DaysOfCards(MoneyOfCards):
    """As above, day after day; each day is locked once it is over."""

    def __init__(self):
        self.frozen = freeze_time(Date.to_string(Date.today()) + ' 12:00:00', tick=True)
        self.clock = self.frozen.start()
        super().__init__()
        self.past = {}

    def teardown(self):
        try:
            self._check_days()
        finally:
            self._roll_back()
            self.frozen.stop()

    # Of every four, one goes by.
    @rule(days=st.sampled_from([0, 0, 0, 1, 0, 0, 0, 40]))
    def end_the_day(self, days):
        if not days:
            return
        today = Date.today()
        self.past[today] = self._get_figures(today)
        for company in self.companies:
            company.sudo().fiscalyear_lock_date = today
        self.clock.tick(timedelta(days=days))
        self.env.invalidate_all()

    def _check_days(self):
        """Look at today, and at the days of before once more."""
        self._get_figures(Date.today())
        for day, figures in self.past.items():
            assert self._get_figures(day) == figures, day

    def _get_figures(self, day):
        """Return what is told of a day for each company: of the cards, and of the ledger."""
        figures = []
        for company in self.companies:
            report = self.env['refill.card.roll.forward'].sudo().with_company(company)
            report = report.create({'company_id': company.id, 'date_from': day, 'date_to': day})
            report._fill()
            figures += [
                *((line.name, line.measure, line.end) for line in report.line_ids),
                *((reason.name, reason.kind, reason.end) for reason in report.reason_ids),
                *((debtor.partner_id, debtor.end) for debtor in report.debtor_ids),
            ]
            # The ledger is told apart from the cards, and nothing stays that has no reason.
            assert 'unexplained' not in report.reason_ids.mapped('kind'), figures
        return figures


@tagged('post_install', '-at_install')
class TestRollForwardMachine(MoneyCommon):
    def test_each_past_day_stays_and_each_cent_is_explained(self):
        class Machine(DaysOfCards):
            case = self
            successes = Counter()

        run_state_machine_as_test(Machine, settings=SETTINGS)
        self.assertTrue(Machine.successes['redeem'], Machine.successes)
