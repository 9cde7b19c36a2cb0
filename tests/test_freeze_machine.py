from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import ClassVar
from unittest.mock import patch

from freezegun import freeze_time
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..refill_cards.refusals import RefillCardRefused
from .test_freeze import LIMIT
from .test_freeze_canary import CanaryCommon
from .test_life_machine import SETTINGS

ACTIONS = [*(['guess'] * 4), *(['good'] * 3), 'canary', 'canary', 'release', 'release', 'wait']
CHANNELS = st.sampled_from(['portal', 'api', 'backend', 'check'])


class FrozenSeries(RuleBasedStateMachine):
    """Anybody types codes of two series, with the prefix or without it; a manager releases them.

    The rules are told here once more, in short, and compared after each step.
    """

    case: ClassVar[CanaryCommon]
    successes: ClassVar[Counter]
    canaries: ClassVar[dict]

    def __init__(self):
        super().__init__()
        self.env = self.case.env
        self.savepoint = self.env.cr.savepoint()
        self.now = datetime(2026, 3, 10, 12)
        self.all_series = [self.case.series, self.case.other_series]
        self.frozen = [False, False]
        self.counted = [[], []]
        self.used = [0, 0]

    def teardown(self):
        self.env.invalidate_all()
        self.savepoint.close(rollback=True)
        self.env.invalidate_all()

    @rule(
        action=st.sampled_from(ACTIONS),
        index=st.integers(0, 1),
        has_prefix=st.booleans(),
        channel=CHANNELS,
        minutes=st.sampled_from([1, 30, 61]),
    )
    def act(self, action, index, has_prefix, channel, minutes):
        with freeze_time(self.now):
            match action:
                case 'wait':
                    self.now += timedelta(minutes=minutes)
                case 'release':
                    self.release(index)
                case _:
                    self.type_code(action, index, has_prefix, channel)
            self.env.invalidate_all()

    def release(self, index):
        with suppress(UserError), self.env.cr.savepoint():
            self.case._release(self.all_series[index])
            assert self.frozen[index]
            self.frozen[index], self.counted[index] = False, []
            self.successes['release'] += 1

    def type_code(self, action, index, has_prefix, channel):
        """Type a code, and compare the answer with what is to be answered."""
        series = self.all_series[index]
        if action == 'guess':
            fmt = series._get_format()
            code = fmt.display(fmt.generate(1)[0])
        elif action == 'canary':
            code = self.canaries[series.id]
        else:
            code = self.case._get_code(series, self.used[index])
        alike = [index] if has_prefix else [0, 1]
        code = code if has_prefix else code.partition('-')[2]
        is_hidden = channel != 'backend' and any(self.frozen[other] for other in alike)
        expected = self.get_answer(action, index, is_hidden, channel)
        customer = self.env['res.partner'].create({'name': "Somebody"})
        answer = self.answer(channel, code, customer)
        assert answer == expected, (action, channel, answer, expected)
        self.successes[action, answer] += 1
        lockouts = self.env['refill.card.lockout'].search([('partner_id', '=', customer.id)])
        assert sum(lockouts.mapped('guesses')) == (answer == 'unknown')
        if answer == 'unknown':
            self.count(alike)

    def get_answer(self, action, index, is_hidden, channel):
        """Return what is to be answered, None where the card is accepted."""
        is_frozen = channel != 'backend' and self.frozen[index]
        if action == 'good' and not is_frozen:
            self.used[index] += channel != 'check'
            return None
        if action == 'canary' and not is_frozen:
            self.frozen[index] = True
            return 'unknown' if channel == 'backend' else 'unavailable'
        return 'unavailable' if is_hidden else 'unknown'

    def count(self, alike):
        for index in alike:
            self.counted[index].append(self.now)
            recent = [when for when in self.counted[index] if when > self.now - timedelta(hours=1)]
            self.frozen[index] |= len(recent) >= LIMIT

    def answer(self, channel, code, customer):
        cards = self.env['refill.card'].with_user(self.case.clerk)
        lockouts = self.env.registry['refill.card.lockout']
        try:
            # Each time it is somebody else somewhere else.
            with patch.object(lockouts, '_get_origin', return_value=f'somewhere {customer.id}'):
                match channel:
                    case 'api':
                        cards.redeem_code(code, customer.id)
                    case 'check':
                        cards.check_code(code, partner_id=customer.id)
                    case 'portal':
                        company = self.case.company
                        cards.sudo()._redeem_code(code, customer, company, channel=channel)
                    case 'backend':
                        windows = self.env['refill.card.redeem'].with_user(self.case.clerk)
                        windows.create({'partner_id': customer.id, 'typed': code}).action_redeem()
        except RefillCardRefused as refused:
            return refused.reason

    @invariant()
    def what_is_frozen_agrees(self):
        with freeze_time(self.now):
            for series, frozen, used in zip(self.all_series, self.frozen, self.used, strict=True):
                assert bool(series.redemption_frozen_since) == frozen
                assert series.used_count == used


@tagged('post_install', '-at_install')
class TestFreezeMachine(CanaryCommon):
    def test_whatever_is_typed_only_what_the_rules_say_is_frozen_and_redeemed(self):
        for name in ('address_guesses', 'typos'):
            self.env['ir.config_parameter'].set_param(f'refill_cards.{name}', '1000')
        for prefix in ('QUICK', 'SLOW'):
            series = self._generate(30, prefix=prefix, canary_count=1)
            setattr(self, 'series' if prefix == 'QUICK' else 'other_series', series)
        canaries = {
            series.id: self._read_rows(series)[0]['Code']
            for series in (self.series, self.other_series)
        }
        # Those of the class would be frozen along.
        self.env['refill.card.series'].search(
            [('company_id', '=', self.company.id), ('id', 'not in', list(canaries))]
        ).unlink()
        machine = type(
            'Machine',
            (FrozenSeries,),
            {'case': self, 'successes': Counter(), 'canaries': canaries},
        )
        run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=5))
        for action in ('release', ('canary', 'unavailable'), ('good', 'unavailable')):
            self.assertTrue(machine.successes[action], action)
