import re

from odoo.addons.refill_cards.refill_cards.models.res_company_accounts import ACCOUNT_TYPES
from odoo.tests import tagged
from odoo.tools import SQL
from odoo.tools.sql import column_exists, index_exists, rename_column

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestNames(RefillCardCommon):
    """Fields that are called otherwise now."""

    def test_columns_and_their_indexes_go_by_the_new_name(self):
        card = self._generate_card()
        self._redeem(card)
        self.env.flush_all()
        rename_column(self.cr, 'refill_card', 'used_company_id', 'company_id')
        self.cr.execute(
            'CREATE INDEX IF NOT EXISTS refill_card__company_id_index ON refill_card (company_id)'
        )
        rename_column(self.cr, 'refill_card_lockout', 'origin', 'address')
        for _again in range(2):
            self._migrate('19.0.1.2.0', 'pre-names')
            self.assertTrue(column_exists(self.cr, 'refill_card_lockout', 'origin'))
            self.assertTrue(index_exists(self.cr, 'refill_card__used_company_id_index'))
            self.assertEqual(card.used_company_id, self.company)

    def test_what_users_saved_goes_by_the_new_name(self):
        export = self.env['ir.exports'].create({'name': "Used", 'resource': 'refill.card'})
        other = export.copy({'resource': 'refill.card.series'})
        names = ['company_id', 'company_id/name', 'company_ids', 'series_id/company_id']
        for name in names:
            (export + other).export_fields = [(0, 0, {'name': name})]
        saved = self.env['ir.filters'].create(
            {
                'name': "Here",
                'model_id': 'refill.card',
                'domain': '''["|", ("company_id", "=", 1), ('company_id.name', '=', 'x')]''',
                'context': "{'group_by': ['company_id', 'series_id.company_id']}",
                'sort': '["company_id desc"]',
            }
        )
        self._migrate('19.0.1.2.0', 'pre-names')
        self.assertEqual(
            export.export_fields.mapped('name'),
            ['used_company_id', 'used_company_id/name', 'company_ids', 'series_id/company_id'],
        )
        self.assertEqual(other.export_fields.mapped('name'), names)
        self.assertIn('("used_company_id", "=", 1)', saved.domain)
        self.assertIn("('used_company_id.name'", saved.domain)
        self.assertEqual(saved.context, "{'group_by': ['used_company_id', 'series_id.company_id']}")
        self.assertEqual(saved.sort, '["used_company_id desc"]')


@tagged('post_install', '-at_install')
class TestCodes(RefillCardCommon):
    def test_codes_move_into_a_table_of_their_own(self):
        cards = self._generate(3).card_ids
        found = dict(zip(cards, cards.sudo().mapped('code'), strict=True))
        self.cr.execute(
            '''
            ALTER TABLE refill_card ADD COLUMN code_sealed VARCHAR;
            UPDATE refill_card card SET code_sealed = sealed
              FROM refill_card_code code WHERE code.id = card.id;
            DROP TABLE refill_card_code;
            '''
        )
        for _again in range(2):
            self._migrate('19.0.1.5.0', 'pre-codes')
            self.assertFalse(column_exists(self.cr, 'refill_card', 'code_sealed'))
            for card, code in found.items():
                self.assertEqual(card.sudo().code, code)

    def test_no_card_gets_the_code_of_a_canary_of_before(self):
        canaries = self._generate(canary_count=2)._get_canaries()
        self.env.flush_all()
        self.cr.execute('DELETE FROM refill_card_code WHERE id < 0')
        for _again in range(2):
            self._migrate('19.0.1.7.0', 'post-canaries')
            self.cr.execute('SELECT -id FROM refill_card_code WHERE id < 0')
            self.assertEqual({id_ for [id_] in self.cr.fetchall()}, set(canaries.ids))

    def test_the_audit_log_loses_the_foreign_keys_that_cost_most(self):
        self.cr.execute(
            '''
            ALTER TABLE refill_card_event DROP CONSTRAINT IF EXISTS refill_card_event_card_id_fkey;
            ALTER TABLE refill_card_event ADD CONSTRAINT refill_card_event_card_id_fkey
            FOREIGN KEY (card_id) REFERENCES refill_card ON DELETE SET NULL
            '''
        )
        for _again in range(2):
            self._migrate('19.0.1.5.0', 'pre-events')
            self.cr.execute(
                '''
                SELECT conname FROM pg_constraint
                 WHERE conrelid = 'refill_card_event'::regclass AND contype = 'f'
                   AND conname ~ '_(card|series|company|user)_id_fkey' AND conname !~ 'used'
                '''
            )
            self.assertFalse(self.cr.fetchall())


@tagged('post_install', '-at_install')
class TestWords(RefillCardCommon):
    """What the addon wrote into the database, and says otherwise now."""

    def test_the_link_in_the_e_mail_leads_to_the_audit_log(self):
        template = self.env.ref('refill_cards.mail_template_shown_codes')
        right = template.body_html
        template.body_html = right.replace('refill-card-history', 'refill-card-events')
        self.assertNotEqual(template.body_html, right)
        self._migrate('19.0.1.2.0', 'post-words')
        self.assertEqual(template.body_html, right)

    def test_the_plastic_card_has_the_default_instructions_unless_somebody_wrote_others(self):
        former = "Scan the QR code, or type the code at {address}."
        layout = self.env.ref('refill_cards.refill_card_layout_plastic')
        for written, expected in ((former, False), ("Ask Ada.", "Ask Ada.")):
            layout.instructions = written
            self._migrate('19.0.1.2.0', 'post-words')
            self.assertEqual(layout.instructions, expected)

    def test_the_e_mail_with_cards_says_the_message_of_whoever_bought_them(self):
        template = self.env.ref('refill_cards.mail_template_refill_card_sending')
        right = str(template.body_html)
        template.body_html = re.sub(r'<p t-if="object.message"[^>]*?(/>|></p>)', '', right)
        self.assertNotIn('object.message', template.body_html)
        for _time in range(2):
            self._migrate('19.0.1.3.0', 'post-mail')
            self.assertEqual(str(template.body_html).count('t-if="object.message"'), 1)

    def test_companies_of_before_get_their_accounts(self):
        fnames = list(ACCOUNT_TYPES)
        kept = self.other_company.refill_card_gift_account_id
        for version in ('19.0.1.3.0', '19.0.1.4.0'):
            self.company.write(dict.fromkeys(fnames, False))
            self._migrate(version, 'post-accounts')
            self.assertTrue(all(self.company[fname] for fname in fnames))
        self.assertEqual(self.other_company.refill_card_gift_account_id, kept)

    def test_what_cards_say_stays_once_somebody_has_one(self):
        handed_out, free = self._generate(1), self._generate(1)
        handed_out.card_ids._give_away("Fair")
        handed_out.sudo().codes_left_on = False
        self._migrate('19.0.1.3.0', 'post-frozen')
        self.assertTrue(handed_out.is_frozen)
        self.assertFalse(free.is_frozen)


@tagged('post_install', '-at_install')
class TestTally(RefillCardCommon):
    def test_the_tally_begins_with_a_recount(self):
        series = self._generate(2)
        series.card_ids[0].sudo()._change_state('disabled')
        self.env.flush_all()
        for change in ("DELETE FROM refill_card_tally", "UPDATE refill_card_tally SET count = 9"):
            self.env.cr.execute(SQL(change))
            self._migrate('19.0.1.5.0', 'post-tally')
            self._assert_tally_is_right()
        self.assertEqual((series.active_count, series.disabled_count), (1, 1))

    def test_the_tally_learns_why_cards_are_disabled(self):
        series = self._generate(2)
        card = series.card_ids[0].with_user(self.accountant)
        self.assertEqual(card._replace('damaged'), 1)
        self.env.flush_all()
        self.env.cr.execute(SQL("UPDATE refill_card_tally SET disable_reason = NULL"))
        self.env.invalidate_all()
        self.assertEqual((series.replaced_count, series.disabled_count), (0, 1))
        self._migrate('19.0.1.7.0', 'post-tally')
        self.assertEqual((series.replaced_count, series.disabled_count), (1, 0))
        self._assert_tally_is_right()

    def test_series_know_of_cards_that_were_used_and_given_back(self):
        undone, other = self._generate_card(), self._generate_card()
        self._redeem(undone)
        self._undo(undone)
        self.env.flush_all()
        self.env.cr.execute(SQL("UPDATE refill_card SET was_used = NULL"))
        self.env.invalidate_all()
        self.assertFalse(undone.series_id.has_used_cards)
        self._migrate('19.0.1.5.0', 'post-used')
        self.assertTrue(undone.series_id.has_used_cards)
        self.assertFalse(other.series_id.has_used_cards)
