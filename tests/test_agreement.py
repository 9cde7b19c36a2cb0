import psycopg2
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestAgreement(RefillCardCommon):
    """What a company and a reseller of its cards have agreed on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reseller = cls.env['res.partner'].create({'name': "Kiosk", 'is_company': True})
        cls.agreements = cls.env['refill.card.agreement'].with_user(cls.accountant)

    def _agree(self, **values):
        return self.agreements.create({'partner_id': self.reseller.id, **values})

    def test_an_accountant_agrees_on_the_resellers_form(self):
        self.accountant.group_ids += self.env.ref('base.group_partner_manager')
        with Form(self.reseller.with_user(self.accountant)) as form:
            with form.refill_card_agreement_ids.new() as agreement:
                agreement.kind = 'commission'
                agreement.percent = 12.5
        agreement = self.agreements._get(self.reseller, self.company)
        self.assertRecordValues(
            agreement,
            [
                {
                    'partner_id': self.reseller.id,
                    'company_id': self.company.id,
                    'percent': 12.5,
                    'settled_by': 'series',
                    'period': 'month',
                }
            ],
        )
        self.assertFalse(self.agreements._get(self.reseller, self.other_company))

    def test_nonsense_is_refused_by_every_door(self):
        sale_tax = self.company_data['default_tax_sale']
        agreement = self._agree()
        for values, sentence in (
            ({'percent': -1}, "between 0 and 100"),
            ({'percent': 100.5}, "between 0 and 100"),
            ({'stock_minimum': -1}, "fewer than 0 cards"),
            ({'partner_id': self.company.partner_id.id}, "its own cards"),
            ({'commission_tax_ids': [Command.set(sale_tax.ids)]}, "taxes on purchases"),
        ):
            for call in (agreement.write, agreement.sudo().write):
                with self.assertRaisesRegex(ValidationError, sentence), self.cr.savepoint():
                    call(values)
            with self.assertRaisesRegex(ValidationError, sentence), self.cr.savepoint():
                self._agree(**{'partner_id': self.stranger.id, **values})
        with mute_logger('odoo.sql_db'), self.assertRaises(psycopg2.IntegrityError):
            with self.cr.savepoint():
                self._agree()

    def test_a_branch_is_no_reseller_of_its_head_office(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        with self.assertRaisesRegex(ValidationError, "its own cards"):
            self._agree(partner_id=branch.partner_id.id)

    def test_a_partner_of_another_company_is_refused(self):
        self.reseller.company_id = self.other_company
        with self.assertRaises(UserError):
            self._agree()

    def test_of_a_contact_or_a_branch_the_whole_company_agrees(self):
        contact = self.env['res.partner'].create({'name': "Kim", 'parent_id': self.reseller.id})
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        agreement = self._agree(partner_id=contact.id, company_id=branch.id)
        self.assertEqual(agreement.partner_id, self.reseller)
        self.assertEqual(agreement.company_id, self.company)
        self.assertEqual(self.agreements._get(contact, branch), agreement)
        agreement.write({'partner_id': contact.id, 'company_id': branch.id})
        self.assertEqual(
            (agreement.partner_id, agreement.company_id), (self.reseller, self.company)
        )

    def test_only_accountants_who_manage_cards_see_agreements(self):
        agreement = self._agree()
        manager = self._new_user('card_manager', 'refill_cards.group_refill_card_manager')
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        other = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, manager, bookkeeper, other):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                agreement.with_user(user).read(['percent'])
        for user in (self.clerk, manager, bookkeeper):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                agreement.with_user(user).create({'partner_id': self.stranger.id})

    def test_cards_are_owed_once_activated_where_they_need_it_or_it_was_agreed(self):
        others = self.env['res.partner'].create([{'name': name} for name in ("By use", "By act")])
        self._agree()
        self._agree(partner_id=others[0].id, settled_by='use')
        self._agree(partner_id=others[1].id, settled_by='activation')
        plain, needing = (self._generate(4, activation_required=needs) for needs in (False, True))
        for series in (plain, needing):
            holders = self.reseller + others
            for card, holder in zip(series.card_ids, holders, strict=False):
                card.sudo()._consign(holder)
        cards = self.env['refill.card'].sudo()
        found = cards.search(self.agreements._get_owed_once_activated_domain())
        expected = plain.card_ids[2] + needing.card_ids[0] + needing.card_ids[2]
        self.assertEqual(found, expected.sudo())
