from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestAddress(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['ir.config_parameter'].set_param('web.base.url', 'https://books.example.com')
        cls.company.refill_card_portal = True

    def test_what_is_not_the_beginning_of_an_address_is_refused(self):
        for address in (
            'www.example.com',
            'ftp://www.example.com',
            'https://',
            'https://www.example.com/my/refill',
            'https://www.example.com#top',
            'https://www.example.com?a=1',
            'https://user:secret@www.example.com',
            'https://www example.com',
            'https://www.example.com:port',
            'https://[::1',
            'javascript:alert(1)',
        ):
            with (
                self.subTest(address=address),
                self.assertRaisesRegex(ValidationError, "such as https://www.example.com"),
            ):
                self.company.refill_card_address = address

    def test_who_may_not_change_the_company_does_not_change_its_address(self):
        for user in (self.clerk, self.accountant):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.company.with_user(user).refill_card_address = 'https://evil.example.com'

    def test_without_a_setting_it_is_the_address_of_the_server(self):
        company = self.company.with_user(self.clerk)
        self.assertEqual(company._get_refill_card_address(), 'https://books.example.com/my/refill')

    def test_each_company_has_its_own(self):
        self.company.refill_card_address = 'https://cards.example.com:8443/'
        self.assertEqual(
            self.company._get_refill_card_address(), 'https://cards.example.com:8443/my/refill'
        )
        self.assertEqual(
            self.other_company._get_refill_card_address(), 'https://books.example.com/my/refill'
        )

    def test_an_address_that_anybody_reaches_has_no_warning(self):
        for address in ('https://cards.example.com', 'https://93.184.216.34:8443', False):
            self.company.refill_card_address = address
            self.assertFalse(self.company._get_refill_card_address_warning(), address)

    def test_an_address_in_clear_is_warned_of(self):
        self.company.refill_card_address = 'http://cards.example.com'
        self.assertRegex(self.company._get_refill_card_address_warning(), r"^It .*https")

    def test_an_address_within_the_house_is_warned_of(self):
        for host in (
            'localhost:8069',
            'LOCALHOST',
            'odoo',
            'odoo.local',
            'odoo.fritz.lan.',
            'erp.internal',
            '127.0.0.1:8069',
            '10.1.2.3',
            '172.16.0.1',
            '192.168.178.20:8069',
            '169.254.1.1',
            '[::1]:8069',
            '[fd00::1]',
        ):
            with self.subTest(host=host):
                self.company.refill_card_address = f'https://{host}'
                warning = self.company._get_refill_card_address_warning()
                self.assertEqual(warning, f"{host} is only reached from this network.")

    def test_a_portal_without_refill_cards_is_warned_of(self):
        self.company.refill_card_portal = False
        warning = self.company.with_user(self.clerk)._get_refill_card_address_warning()
        self.assertIn(f"The portal of {self.company.name} has no refill cards", warning)

    def test_the_settings_show_default_and_warning(self):
        with Form(self.env['res.config.settings']) as settings:
            self.assertEqual(settings.refill_card_address_default, 'https://books.example.com')
            self.assertFalse(settings.refill_card_address_warning)
            settings.refill_card_portal = False
            settings.refill_card_address = 'https://cards.example.com'
        settings.record.execute()
        self.assertEqual(self.company.refill_card_address, 'https://cards.example.com')
        self.assertIn(
            "no refill cards",
            self.env['res.config.settings'].create({}).refill_card_address_warning,
        )
