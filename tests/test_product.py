from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestProduct(RefillCardCommon):
    """A product that is a refill card, by whatever door it is made or changed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = cls._new_user('seller', 'base.group_user,product.group_product_manager')
        cls.products = cls.env['product.template'].with_user(cls.seller)

    def _make(self, **values):
        return self.products.create({**self._prepare_values(), **values})

    def _prepare_values(self):
        return {
            'name': "Card of 25",
            'type': 'service',
            'is_refill_card': True,
            'refill_card_price': 25,
        }

    def _sell(self, product, post=True):
        """Return an invoice with the product, as other addons make it."""
        invoice = self.env['account.move'].create(
            {
                'move_type': 'out_invoice',
                'partner_id': self.customer.id,
                'invoice_date': '2026-01-01',
                'invoice_line_ids': [
                    Command.create({'product_id': product.product_variant_id.id, 'quantity': 1})
                ],
            }
        )
        if post:
            invoice.action_post()
        return invoice

    # -------------------------------------------------------------------------
    # WHAT IS REFUSED
    # -------------------------------------------------------------------------

    def test_what_makes_no_card_is_refused_with_a_sentence(self):
        series = self._generate()
        euro = self.other_currency
        for values, sentence in (
            ({'type': 'consu'}, "choose the product type “Service”"),
            ({'refill_card_price': 0}, "more than zero"),
            ({'refill_card_price': -25}, "more than zero"),
            ({'refill_card_price': 10_000_000}, "at the most"),
            ({'refill_card_currency_id': False}, "“Currency of the Face Value” is missing"),
            ({'refill_card_source': False}, "“Cards Come from” is missing"),
            ({'refill_card_works': False}, "“Cards Work” is missing"),
            ({'refill_card_alphabet': False}, "“Characters of the Code” is missing"),
            ({'refill_card_prefix': "é"}, "letters A to Z"),
            ({'refill_card_prefix': "ABCDEFGHIJKLM"}, "up to"),
            ({'refill_card_valid_months': -1}, "has passed"),
            ({'refill_card_valid_months': 2**31 - 1}, "50 years at the most"),
            ({'refill_card_valid_months': 700}, "50 years at the most"),
            ({'refill_card_series_id': series.id, 'refill_card_price': 10}, "another face value"),
            (
                {'refill_card_series_id': series.id, 'refill_card_currency_id': euro.id},
                "another face value",
            ),
        ):
            with self.subTest(values=values, door='create'):
                with self.assertRaisesRegex(ValidationError, sentence), self.cr.savepoint():
                    self._make(**values)
            product = self._make()
            with self.subTest(values=values, door='write'):
                with self.assertRaisesRegex(ValidationError, sentence), self.cr.savepoint():
                    product.write(values)
            with self.subTest(values=values, door='the variant, as superuser'):
                variant = product.sudo().product_variant_id
                with self.assertRaisesRegex(ValidationError, sentence), self.cr.savepoint():
                    variant.write(values)

    def test_a_product_of_a_company_has_no_series_or_layout_of_another(self):
        layout = self.env['refill.card.layout'].create(
            {'name': "Theirs", 'company_id': self.other_company.id}
        )
        series = self._generate()
        for values, company in (
            ({'refill_card_layout_id': layout.id}, self.company),
            ({'refill_card_series_id': series.id}, self.other_company),
        ):
            product = self._make(**values)
            with self.assertRaisesRegex(ValidationError, "belongs to"), self.cr.savepoint():
                product.sudo().company_id = company

    def test_whoever_manages_products_opens_a_card_without_rights_on_cards(self):
        product = self._make(
            refill_card_series_id=self._generate().id,
            refill_card_layout_id=self.env['refill.card.layout'].search([], limit=1).id,
        )
        self.env.invalidate_all()
        with Form(product) as form:
            form.list_price = 30
        self.assertEqual(product.list_price, 30)

    def test_an_import_is_refused_like_a_form(self):
        header = ['name', 'type', 'is_refill_card', 'refill_card_price']
        rows = [["Card", 'service', 'True', '0'], ["Card", 'consu', 'True', '25']]
        for row, sentence in zip(rows, ("more than zero", "Service"), strict=True):
            result = self.products.load(header, [row])
            self.assertFalse(result['ids'])
            self.assertIn(sentence, result['messages'][0]['message'])

    def test_a_product_that_becomes_a_card_must_be_one(self):
        product = self.products.create({'name': "Chair", 'type': 'consu'})
        for values in ({}, {'type': 'service'}, {'refill_card_price': 25}):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                product.write({'is_refill_card': True, **values})
        product.write({'is_refill_card': True, 'type': 'service', 'refill_card_price': 25})

    def test_a_card_is_not_in_the_point_of_sale(self):
        if 'available_in_pos' not in self.products._fields:
            self.skipTest("without Point of Sale")
        with self.assertRaisesRegex(ValidationError, "not sold in the Point of Sale"):
            self._make(available_in_pos=True)
        product = self._make()
        with self.assertRaisesRegex(ValidationError, "not sold in the Point of Sale"):
            product.available_in_pos = True

    def test_what_cards_say_stays_once_they_were_sold(self):
        self._generate(2).sudo().for_sale = True
        product = self._make()
        self.assertFalse(product.is_refill_card_sold)
        product.refill_card_price = 10
        product.refill_card_price = 25
        invoice = self._sell(product)
        product.invalidate_recordset()
        self.assertTrue(product.is_refill_card_sold)
        variant = product.product_variant_id.sudo()
        for values in (
            {'is_refill_card': False},
            {'refill_card_price': 30},
            {'refill_card_currency_id': self.other_currency.id},
        ):
            for records in (product, variant):
                with self.assertRaisesRegex(UserError, "it stays a refill card"):
                    records.write(values)
        product.write({'refill_card_price': 25.0, 'list_price': 24, 'is_refill_card': True})
        invoice.button_draft()
        invoice.unlink()
        product.refill_card_price = 30

    def test_a_series_keeps_the_face_value_of_the_product_that_takes_its_cards(self):
        series = self._generate()
        self._make(refill_card_series_id=series.id)
        with self.assertRaisesRegex(ValidationError, "another face value"):
            series.price = 30

    # -------------------------------------------------------------------------
    # WHAT FOLLOWS
    # -------------------------------------------------------------------------

    def test_taxes_are_the_companies_own_for_cards_whatever_is_chosen(self):
        tax = self.company_data['default_tax_sale']
        exempt = tax.copy({'name': "Not subject", 'amount': 0})
        for product in (
            self._make(),
            self._make(taxes_id=[Command.set(tax.ids)]),
            self._make(company_id=self.company.id),
        ):
            self.assertFalse(product.sudo().taxes_id)
            product.taxes_id = tax
            self.assertFalse(product.sudo().taxes_id)
        theirs = self.products.sudo().create(
            {**self._prepare_values(), 'company_id': self.other_company.id}
        )
        self.company.refill_card_tax_id = exempt
        self.assertEqual(product.sudo().taxes_id, exempt)
        self.assertFalse(theirs.taxes_id)
        self.assertEqual(self._make().sudo().taxes_id, exempt)
        product.taxes_id = [Command.clear()]
        self.assertEqual(product.sudo().taxes_id, exempt)
        plain = self.products.create({'name': "Chair", 'taxes_id': [Command.set(tax.ids)]})
        self.assertIn(tax, plain.taxes_id)
        plain.write({'type': 'service', 'is_refill_card': True, 'refill_card_price': 5})
        self.assertEqual(plain.sudo().taxes_id, exempt)

    def test_a_card_that_is_taxed_at_sale_keeps_its_taxes(self):
        tax = self.company_data['default_tax_sale']
        product = self._make(refill_card_taxed=True, taxes_id=[Command.set(tax.ids)])
        self.assertIn(tax, product.taxes_id)
        product.refill_card_taxed = False
        self.assertFalse(product.sudo().taxes_id)

    def test_a_new_company_brings_no_tax_to_cards(self):
        product = self._make()
        self._create_company(name="Third")
        self.cr.precommit.run()
        self.assertFalse(product.sudo().taxes_id)

    def test_where_all_services_bear_one_rate_new_cards_are_taxed_at_sale(self):
        self.assertFalse(self._make().refill_card_taxed)
        self.company.refill_card_single_purpose = True
        self.assertTrue(self._make().refill_card_taxed)

    def test_whoever_manages_products_makes_a_card_by_the_form(self):
        form = Form(self.products)
        form.name = "Card of 25"
        form.is_refill_card = True
        form.refill_card_price = 25
        form.refill_card_source = 'made'
        form.refill_card_prefix = " quick "
        product = form.save()
        self.assertRecordValues(
            product,
            [
                {
                    'type': 'service',
                    'list_price': 25,
                    'refill_card_works': 'confirmed',
                    'refill_card_currency_id': self.company.currency_id.id,
                    'refill_card_prefix': 'QUICK',
                }
            ],
        )

    def test_drafts_follow_a_product_that_becomes_a_card(self):
        product = self.products.create({'name': "Card", 'type': 'service'})
        invoice = self._sell(product, post=False)
        line = invoice.invoice_line_ids
        self.assertFalse(line.refill_card_role)
        product.write({'is_refill_card': True, 'refill_card_price': 25})
        self.assertEqual(line.refill_card_role, 'sale')
        self.assertFalse(line.tax_ids)
        product.is_refill_card = False
        self.assertFalse(line.refill_card_role)
