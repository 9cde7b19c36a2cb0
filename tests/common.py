import os
from contextlib import closing
from pathlib import Path
from unittest import SkipTest

import pypdfium2
import zxingcpp
from odoo.addons.account.tests.common import AccountTestInvoicingCommon
from odoo.fields import Command, Domain
from odoo.modules.migration import load_script
from odoo.tests import new_test_user
from odoo.tools import SQL
from odoo.tools.misc import file_path

from ..refill_cards.refusals import RefillCardRefused


def scan(content):
    """Return the text of every QR code in a PDF, page by page.

    :param bytes content: the PDF.
    """
    with closing(pypdfium2.PdfDocument(content)) as document:
        return [
            barcode.text
            for page in document
            for barcode in zxingcpp.read_barcodes(
                page.render(scale=3).to_pil(), formats=zxingcpp.BarcodeFormat.QRCode
            )
        ]


def compare_tally(env):
    """Return what the tally of cards says, and what a recount does, leaving out what is 0."""
    env.flush_all()
    tally, cards = (
        env.execute_query(
            SQL(
                "SELECT series_id, state, disable_reason, %(company)s, %(count)s FROM %(table)s"
                " GROUP BY series_id, state, disable_reason, %(company)s HAVING %(count)s <> 0"
                " ORDER BY series_id, state, disable_reason, %(company)s",
                company=SQL(company),
                count=SQL(count),
                table=SQL(table),
            )
        )
        for table, company, count in (
            ('refill_card_tally', 'company_id', 'sum(count)'),
            ('refill_card', 'used_company_id', 'count(*)'),
        )
    )
    return tally, cards


class RefillCardCommon(AccountTestInvoicingCommon):
    """A company with a chart of accounts, a user of each role, a customer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not cls._registry_patched:
            # Refusals are written down through a cursor of their own.
            cls.registry_enter_test_mode_cls()
        cls.company = cls.company_data['company']
        cls.other_company = cls.setup_other_company(name="Daughter")['company']
        cls.other_currency = cls.setup_other_currency('EUR')
        cls.accountant = cls._new_user(
            'accountant',
            'account.group_account_manager',
            company_ids=[Command.set([cls.company.id, cls.other_company.id])],
        )
        cls.clerk = cls._new_user('clerk', 'refill_cards.group_refill_card_user')
        cls.employee = cls._new_user('employee', 'base.group_user')
        cls.customer_user = cls._new_user('customer', 'base.group_portal')
        cls.customer = cls.customer_user.partner_id
        cls.stranger = cls.env['res.partner'].create({'name': "Stranger"})

    @classmethod
    def _new_user(cls, login, groups, **values):
        values.setdefault('company_id', cls.company.id)
        values.setdefault('company_ids', [Command.set([values['company_id']])])
        return new_test_user(
            cls.env, login=f'refill_{login}', groups=groups, password=f'refill_{login}', **values
        )

    @classmethod
    def _activate_language(cls, code):
        """Activate a language, on the websites too where Odoo has that module."""
        language = cls.env['res.lang']._activate_lang(code)
        if 'website' in cls.env:
            cls.env['website'].search([]).language_ids += language
        return language

    @classmethod
    def _generate(cls, quantity=3, user=None, **values):
        """Generate a series through the wizard, as the accountant, and return it."""
        wizard = cls.env['refill.card.generate'].with_user(user or cls.accountant)
        wizard = wizard.create({'quantity': quantity, 'price': 25, 'prefix': 'QUICK', **values})
        action = wizard.action_generate()
        [(_field, _operator, series_id)] = action['domain']
        return wizard.env['refill.card.series'].browse(series_id)

    @classmethod
    def _generate_card(cls, **values):
        """Generate a series of one card and return the card, as the accountant sees it."""
        return cls._generate(quantity=1, **values).card_ids

    def _make_foreign_series(self, case='exact', forms='25'):
        """Make a series with codes of another system, of which there are no cards."""
        self.env['refill.card.series'].sudo().create(
            {
                'state': 'ready',
                'quantity': 1,
                'price': 25,
                'is_foreign': True,
                'code_case': case,
                'code_forms': forms,
            }
        )

    def _invoice(self, amount, due='2026-01-01', partner=None, **values):
        """Return a posted customer invoice, without taxes, due on the day."""
        invoice = self.init_invoice(
            'out_invoice',
            partner=partner or self.customer,
            amounts=[amount],
            taxes=self.env['account.tax'],
            invoice_date='2026-01-01',
            **values,
        )
        invoice.invoice_date_due = due
        invoice.action_post()
        return invoice

    def _sell_cards(self, cards, customer, works='now'):
        """Return a confirmed invoice that sells these cards."""
        products = self.env['product.product'].with_company(self.company)
        product = products._get_refill_card_product(25, self.company.currency_id)
        line = {'product_id': product.id, 'quantity': len(cards)}
        invoice = self.env['account.move'].create(
            {
                'move_type': 'out_invoice',
                'partner_id': customer.id,
                'refill_card_works': works,
                'invoice_line_ids': [Command.create(line)],
            }
        )
        cards.sudo()._reserve(invoice.invoice_line_ids, Domain('id', 'in', cards.ids))
        invoice.action_post()
        return invoice

    def _redeem(self, card, partner=None, user=None):
        """Redeem a card by its code, as the clerk, for the customer; return the payment."""
        code = card.sudo().code
        cards = self.env['refill.card'].with_user(user or self.clerk)
        result = cards.redeem_code(code, (partner or self.customer).id)
        return self.env['account.payment'].browse(result['payment_id'])

    def _assert_tally_is_right(self):
        tally, recount = compare_tally(self.env)
        self.assertEqual(tally, recount)

    def _migrate(self, version, script):
        """Run a script of a migration, such as ``post-words``, as if it came from long before."""
        path = file_path(f'refill_cards/migrations/{version}/{script}.py')
        self.env.flush_all()
        load_script(path, script.replace('-', '_')).migrate(self.cr, '19.0.1.0.0')
        self.env.invalidate_all()

    def _wizard(self, records, operation=None, **values):
        """Return the window that changes cards or whole series, as the records' user."""
        window = records.with_context(default_operation=operation).action_change()
        wizard = records.env['refill.card.change'].browse(window['res_id'])
        wizard.write(values)
        return wizard

    def _change(self, records, operation, **values):
        """Change cards or whole series and return what the user is told."""
        return self._wizard(records, operation, **values).action_confirm()

    def _range(self, first, last, **values):
        """Return the window that changes a range of cards, as the accountant."""
        wizards = self.env['refill.card.change'].with_user(self.accountant)
        return wizards.create({'first': first, 'last': last, **values})

    def _undo(self, card, reason="Wrong customer", user=None):
        """Undo a redemption as the accountant does."""
        wizards = self.env['refill.card.undo'].with_user(user or self.accountant)
        return wizards.create({'card_id': card.id, 'reason': reason}).action_undo()

    def _balance(self, partner=None, company=None):
        """Return what a customer has to their credit, in the company."""
        return (partner or self.customer)._get_refill_card_balance(company or self.company)

    def _assert_refused(self, reason, function, *args, **kwargs):
        """Assert that a call is refused for this reason, and written down; return the error."""
        attempts = self.env['refill.card.attempt'].search_count([])
        refused = None
        try:  # Odoo's assertRaises would roll the attempt back, which has no connection here
            function(*args, **kwargs)
        except RefillCardRefused as caught:
            refused = caught
        self.assertTrue(refused, "not refused")
        self.assertEqual(refused.reason, reason)
        self.assertEqual(self.env['refill.card.attempt'].search_count([]), attempts + 1)
        return refused


class ServesAxe:
    """For tours that check whether everybody can use a page."""

    @classmethod
    def _serve_axe(cls):
        """:raise SkipTest: where axe-core was not fetched."""
        if 'REFILL_CARDS_AXE' not in os.environ:
            raise SkipTest("The sandbox names axe-core in REFILL_CARDS_AXE.")
        cls.env['ir.attachment'].create(
            {
                'name': 'axe.js',
                'url': '/refill_cards_test/axe.js',
                'mimetype': 'text/javascript',
                'raw': Path(os.environ['REFILL_CARDS_AXE']).read_bytes(),
                'public': True,
            }
        )


class ButtonCalls:
    """For tests with a session of the web client."""

    def _call_button(self, records, method, context=None):
        """Call a method as the web client's buttons do; return the action."""
        return self.make_jsonrpc_request(
            f'/web/dataset/call_button/{records._name}/{method}',
            {
                'model': records._name,
                'method': method,
                'args': [records.ids],
                'kwargs': {'context': context or {}},
            },
        )
