"""A company with a second manager accepts cards of others once another manager approves it."""

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from .test_approval import ApprovalCommon


@tagged('post_install', '-at_install')
class TestApprovalAcceptance(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._new_user(
            *('administrator', 'base.group_system,account.group_account_manager'),
            email='administrator@example.com',
        )
        cls.company = cls.company.with_user(cls.administrator)
        daughter_manager = cls._new_user(
            *('daughter_manager', 'account.group_account_manager'),
            company_id=cls.other_company.id,
        )
        windows = cls.env['refill.card.generate'].with_user(daughter_manager)
        values = {'quantity': 100, 'price': 25, 'company_ids': [Command.clear()]}
        _approval, cls.theirs = windows.create(values)._generate()
        cls._limit('generation')

    def _is_accepted(self):
        self.theirs.invalidate_recordset()
        return self.company.sudo(False) in self.theirs.sudo().accepting_company_ids

    def _get_doors(self):
        issuer = self.other_company
        return {
            'all': lambda: self.company.write({'refill_card_accept_all': True}),
            'link': lambda: self.company.write(
                {'refill_card_issuer_ids': [Command.link(issuer.id)]}
            ),
            'set': lambda: self.company.write(
                {'refill_card_issuer_ids': [Command.set(issuer.ids)]}
            ),
            'ids': lambda: self.company.write({'refill_card_issuer_ids': issuer.ids}),
            'assigned': lambda: setattr(self.company, 'refill_card_issuer_ids', issuer),
            'settings': self._accept_in_settings,
            'form': self._accept_all_in_settings,
        }

    def _accept_in_settings(self):
        settings = self.env['res.config.settings'].with_user(self.administrator)
        values = {'refill_card_issuer_ids': [Command.link(self.other_company.id)]}
        settings.create(values).execute()

    def _accept_all_in_settings(self):
        settings = self.env['res.config.settings'].with_user(self.administrator)
        settings.create({'refill_card_accept_all': True}).execute()

    def test_no_door_accepts_cards_of_others_alone(self):
        for door, accept in self._get_doors().items():
            with self.subTest(door):
                accept()
                self.assertFalse(self._is_accepted())
                approval = self._get_waiting().with_user(self.second)
                self.assertRecordValues(
                    approval, [{'kind': 'limits', 'requester_id': self.administrator.id}]
                )
                self.assertIn(self.company.name, approval.details)
                approval.action_refuse()
                self.assertFalse(self._is_accepted())

    def test_cards_of_others_are_accepted_once_it_is_approved(self):
        for door, accept in self._get_doors().items():
            with self.subTest(door):
                accept()
                self._get_waiting().with_user(self.second).action_approve()
                self.assertTrue(self._is_accepted())
                self.company.write(
                    {'refill_card_accept_all': False, 'refill_card_issuer_ids': [Command.clear()]}
                )
                self.assertFalse(self._is_accepted())
        self.assertFalse(self._get_waiting())

    def test_the_rest_of_what_is_written_is_written(self):
        self.company.write({'refill_card_accept_all': True, 'phone': '+1 202 555 0100'})
        self.assertRecordValues(
            self.company, [{'refill_card_accept_all': False, 'phone': '+1 202 555 0100'}]
        )

    def test_a_new_branch_accepts_no_cards_of_others_alone(self):
        companies = self.env['res.company'].with_user(self.administrator)
        branch = companies.create(
            {'name': "Branch", 'parent_id': self.company.id, 'refill_card_accept_all': True}
        )
        self.assertFalse(branch.refill_card_accept_all)
        self._get_waiting().with_user(self.second).action_approve()
        self.assertTrue(branch.refill_card_accept_all)

    def test_what_changed_meanwhile_is_not_accepted(self):
        self.company.write({'refill_card_accept_all': True})
        approval = self._get_waiting().with_user(self.second)
        self.company.sudo().refill_card_issuer_ids = self.other_company
        with self.assertRaisesRegex(UserError, "Something has changed"):
            approval.action_approve()

    def test_fewer_cards_are_accepted_alone_and_without_a_limit_all_are(self):
        self.company.sudo().refill_card_issuer_ids = self.other_company
        self.company.refill_card_issuer_ids = False
        self.company.sudo().refill_card_approval_generation = False
        self.company.refill_card_accept_all = True
        self.assertTrue(self._is_accepted())
        self.assertFalse(self._get_waiting())

    def test_superuser_code_accepts_as_ever(self):
        self.company.sudo().refill_card_accept_all = True
        self.assertTrue(self._is_accepted())
