"""An API key alone opens no code; whoever looks at many is told of."""

import xmlrpc.client
from datetime import datetime, timedelta

from freezegun import freeze_time
from odoo.tests import HttpCase, JsonRpcException, tagged
from odoo.tools import mute_logger

from .common import ButtonCalls, RefillCardCommon
from .test_guessing import GuessingCommon

NOON = '2026-03-10 12:00:00'


class IdentityCommon(RefillCardCommon, ButtonCalls, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = cls._generate()
        cls.card = cls.series.card_ids[0]
        cls.admin = cls._new_user('admin', 'base.group_system,account.group_account_manager')

    def _call_api(self, user, model, method, **body):
        """Call a method over JSON-2, with an API key of the user's."""
        self.authenticate(None, None)
        keys = self.env['res.users.apikeys'].with_user(user)
        key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        return self.url_open(
            f'/json/2/{model}/{method}', json=body, headers={'Authorization': f'Bearer {key}'}
        )

    def _get_codes(self):
        return self.series.card_ids.sudo().mapped('code')


@tagged('post_install', '-at_install')
class TestApiKey(IdentityCommon):
    def _assert_no_code(self, response):
        for code in self._get_codes():
            self.assertNotIn(code, response.text)
            self.assertNotIn(code.replace('-', ''), response.text)

    def _assert_asked(self, response):
        """Assert that the password is asked for."""
        self._assert_no_code(response)
        self.assertEqual(response.json()['res_model'], 'res.users.identitycheck')

    def test_an_api_key_shows_no_code(self):
        for user in (self.accountant, self.admin):
            for card in self.series.card_ids:
                ids = card.ids
                self._assert_asked(self._call_api(user, card._name, 'action_show_code', ids=ids))
        self.assertFalse(self.series.card_ids.event_ids)

    def test_an_api_key_opens_no_window_that_exports_or_prints(self):
        for records in (self.card, self.series):
            for method in ('action_export', 'action_print'):
                response = self._call_api(self.accountant, records._name, method, ids=records.ids)
                self._assert_asked(response)

    def test_an_api_key_makes_no_file(self):
        wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
        for values in ({}, {'is_protected': True}):
            wizard = wizards.create({'series_ids': self.series.ids, **values})
            for method in ('action_export', 'action_confirm'):
                response = self._call_api(
                    self.accountant,
                    wizard._name,
                    method,
                    ids=wizard.ids,
                    context={'file_password': 'geheim-77'},
                )
                self._assert_asked(response)
        self.assertFalse(self.env['refill.card.export'].search([]))

    @mute_logger('odoo.http', 'odoo.orm.models', 'odoo.models')
    def test_an_api_key_opens_no_file_that_somebody_made(self):
        wizard = self.env['refill.card.export.wizard'].with_user(self.accountant)
        wizard = wizard.create({'series_ids': self.series.ids})
        export = self.env['refill.card.export'].browse(wizard._export()['res_id'])
        content = export.sudo().with_context(bin_size=False).file.decode()
        attachment = (
            self.env['ir.attachment']
            .sudo()
            .search([('res_model', '=', export._name), ('res_field', '=', 'file')])
        )
        attachment.flush_recordset()
        for user in (self.accountant, self.admin):
            for record, fnames in ((export, ('file',)), (attachment, ('datas', 'raw'))):
                for fname in fnames:
                    for method, body in (
                        ('read', {'ids': record.ids, 'fields': [fname]}),
                        ('web_read', {'ids': record.ids, 'specification': {fname: {}}}),
                        ('export_data', {'ids': record.ids, 'fields_to_export': [fname]}),
                        (
                            'search_read',
                            {'domain': [('id', 'in', record.ids)], 'fields': [fname]},
                        ),
                    ):
                        with self.subTest(user=user.login, fname=fname, method=method):
                            response = self._call_api(user, record._name, method, **body)
                            self.assertNotIn(content, response.text)
                            self._assert_no_code(response)

    def test_an_api_key_sends_no_card_to_oneself(self):
        self.accountant.partner_id.email = 'accountant@example.com'
        wizard = self.env['refill.card.send'].with_user(self.accountant)
        wizard = wizard.create(
            {'card_ids': self.card.ids, 'partner_ids': self.accountant.partner_id.ids}
        )
        mails = self.env['mail.mail'].search_count([])
        response = self._call_api(self.accountant, wizard._name, 'action_send', ids=wizard.ids)
        self._assert_asked(response)
        self.assertEqual(self.env['mail.mail'].search_count([]), mails)

    @mute_logger('odoo.http')
    def test_an_api_key_mails_no_code_to_oneself_by_the_template(self):
        self.customer.email = 'customer@example.com'
        cards = self.card.with_user(self.accountant)
        cards._send(self.customer, self.env['refill.card.layout'].search([], limit=1))
        template = self.env.ref('refill_cards.mail_template_refill_card_sending')
        for user in (self.accountant, self.admin):
            response = self._call_api(
                user,
                'mail.template',
                'send_mail',
                ids=template.ids,
                res_id=self.card.sending_id.id,
                email_values={'email_to': 'me@example.com'},
            )
            self._assert_no_code(response)
        mails = self.env['mail.mail'].search([('email_to', '=', 'me@example.com')])
        self.assertEqual(len(mails), 2)
        self.assertFalse(mails.attachment_ids)
        for code in self._get_codes():
            self.assertNotIn(code, str(mails.mapped('body_html')))

    @mute_logger('odoo.http')
    def test_an_api_key_finds_no_code_a_character_at_a_time(self):
        pattern = '?' * 9 + self.card.sudo().code.replace('-', '')[-4:]
        values = {'series_id': self.series.id, 'typed': pattern}
        wizards = self.env['refill.card.find']
        response = self._call_api(self.accountant, wizards._name, 'create', vals_list=[values])
        self.assertEqual(response.status_code, 422)
        self.assertIn("typed their password", response.json()['message'])
        self.assertFalse(wizards.search([]))

    @mute_logger('odoo.http', 'odoo.sql_db')
    def test_an_api_key_reads_masked_codes_only(self):
        card, spec = self.card, {'code': {}}
        redeem = self.env['refill.card.redeem'].with_user(self.accountant)
        redeem = redeem.create({'card_id': card.id})
        for user in (self.accountant, self.admin):
            for model, method, body in (
                (card._name, 'read', {'ids': card.ids, 'fields': ['code']}),
                (card._name, 'web_read', {'ids': card.ids, 'specification': spec}),
                (card._name, 'web_search_read', {'domain': [], 'specification': spec}),
                (card._name, 'export_data', {'ids': card.ids, 'fields_to_export': ['code']}),
                (card._name, 'search_read', {'fields': ['code']}),
                (
                    self.series._name,
                    'web_read',
                    {'ids': self.series.ids, 'specification': {'card_ids': {'fields': spec}}},
                ),
                (
                    redeem._name,
                    'web_read',
                    {'ids': redeem.ids, 'specification': {'card_id': {'fields': spec}}},
                ),
                (
                    redeem._name,
                    'onchange',
                    {
                        'values': {'card_id': card.id},
                        'field_names': ['card_id'],
                        'fields_spec': {'card_id': {'fields': spec}},
                    },
                ),
            ):
                with self.subTest(user=user.login, model=model, method=method):
                    self._assert_no_code(self._call_api(user, model, method, **body))

    @mute_logger('odoo.http', 'odoo.orm.models', 'odoo.addons.rpc.controllers')
    def test_an_api_key_opens_nothing_by_the_old_interfaces_either(self):
        self.accountant.partner_id.email = 'accountant@example.com'
        exports = self.env['refill.card.export.wizard'].with_user(self.accountant)
        finds = self.env['refill.card.find']
        sends = self.env['refill.card.send'].with_user(self.accountant)
        send = sends.create(
            {'card_ids': self.card.ids, 'partner_ids': self.accountant.partner_id.ids}
        )
        typed = '?' * 9 + self.card.sudo().code.replace('-', '')[-4:]
        calls = [
            (self.card, 'action_show_code'),
            *((self.card, name) for name in ('action_export', 'action_print')),
            *((self.series, name) for name in ('action_export', 'action_print')),
            (exports.create({'series_ids': self.series.ids}), 'action_confirm'),
            (exports.create({'series_ids': self.series.ids}), 'action_export'),
            (send, 'action_send'),
            (finds, 'create', {'series_id': self.series.id, 'typed': typed}),
        ]
        for records, method, *values in calls:
            self._assert_closed(records, method, *values or [records.ids])
        self.assertFalse(self.env['refill.card.export'].search([]))
        self.assertFalse(finds.search([]))
        self.assertFalse(self.card.event_ids or self.card.sending_id)
        wizard = exports.create({'series_ids': self.series.ids})
        export = self.env['refill.card.export'].browse(wizard._export()['res_id'])
        attachments = self.env['ir.attachment'].sudo()
        attachment = attachments.search(
            [('res_model', '=', export._name), ('res_field', '=', 'file')]
        )
        attachment.flush_recordset()
        content = export.sudo().with_context(bin_size=False).file.decode()
        for record, fname in ((export, 'file'), (attachment, 'datas'), (attachment, 'raw')):
            for text in self._assert_closed(record, 'read', record.ids, [fname]):
                self.assertNotIn(content, text)

    def _assert_closed(self, records, method, *args):
        """Call a method over JSON-RPC and XML-RPC with an API key; return the answers' texts."""
        self.authenticate(None, None)
        keys = self.env['res.users.apikeys'].with_user(self.accountant)
        key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        call = [self.env.cr.dbname, self.accountant.id, key, records._name, method, list(args)]
        params = {'service': 'object', 'method': 'execute_kw', 'args': call}
        xml = xmlrpc.client.dumps(tuple(call), 'execute_kw')
        texts = []
        for response in (
            self.url_open('/jsonrpc', json={'params': params}),
            self.url_open('/xmlrpc/2/object', xml, headers={'Content-Type': 'text/xml'}),
        ):
            with self.subTest(model=records._name, method=method, url=response.url):
                self.assertRegex(response.text, '"error"|<fault>')
                self._assert_no_code(response)
            texts.append(response.text)
        return texts


@tagged('post_install', '-at_install')
class TestShowCode(IdentityCommon):
    def test_a_code_is_shown_after_the_password_and_not_for_long(self):
        self.authenticate(self.accountant.login, self.accountant.login)
        identity = self._call_button(self.card, 'action_show_code')
        self.assertEqual(identity['res_model'], 'res.users.identitycheck')
        identity = self.env[identity['res_model']].browse(identity['res_id'])
        with mute_logger('odoo.http'), self.assertRaises(JsonRpcException):
            self._call_button(identity, 'run_check', {'password': 'wrong'})
        self.assertFalse(self.card.event_ids)
        action = self._call_button(identity, 'run_check', {'password': self.accountant.login})
        params = {'serial': self.card.name, 'code': self.card.sudo().code}
        self.assertEqual((action['tag'], action['params']), ('refill_card_code', params))
        stored = self.env['res.users.identitycheck'].sudo().search([]).mapped('request')
        self.assertNotIn(params['code'], ''.join(stored))
        self.env.invalidate_all()
        self.assertRecordValues(
            self.card.event_ids, [{'note': "Code shown", 'user_id': self.accountant.id}]
        )
        with freeze_time(datetime.now() + timedelta(minutes=11)):
            self.assertEqual(
                self._call_button(self.card, 'action_show_code')['res_model'],
                'res.users.identitycheck',
            )

    def test_a_damaged_card_is_looked_for_after_the_password(self):
        self.authenticate(self.accountant.login, self.accountant.login)
        finds = self.env['refill.card.find']
        identity = self._call_button(finds, 'action_open')
        identity = self.env[identity['res_model']].browse(identity['res_id'])
        action = self._call_button(identity, 'run_check', {'password': self.accountant.login})
        self.assertEqual(action['res_model'], finds._name)


@tagged('post_install', '-at_install')
class TestPersonAlert(GuessingCommon):
    def _alert(self):
        self.env['refill.card.attempt'].sudo()._cron_alert()
        self.lockouts.invalidate_model()

    def _count_alerts(self):
        activities = self.env['mail.activity'].search_count(
            [('user_id', '=', self.accountant.id), ('summary', 'like', "codes are looked at")]
        )
        mails = self.env['mail.mail'].search_count(
            [
                ('recipient_ids', 'in', self.accountant.partner_id.ids),
                ('subject', 'like', "codes are looked at"),
            ]
        )
        self.assertEqual(activities, mails)
        return activities

    def test_who_looks_at_more_codes_within_an_hour_than_the_setting_is_told_of_once(self):
        series = self._generate(quantity=25)
        self.env['res.config.settings'].create({'refill_card_person_alert': 10}).execute()
        with freeze_time(NOON) as clock:
            for card in series.card_ids[:10]:
                card.action_show_code()
            self._alert()
            self.assertEqual(self._count_alerts(), 0)
            series.card_ids[10].action_show_code()
            self._alert()
            self._alert()
            self.assertEqual(self._count_alerts(), 1)
            clock.tick(timedelta(minutes=61))
            series.card_ids[0].action_show_code()
            self._alert()
            self.assertEqual(self._count_alerts(), 1)
            for card in series.card_ids[:10]:
                card.action_show_code()
            self._alert()
            self.assertEqual(self._count_alerts(), 2)
        activity = self.env['mail.activity'].search([('user_id', '=', self.accountant.id)])[0]
        self.assertIn(f"{self.accountant.name} looked at or guessed 11 codes", activity.note)

    def test_by_default_who_looks_at_more_than_20_codes_is_told_of(self):
        series = self._generate(quantity=21)
        for card in series.card_ids[:20]:
            card.action_show_code()
        self._alert()
        self.assertEqual(self._count_alerts(), 0)
        series.card_ids[20].action_show_code()
        self._alert()
        self.assertEqual(self._count_alerts(), 1)

    def test_codes_that_two_users_look_at_are_not_added_up(self):
        series = self._generate(quantity=20)
        other = self._new_user('other_manager', 'account.group_account_manager')
        for user in (self.accountant, other):
            for card in series.with_user(user).card_ids[:12]:
                card.action_show_code()
        self._alert()
        self.assertEqual(self._count_alerts(), 0)

    def test_who_is_unlocked_again_and_again_is_told_of(self):
        second = self._new_user('second_manager', 'account.group_account_manager')
        with freeze_time(NOON):
            self.assertEqual(self._guess_for_many(21), ['unknown'] * 20 + ['locked_out'])
            self._alert()
            self.assertEqual(self._count_alerts(), 0)
            self._get_lockout(self.clerk).with_user(second).action_unlock()
            self.assertEqual(self._guess_for_many(21), ['unknown'] * 20 + ['locked_out'])
            self._alert()
            self.assertEqual(self._count_alerts(), 1)

    def test_looking_for_a_damaged_card_is_looking_at_codes(self):
        body = self.card.sudo().code.replace('-', '')[-13:]
        finds = self.env['refill.card.find'].with_user(self.accountant)
        finds.create({'series_id': self.card.series_id.id, 'typed': body[:-1] + '?'})
        self.assertEqual(len(self._get_lockout(self.accountant).shown_at), 1)
