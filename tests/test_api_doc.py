from odoo.addons.api_doc.controllers.api_doc import parse_signature
from odoo.tests import tagged

from .common import RefillCardCommon

METHODS = (
    'activate',
    'check_code',
    'disable',
    'export',
    'generate',
    'redeem_code',
    'redeem_codes',
    'sell',
)


@tagged('post_install', '-at_install')
class TestApiDoc(RefillCardCommon):
    """What programs call reads well at /doc."""

    def test_every_method_says_what_it_takes_returns_and_raises(self):
        cards = self.env.registry['refill.card']
        for name in METHODS:
            with self.subTest(name), self.assertNoLogs('odoo.addons.api_doc', 'WARNING'):
                doc = parse_signature(getattr(cards, name)).as_dict()
                self.assertTrue(doc['doc'])
                for parameter, about in doc['parameters'].items():
                    self.assertTrue(about.get('doc') and about.get('annotation'), parameter)
                self.assertTrue(doc['return']['doc'] and doc['return']['annotation'])
                self.assertIn('AccessError', doc['raise'])
                self.assertEqual(doc['api'], ['model'])
                self.assertNotIn('system-message', str(doc))
