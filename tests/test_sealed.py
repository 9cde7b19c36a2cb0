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

    def test_history_outlives_cards_and_series_and_names_none_that_is_gone(self):
        cards, series = self._generate(3).card_ids, self._generate(2)
        manager = cards.with_user(self.accountant).env
        (cards + series.card_ids)._log(note="Noted")
        serials = [*cards.mapped('name'), *series.card_ids.mapped('name'), series.name]
        cards[0].unlink()
        self.cr.execute('DELETE FROM refill_card WHERE id = %s', (cards[1].id,))
        series.unlink()
        self.env.invalidate_all()
        events = manager['refill.card.event'].search([('serial', 'in', serials)])
        self.assertEqual(set(events.mapped('serial')), set(serials))
        self.assertEqual(events.card_id, cards[2])
        self.assertEqual(events.series_id, cards[2].series_id)
        shown = {'card_id': {'fields': {'display_name': {}}}, 'series_id': {'fields': {'name': {}}}}
        read = events.web_read(
            {**shown, 'summary': {}, 'user_id': {'fields': {'display_name': {}}}}
        )
        self.assertEqual(len(read), len(events))

    def test_a_company_is_not_deleted_once_the_audit_log_tells_of_it(self):
        company = self.env['res.company'].create({'name': "Short-lived"})
        self.env['refill.card.event'].sudo().create(
            {
                'company_id': company.id,
                'serial': '-',
                'date': '2026-01-01 12:00:00',
                'user_id': self.env.uid,
                'channel': 'backend',
            }
        )
        for user in (self.env.ref('base.user_admin'), self.env.user):
            with self.assertRaisesRegex(UserError, "Archive the company"):
                company.with_user(user).unlink()
            with self.assertRaisesRegex(UserError, "Archive the company"):
                company.with_user(user).sudo().unlink()
        self.env['res.company'].create({'name': "Another"}).unlink()

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
