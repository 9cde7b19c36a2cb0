"""What cannot be stored is refused with a sentence, through whatever door it comes."""

import struct
import zlib
from base64 import b64encode
from datetime import datetime, timedelta
from io import BytesIO

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import Form, HttpCase, tagged
from odoo.tools import mute_logger
from PIL import Image

from ..refill_cards import codes
from .common import RefillCardCommon


def make_png(width, height):
    """Return the head of a PNG of any size, with little in it."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    head = struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b'\0' * 100)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', head), chunk(b'IDAT', pixels), chunk(b'IEND', b'')]
    )


def make_gif(width, height, frame=None):
    """Return a GIF of any size; its frame may be larger than itself."""
    file = BytesIO()
    Image.new('P', (2, 2)).save(file, 'GIF')
    content = bytearray(file.getvalue())
    content[6:10] = struct.pack('<HH', width, height)
    if frame:
        start = content.index(b'\x2c')
        content[start + 5 : start + 9] = struct.pack('<HH', *frame)
    return bytes(content)


@tagged('post_install', '-at_install')
class TestStorable(RefillCardCommon):
    def _get_models(self):
        return [self.env[name] for name in self.env.registry if name.startswith('refill.card')]

    def test_a_nul_in_any_text_field_is_refused_with_a_sentence(self):
        checked = 0
        for model in self._get_models():
            for fname, field in model._fields.items():
                if field.type not in ('char', 'text', 'html') or fname == 'display_name':
                    continue
                for value in ('a\0b', '\ud800'):
                    for call in (
                        lambda model=model, vals={fname: value}: model.create(vals),
                        lambda model=model, vals={fname: value}: model.write(vals),
                        lambda model=model, vals={fname: value}: model.onchange(vals, [], {}),
                    ):
                        with (
                            self.subTest(model=model._name, fname=fname),
                            self.assertRaises(UserError),
                        ):
                            call()
                        checked += 1
        self.assertGreater(checked, 100)

    def test_a_nul_is_refused_by_import_and_in_settings(self):
        layouts = self.env['refill.card.layout'].with_user(self.accountant)
        [message] = layouts.load(['name'], [['a\0b']])['messages']
        self.assertIn("is no text", message['message'])
        with self.assertRaisesRegex(UserError, "is no text"):
            self.env['res.config.settings'].create({'refill_card_portal_help': 'a\0b'})
        with self.assertRaisesRegex(UserError, "is no text"):
            self.company.refill_card_portal_help = 'a\0b'

    def test_a_nul_in_a_search_is_refused_with_a_sentence(self):
        for model, domain in (
            ('refill.card', [('name', '=', 'a\0b')]),
            ('refill.card', ['|', ('name', 'ilike', 'a\0b'), ('code', '=', 'x')]),
            ('refill.card.series', [('name', 'in', ['a', 'a\0b'])]),
        ):
            with self.subTest(domain=domain), self.assertRaisesRegex(UserError, "is no text"):
                self.env[model].with_user(self.clerk).search(domain)

    def test_a_picture_that_would_fill_the_memory_is_refused_with_a_sentence(self):
        layout = self.env['refill.card.layout'].with_user(self.accountant).search([], limit=1)
        pictures = {
            'png': make_png(20_000, 20_000),
            'gif': make_gif(20_000, 20_000),
            'frame': make_gif(2, 2, frame=(20_000, 20_000)),
            'larger than Odoo takes': make_png(9_000, 9_000),
            'broken': make_png(100, 100)[:-30],
        }
        for name, picture in pictures.items():
            value = b64encode(picture).decode()
            for fname in ('logo', 'background'):
                for call in (
                    lambda vals={fname: value}: layout.write(vals),
                    lambda vals={fname: value}: layout.create({'name': "x", **vals}),
                    lambda vals={fname: value}: layout.copy(vals),
                    lambda vals={fname: value}: layout.onchange(vals, list(vals), {}),
                ):
                    with (
                        self.subTest(name=name, fname=fname),
                        self.assertRaisesRegex(UserError, "too large or damaged"),
                    ):
                        call()

    def test_an_ordinary_picture_is_taken(self):
        layout = (
            self.env['refill.card.layout'].with_user(self.accountant).search([], limit=1).copy()
        )
        for kind in ('PNG', 'GIF', 'JPEG'):
            file = BytesIO()
            Image.new('RGB', (40, 30), 'white').save(file, kind)
            with Form(layout) as form:
                form.background = b64encode(file.getvalue()).decode()
            self.assertTrue(layout.background)


@tagged('post_install', '-at_install')
class TestStorableApi(RefillCardCommon, HttpCase):
    @mute_logger('odoo.http')
    def test_the_api_answers_a_nul_with_a_sentence(self):
        keys = self.env['res.users.apikeys'].with_user(self.accountant)
        key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        for model, method, body in (
            ('refill.card.layout', 'create', {'vals_list': [{'name': 'a\0b'}]}),
            ('refill.card.undo', 'create', {'vals_list': [{'reason': 'a\0b'}]}),
            ('refill.card', 'search', {'domain': [('name', '=', 'a\0b')]}),
            ('refill.card', 'redeem_code', {'code': 'a\0b'}),
        ):
            with self.subTest(model=model, method=method):
                response = self.url_open(
                    f'/json/2/{model}/{method}',
                    json=body,
                    headers={'Authorization': f'Bearer {key}'},
                )
                self.assertEqual(response.status_code, 422)
                self.assertNotIn('Error', response.json()['message'])


@tagged('post_install', '-at_install')
class TestWithoutKey(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = cls._generate()
        cls.card = cls.series.card_ids[0]

    def setUp(self):
        super().setUp()
        self.key = None
        self.patch(self.registry['refill.card.key'], '_get_server_key', lambda model: self.key)
        self.env['ir.config_parameter'].set_param('refill_cards.key', False)

    def _each_key(self):
        """Go through no key, malformed ones, and another one."""
        for key in (None, '', 'nonsense', '12', True, codes.generate_key()):
            with self.subTest(key=str(key)[:10]):
                self.key = key
                self.env.invalidate_all()
                yield

    def test_lists_and_forms_open_with_masked_codes_and_a_warning(self):
        for user in (self.accountant, self.clerk):
            cards = self.env['refill.card'].with_user(user)
            for _key in self._each_key():
                spec = {'name': {}, 'code': {}, 'key_problem': {}}
                found = cards.web_search_read([('series_id', '=', self.series.id)], spec)
                self.assertEqual(found['length'], 3)
                for values in found['records']:
                    self.assertEqual(set(values['code']) - set('QUICK-'), {codes.MASK})
                    self.assertIn("The key for refill card codes", values['key_problem'])
                self.assertEqual(Form(cards.browse(self.card.id)).code, values['code'])
                self.assertTrue(self.env['ir.http'].with_user(user)._get_refill_card_session_info())

    def test_cards_are_counted_and_disabled(self):
        for _key in self._each_key():
            self.assertEqual(self.series.active_count, 3)
        self._change(self.card, 'disable', reason='lost')
        self.assertEqual(self.card.state, 'disabled')
        self.series.invalidate_recordset()
        self.assertEqual((self.series.disabled_count, self.series.disabled_amount), (1, 25))

    def test_a_code_is_answered_by_a_sentence(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        [body] = self.series._get_format().generate(1)
        code = self.series._get_format().display(body)
        for _key in self._each_key():
            for call in (
                lambda: cards.redeem_code(code, self.customer.id),
                lambda: cards.search([('code', '=', code)]),
                lambda: self.card.action_show_code(),
            ):
                with self.assertRaisesRegex(UserError, "The key for refill card codes"):
                    call()
        self.assertFalse(self.env['refill.card.lockout'].search([]))

    def test_one_card_of_another_database_spoils_no_list(self):
        self.env['ir.config_parameter'].set_param('refill_cards.key', codes.generate_key())
        self.key = codes.generate_key()
        self.env['refill.card.key']._adopt()
        with self.assertLogs('odoo.addons.refill_cards', 'WARNING'):
            self.assertEqual(set(self.card.with_user(self.clerk).code), set('QUICK-' + codes.MASK))

    def test_jobs_note_the_problem_and_go_on(self):
        wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
        wizard = wizards.create({'series_ids': [Command.set(self.series.ids)]})
        for _key in self._each_key():
            export = self.env['refill.card.export'].sudo().create(wizard._prepare_export_values())
            self.env.ref('refill_cards.ir_cron_export').method_direct_trigger()
            self.assertEqual(export.state, 'failed')
            self.assertIn("The key for refill card codes", export.problem)
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
