import polib
from odoo.modules import get_module_path
from odoo.tests import TransactionCase, tagged
from odoo.tools.translate import TranslationModuleReader


@tagged('post_install', '-at_install')
class TestTranslations(TransactionCase):
    def test_the_template_of_terms_is_up_to_date(self):
        """When it fails: ``python3 sandbox odoo i18n export refill_cards``."""
        rows = list(TranslationModuleReader(self.env.cr, modules=['refill_cards']))
        template = polib.pofile(f'{get_module_path("refill_cards")}/i18n/refill_cards.pot')
        terms = {entry.msgid for entry in template}
        self.assertEqual(terms - {row[4] for row in rows}, set())
        addon = self.env['ir.module.module'].search([('name', '=', 'refill_cards')])
        needed = addon.upstream_dependencies(exclude_states=('uninstallable',)) | addon
        # Other modules give fields with terms to the addon's models.
        names = set(needed.mapped('name'))
        expected = {row[4] for row in rows if self._get_origin(row) in names}
        self.assertEqual(expected - terms, set())

    def _get_origin(self, row):
        """Return the name of the module that brought a term."""
        module, kind, name, xml_id, *_rest = row
        if kind != 'model':
            return module
        model, field = name.split(',')
        if model == 'ir.model.fields':
            described = self.env.ref(xml_id)
            model, field = described.model, described.name
        return self.env[model]._fields[field]._module
