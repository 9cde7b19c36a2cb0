"""Whoever approves reads to whom codes go; a person who is erased stands in no approval."""

from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL

from ..refill_cards.models import refill_card_approval_recipient
from .test_approval import ApprovalCommon

ADDRESS = 'stranger@example.com'


@tagged('post_install', '-at_install')
class TestRecipients(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stranger.email = ADDRESS
        cls.series = cls._generate(40)
        cls.series.sudo().for_sale = True
        cls._limit('export')
        cls._limit('sale_on_account')

    def _ask_to_send(self):
        sends = self.env['refill.card.send'].with_user(self.accountant)
        send = sends.create(
            {'card_ids': self.series.card_ids.ids, 'partner_ids': self.stranger.ids}
        )
        approval, _action = self.approvals.with_user(self.accountant)._try(send._send)
        return approval.with_user(self.second)

    def _ask_to_sell(self):
        invoice = self._draft(40, refill_card_recipient_id=self.stranger.id)
        return self.approvals.browse(invoice.action_post()['res_id']).with_user(self.second)

    def _erase(self, approval):
        """Delete whom the approval names, as the module Privacy Lookup does."""
        recipients = approval.sudo().recipient_ids
        with patch.object(refill_card_approval_recipient, 'filter_erased', lambda records: records):
            recipients.unlink()
        self.env.flush_all()
        self.env.invalidate_all()

    def _assert_nowhere(self, *told):
        for table in ('refill_card_approval', 'refill_card_approval_recipient'):
            rows = str(self.env.execute_query(SQL("SELECT * FROM %s", SQL.identifier(table))))
            for text in told:
                self.assertNotIn(text, rows)

    def test_names_and_addresses_stand_where_they_can_be_erased_and_nowhere_else(self):
        for ask in (self._ask_to_send, self._ask_to_sell):
            approval = ask().sudo(False)
            self.assertIn(f'"{self.stranger.name}" <{ADDRESS}>', approval.details)
            self._erase(approval)
            self._assert_nowhere(ADDRESS, self.stranger.name)
            self.assertNotIn(ADDRESS, approval.details)
            self.assertNotIn(self.stranger.name, approval.details)
            self.assertIn(self.series.card_ids[0].name, approval.details)

    def test_what_is_done_stays_on_record_when_a_person_is_erased(self):
        approval = self._ask_to_send().sudo(False)
        approval.action_approve()
        approval.with_user(self.accountant).action_run()
        digest = approval.sudo().digest
        events = self.env['refill.card.event'].search([('serial', '=', approval.name)])
        self._erase(approval)
        self.assertEqual((approval.state, approval.sudo().digest), ('done', digest))
        self.assertEqual((approval.summary, approval.card_count), ("Send 40 cards by e-mail", 40))
        self.assertEqual(len(events.exists()), 2)
        with self.assertRaisesRegex(UserError, "cannot be deleted"):
            approval.sudo().unlink()

    def test_a_person_who_is_erased_gets_no_codes_any_more(self):
        for ask, is_approved in (
            (self._ask_to_send, False),
            (self._ask_to_send, True),
            (self._ask_to_sell, False),
        ):
            approval = ask().sudo(False)
            if is_approved:
                approval.action_approve()
            self._erase(approval)
            self.assertEqual(approval.state, 'lapsed')
            with self.assertRaisesRegex(UserError, "cannot be done any more"):
                approval.action_approve()
        self.assertFalse(self.series.card_ids.sending_id)
        self.assertFalse(self.env['refill.card'].search([('reserved_line_id', '!=', False)]))

    def test_a_contact_that_is_renamed_is_shown_by_its_new_name(self):
        approval = self._ask_to_send().sudo(False)
        self.stranger.name = "Anonymous"
        approval.invalidate_recordset()
        self.assertIn(f'"Anonymous" <{ADDRESS}>', approval.details)

    def test_nobody_reads_or_deletes_recipients_by_hand(self):
        recipient = self._ask_to_send().sudo().recipient_ids
        with self.assertRaises(UserError):
            recipient.with_user(self.second).sudo(False).read(['email'])
        with self.assertRaisesRegex(UserError, "cannot be deleted"):
            recipient.unlink()

    def test_privacy_lookup_finds_and_empties_an_approval_that_names_a_person(self):
        if 'privacy.lookup.wizard' not in self.env:
            self.skipTest("Privacy Lookup is not installed")
        approval = self._ask_to_send().sudo(False)
        admin = self.env.ref('base.user_admin')
        admin.company_ids += self.company
        wizards = self.env['privacy.lookup.wizard'].with_user(admin)
        wizards = wizards.with_context(allowed_company_ids=admin.company_ids.ids)
        wizard = wizards.create({'name': self.stranger.name, 'email': ADDRESS})
        wizard.action_lookup()
        self.assertIn('refill.card.approval.recipient', wizard.line_ids.mapped('res_model'))
        wizard.line_ids.action_unlink_all()
        self.env.invalidate_all()
        self._assert_nowhere(ADDRESS)
        self.assertEqual(approval.state, 'lapsed')

    def test_approvals_of_before_name_nobody_any_more(self):
        sent, sold = self._ask_to_send().sudo(), self._ask_to_sell().sudo()
        for approval in (sent, sold):
            line = f'"{self.stranger.name}" <{ADDRESS}>'
            approval.facts = f'{approval.facts}\nThe codes go by e-mail to: {line}'
            self.env.cr.execute('DELETE FROM refill_card_approval_recipient')
            self.env.invalidate_all()
        sent.arguments = {**sent.arguments, 'emails': [ADDRESS]}
        sold.arguments = {**sold.arguments, 'email': ADDRESS}
        for _again in range(2):
            self._migrate('19.0.1.7.0', 'post-approvals')
            for approval in (sent, sold):
                self.assertNotIn(ADDRESS, approval.facts)
                self.assertNotIn(ADDRESS, str(approval.arguments))
                self.assertEqual(approval.recipient_ids.mapped('email'), [ADDRESS])
                self.assertIn(ADDRESS, approval.details)
