import polib
from odoo.modules import get_module_path
from odoo.tests import TransactionCase, tagged
from odoo.tools.translate import TranslationModuleReader


@tagged('post_install', '-at_install')
class TestTranslations(TransactionCase):
    def test_the_template_of_terms_is_up_to_date(self):
        """When it fails: ``python3 sandbox odoo i18n export refill_cards``."""
        reader = TranslationModuleReader(self.env.cr, modules=['refill_cards'])
        exported = {row[4] for row in reader}
        template = polib.pofile(f'{get_module_path("refill_cards")}/i18n/refill_cards.pot')
        self.assertEqual(sorted({entry.msgid for entry in template}), sorted(exported))
