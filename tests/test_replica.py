"""What a streaming replica answers where odoo.conf names one, and what the primary must."""

from unittest.mock import patch

from odoo.http import Request
from odoo.tests import tagged
from odoo.tools import mute_logger

from .test_portal_bought import PAGE as BOUGHT
from .test_portal_bought import BoughtCommon
from .test_portal_reseller import PAGE as RESELLER

PRIMARY, REPLICA = 'primary', 'replica'


@tagged('post_install', '-at_install')
class TestReplica(BoughtCommon):
    """Odoo simulates the replica: a transaction that cannot write."""

    def setUp(self):
        super().setUp()
        self.company.refill_card_portal = True
        self.asked = []
        serve = Request._serve_ir_http

        def note(request, *args):
            self.asked.append(REPLICA if request.env.cr.readonly else PRIMARY)
            return serve(request, *args)

        self.startPatcher(patch.object(Request, '_serve_ir_http', note))

    def _assert_page_answered_by(self, database, url):
        """Assert which database answers all of a request, without another one being asked."""
        self.env.flush_all()
        self.asked.clear()
        response = self.url_open(url, allow_redirects=False)
        self.assertEqual((response.status_code, self.asked), (200, [database]), url)

    def _call(self, *databases, model, method, **kwargs):
        """Return what a method answers to the web client, by one database after the other."""
        self.env.flush_all()
        self.asked.clear()
        answer = self.make_jsonrpc_request(
            f'/web/dataset/call_kw/{model}/{method}',
            {'model': model, 'method': method, 'args': [], 'kwargs': kwargs},
        )
        self.assertEqual(self.asked, [*databases], (model, method))
        return answer

    def test_lists_of_the_portal_are_answered_by_the_replica(self):
        self._redeem(self._buy())
        for url in ('/my/payments', '/my/payments/page/1', BOUGHT):
            with self.subTest(url=url):
                self._assert_page_answered_by(REPLICA, url)

    def test_what_a_customer_does_is_answered_by_the_primary(self):
        card = self._generate_card()
        self._assert_page_answered_by(PRIMARY, '/my/refill')
        self._post(card.sudo().code)
        self.assertEqual(card.state, 'used')
        # The answer is asked for a moment later, when a replica may not know of it yet.
        for url in ('/my/refill/done', f'/my/payments/{card.payment_id.id}/receipt'):
            with self.subTest(url=url):
                self._assert_page_answered_by(PRIMARY, url)

    def test_a_reseller_s_sheet_and_files_are_answered_by_the_replica_and_deeds_are_not(self):
        self._generate_consigned(1)._activate()
        file = self._settle()._get_refill_card_statements()[0]
        self._log_in(self.seller)
        self._assert_page_answered_by(REPLICA, f'{RESELLER}/day')
        self._assert_page_answered_by(REPLICA, f'{RESELLER}/statement/{file.id}')
        self._assert_page_answered_by(PRIMARY, RESELLER)

    def test_overview_lists_and_statistics_are_answered_by_the_replica(self):
        self._redeem(self._generate(2).card_ids[0])
        self._log_in(self.accountant)
        for method in ('get_figures', 'get_owed'):
            self._call(REPLICA, model='refill.card.dashboard', method=method)
        lists = {
            'refill.card': ('name', 'code', 'state', 'price'),
            'refill.card.series': ('name', 'active_count', 'used_count'),
            'refill.card.event': ('serial', 'card_id'),
            'refill.card.unused.value': ('price',),
        }
        for model, fields in lists.items():
            with self.subTest(model=model):
                specification = {field: {} for field in fields}
                self._call(
                    REPLICA,
                    model=model,
                    method='web_search_read',
                    domain=[],
                    specification=specification,
                )
        groups = {'domain': [], 'groupby': ['state'], 'aggregates': ['amount:sum']}
        self._call(REPLICA, model='refill.card.report', method='web_read_group', **groups)

    def test_printing_what_is_owed_is_answered_by_the_replica_and_adding_it_up_is_not(self):
        self._log_in(self.accountant)
        action = self._call(PRIMARY, model='refill.card.roll.forward', method='action_open')
        url = f'/report/html/refill_cards.report_refill_card_roll_forward/{action["res_id"]}'
        self._assert_page_answered_by(REPLICA, url)

    @mute_logger('odoo.http')
    def test_where_wrong_codes_are_counted_the_primary_takes_over(self):
        self._log_in(self.clerk)
        fmt = self._generate()._get_format()
        found = self._call(
            REPLICA,
            PRIMARY,
            model='refill.card',
            method='web_search_read',
            domain=[('code', '=', fmt.display(fmt.generate(1)[0]))],
            specification={'name': {}},
        )
        self.assertFalse(found['records'])
        attempt = self.env['refill.card.attempt'].search([], limit=1)
        self.assertEqual((attempt.reason, attempt.user_id), ('unknown', self.clerk))
