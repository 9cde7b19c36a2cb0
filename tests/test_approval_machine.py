from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from freezegun import freeze_time
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .test_approval import ApprovalCommon
from .test_life_machine import SETTINGS as LIFE

ACTIONS = [*(['ask'] * 3 + ['approve'] * 4 + ['refuse', 'withdraw', 'change', 'wait'])]
TRANSITIONS = {
    ('waiting', 'done'),
    ('waiting', 'refused'),
    ('waiting', 'withdrawn'),
    ('waiting', 'lapsed'),
}
SETTINGS = settings(LIFE, max_examples=15, stateful_step_count=20)


class LifeOfApprovals(RuleBasedStateMachine):
    """Three logins of two managers ask, decide, change cards and wait; each card is theirs to
    activate with an approval only.
    """

    case: ClassVar[ApprovalCommon]
    successes: ClassVar[Counter]

    def __init__(self):
        super().__init__()
        case = self.case
        self.env = case.env
        self.savepoint = self.env.cr.savepoint()
        self.clock = freeze_time(fields.Datetime.now())
        self.time = self.clock.start()
        self.users = [case.accountant, case.second, case.twin]
        self.cards = case._generate(4, activation_required=True).card_ids.with_user(case.env.user)
        self.states, self.deadlines = {}, {}

    def teardown(self):
        self.clock.stop()
        self.env.invalidate_all()
        self.savepoint.close(rollback=True)
        self.env.invalidate_all()

    def _get_approvals(self):
        return self.case.approvals.search([('kind', '=', 'activation')], order='id')

    @rule(
        action=st.sampled_from(ACTIONS),
        who=st.integers(0, 2),
        index=st.integers(0, 3),
        count=st.integers(1, 4),
        hours=st.sampled_from([1, 12, 25]),
    )
    def act(self, action, who, index, count, hours):
        user = self.users[who]
        approvals = self._get_approvals().filtered(lambda each: each.state == 'waiting')
        with suppress(UserError), mute_logger('odoo.sql_db'), self.env.cr.savepoint():
            match action:
                case 'ask':
                    self.case._change(self.cards[index : index + count].with_user(user), 'activate')
                case 'change':
                    self.case._change(self.cards[index].with_user(user), 'deactivate')
                case 'wait':
                    self.time.tick(timedelta(hours=hours))
                    self.env.ref('refill_cards.ir_cron_lapse').method_direct_trigger()
                case _ if approvals:
                    approval = approvals[index % len(approvals)]
                    getattr(approval.with_user(user), f'action_{action}')()
            self.env.flush_all()
            self.successes[action] += action in ('ask', 'change', 'wait') or bool(approvals)
        self.env.invalidate_all()

    @invariant()
    def each_is_decided_once(self):
        for approval in self._get_approvals():
            old, new = self.states.get(approval, 'waiting'), approval.state
            assert old == new or (old, new) in TRANSITIONS, (old, new)
            self.states[approval] = new
            self.deadlines.setdefault(approval, approval.deadline)

    @invariant()
    def nobody_approves_what_they_asked_for(self):
        same = [self.case.accountant + self.case.twin, self.case.second]
        for approval in self._get_approvals().filtered(lambda each: each.state == 'done'):
            persons = [
                next(person for person in same if user in person)
                for user in (approval.requester_id, approval.decided_by_id)
            ]
            assert persons[0] != persons[1]
            assert approval.done_on <= self.deadlines[approval]

    @invariant()
    def no_card_works_without_an_approval_for_it(self):
        done = self._get_approvals().filtered(lambda each: each.state == 'done')
        for card in self.cards.filtered(lambda card: card.state == 'active'):
            event = card.sudo().event_ids.filtered(lambda each: each.new_state == 'active')[0]
            approval = done.filtered(lambda each, event=event: each.name == event.reference)
            assert approval.requester_id == event.user_id
            assert card in card.search(approval._get_frozen_domain())


@tagged('post_install', '-at_install')
class TestApprovalMachine(ApprovalCommon):
    def test_whatever_two_managers_do_no_card_works_by_one_of_them_alone(self):
        self.twin = self._new_user(
            'twin', 'account.group_account_manager', email=self.accountant.partner_id.email
        )
        self._limit('activation', 0)

        class Machine(LifeOfApprovals):
            case = self
            successes = Counter()

        run_state_machine_as_test(Machine, settings=SETTINGS)
        self.assertFalse(set(ACTIONS) - Machine.successes.keys(), "never succeeded")
