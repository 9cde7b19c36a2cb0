"""What the screens look like in the browser, for those who use them."""

import io
import json

import openpyxl
from odoo import http
from odoo.fields import Command
from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestScreensTour(RefillCardCommon, HttpCase):
    def setUp(self):
        super().setUp()
        self.both = self.company + self.other_company
        self.cards = self._generate(3, company_ids=[Command.set(self.both.ids)]).card_ids
        self._redeem(self.cards[0])

    def test_the_accountant_s_lists_windows_and_menu(self):
        for group in ('base.group_system', 'base.group_multi_company'):
            self.accountant.sudo().group_ids += self.env.ref(group)
        tour = 'refill_card_screens_accountant'
        self.start_tour('/odoo/refill-card-series', tour, login=self.accountant.login)

    def test_the_accountant_s_lists_on_a_tablet(self):
        self.browser_size = '768x1024'
        tour = 'refill_card_screens_tablet'
        self.start_tour('/odoo/refill-card-series', tour, login=self.accountant.login)

    def test_the_clerk_s_cards_on_a_phone(self):
        self.browser_size = '375x667'
        self.touch_enabled = True
        tour = 'refill_card_screens_phone'
        self.start_tour('/odoo/refill-cards', tour, login=self.clerk.login)


@tagged('post_install', '-at_install')
class TestListExport(RefillCardCommon, HttpCase):
    def _export(self, records, paths, **values):
        """Export as the web client's list does; return the rows, the titles first."""
        data = {
            'model': records._name,
            'fields': [
                {'name': path, 'label': path, 'type': records._fields[path].type} for path in paths
            ],
            'ids': records.ids,
            'domain': [],
            'groupby': [],
            'import_compat': False,
            'context': {'allowed_company_ids': self.company.ids},
            **values,
        }
        form = {'data': json.dumps(data), 'csrf_token': http.Request.csrf_token(self)}
        response = self.url_open('/web/export/xlsx', data=form)
        self.assertEqual(response.status_code, 200, response.text)
        workbook = openpyxl.load_workbook(io.BytesIO(response.content))
        return list(workbook.active.iter_rows(values_only=True))

    def test_a_list_of_cards_is_exported_without_what_other_companies_did_with_them(self):
        here, there, unused = self._generate(3, company_ids=[Command.clear()]).card_ids
        self._redeem(here)
        other_clerk = self._new_user(
            'daughter', 'refill_cards.group_refill_card_user', company_id=self.other_company.id
        )
        stranger = self.stranger.copy({'company_id': self.other_company.id})
        self._redeem(there, partner=stranger, user=other_clerk)
        secrets = (stranger.name, self.other_company.name)
        cards = here + there + unused
        paths = ['name', 'state', 'partner_id', 'used_by_id', 'used_company_id', 'payment_id']
        for user in (self.clerk, self.accountant):
            user.sudo().group_ids += self.env.ref('base.group_allow_export')
            self.authenticate(user.login, user.login)
            domain = [('id', 'in', cards.ids)]
            for values in (
                {},
                {'ids': False, 'domain': domain},
                {'ids': False, 'domain': domain, 'groupby': ['state']},
                {'ids': False, 'domain': domain, 'groupby': ['partner_id']},
            ):
                with self.subTest(user=user.login, **values):
                    rows = self._export(cards, paths, **values)
                    cells = [str(cell) for row in rows for cell in row]
                    self.assertIn(here.name, cells)
                    self.assertIn(self.customer.name, ' '.join(cells))
                    for secret in secrets:
                        self.assertNotIn(secret, ' '.join(cells))
