from unittest.mock import patch

from odoo.tests import HttpCase, tagged

from ..refill_cards.models import refill_card_export
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestExportTour(RefillCardCommon, HttpCase):
    def test_a_long_export_shows_its_progress(self):
        admin = self.env.ref('base.user_admin')  # who may also start background jobs
        admin.group_ids += self.env.ref('account.group_account_manager')
        admin.company_ids += self.company
        admin.company_id = self.company
        series = self._generate(quantity=30)
        with (
            patch.object(refill_card_export, 'IMMEDIATE', {'pdf': 0}),
            patch.object(refill_card_export, 'BATCHES', {'pdf': 10}),
        ):
            self.start_tour('/odoo/refill-card-series', 'refill_card_export', login='admin')
        export = self.env['refill.card.export'].search([])
        self.assertRecordValues(
            export,
            [
                {
                    'series_ids': series.ids,
                    'file_format': 'pdf',
                    'card_count': 30,
                    'amount': 750,
                    'state': 'ready',
                }
            ],
        )

    def test_a_layout_shows_its_card_and_refuses_what_cannot_be_printed(self):
        layout = self.env.ref('refill_cards.refill_card_layout_sheet')
        layout.company_id = self.company  # what all companies share is not the accountant's
        self.start_tour(
            '/odoo/refill-card-layouts', 'refill_card_layout', login=self.accountant.login
        )
        self.assertEqual(layout.text, "Only {price}")
