from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestSealed(RefillCardCommon):
    """The table of the sealed codes."""

    def _get_ids(self):
        self.env.flush_all()
        self.cr.execute('SELECT id FROM refill_card_code')
        return {row[0] for row in self.cr.fetchall()}

    def test_no_one_reaches_the_sealed_codes(self):
        card = self._generate_card()
        self.assertIn(card.id, self._get_ids())
        for user in (self.employee, self.clerk, self.accountant, self.env.ref('base.user_admin')):
            code = self.env['refill.card.code'].with_user(user).browse(card.id)
            for call in (
                lambda code=code: code.read(['sealed']),
                lambda code=code: code.web_read({'sealed': {}}),
                lambda code=code: code.export_data(['sealed']),
                lambda code=code: code.search([]),
                lambda code=code: code.search_count([('sealed', 'like', 'x')]),
                lambda code=code: code.formatted_read_group([], ['sealed']),
                lambda code=code: code.name_search('x'),
                lambda code=code: code.create({'sealed': 'x'}),
                lambda code=code: code.write({'sealed': 'x'}),
                lambda code=code: code.copy(),
                lambda code=code: code.unlink(),
                lambda code=code: code.load(['.id', 'sealed'], [[str(code.id), 'x']]),
            ):
                with self.subTest(user=user.login), self.assertRaises(UserError):
                    call()

    def test_who_gets_a_right_on_the_table_still_reads_no_code(self):
        card = self._generate_card()
        self.env['ir.model.access'].create(
            {
                'name': "All",
                'model_id': self.env['ir.model']._get_id('refill.card.code'),
                'group_id': self.env.ref('base.group_system').id,
                'perm_read': True,
            }
        )
        admin = self.env.ref('base.user_admin')
        code = self.env['refill.card.code'].with_user(admin).browse(card.id)
        for call in (
            lambda: code.read(['sealed']),
            lambda: code.export_data(['sealed']),
            lambda: code.search([('sealed', '=like', 'a%')]),
            lambda: code.formatted_read_group([], ['sealed']),
        ):
            with self.assertRaises(UserError):
                call()

    def test_not_even_the_superuser_changes_sealed_codes(self):
        card = self._generate_card()
        code = self.env['refill.card.code'].sudo().browse(card.id)
        sealed = code.sealed
        for call in (
            lambda: code.create({'sealed': 'x'}),
            lambda: code.write({'sealed': 'x'}),
            lambda: code.copy(),
            lambda: code.unlink(),
        ):
            with self.assertRaises(UserError):
                call()
        self.env.invalidate_all()
        self.assertEqual(code.sealed, sealed)

    def test_codes_go_with_their_cards_by_whatever_way(self):
        others = self._generate(2).card_ids
        cards, series = self._generate(3).card_ids, self._generate(3)
        self.assertEqual(self._get_ids() & set(cards.ids), set(cards.ids))
        gone = [*cards[:2].ids, *series.card_ids.ids]
        cards[0].unlink()
        self.env.flush_all()
        self.cr.execute('DELETE FROM refill_card WHERE id = %s', (cards[1].id,))
        series.unlink()
        self.assertFalse(self._get_ids() & set(gone))
        self.assertEqual(self._get_ids() & {*others.ids, *cards.ids}, {*others.ids, cards[2].id})
        self.assertTrue(cards[2].sudo().code)

    def test_a_change_of_state_leaves_the_sealed_codes_alone(self):
        card = self._generate_card()
        row = 'SELECT ctid, xmin FROM refill_card_code WHERE id = %s'
        self.env.flush_all()
        self.cr.execute(row, (card.id,))
        before = self.cr.fetchone()
        self._redeem(card)
        self.env.flush_all()
        self.cr.execute(row, (card.id,))
        self.assertEqual(self.cr.fetchone(), before)
