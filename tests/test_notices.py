"""What other systems are told about cards, and whom it is none of their business to tell."""

import json
from datetime import timedelta
from unittest import SkipTest
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..refill_cards.models import refill_card_outbox
from .common import RefillCardCommon


class NoticesCommon(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cron = cls.env.ref('refill_cards.ir_cron_tell')

    def _run_cron(self):
        self.assertIs(self.cron.method_direct_trigger(), True)
        self.env.invalidate_all()

    def _listen(self, company=None):
        (company or self.company).refill_card_notices = True

    def _count_outbox(self):
        self.env.flush_all()
        return self.env['refill.card.outbox'].sudo().search_count([])

    def _get_notices(self, *kinds, company=None):
        """Return the notices to a company, oldest first, after the job ran."""
        self._run_cron()
        domain = [('company_id', '=', (company or self.company).id)]
        if kinds:
            domain.append(('kind_id.code', 'in', kinds))
        return self.env['refill.card.notice'].search(domain, order='id')

    def _get_kinds(self, company=None):
        return [notice.kind_id.code for notice in self._get_notices(company=company)]

    def _get_data(self, notice):
        return json.loads(notice.body)['data']


@tagged('post_install', '-at_install')
class TestNotices(NoticesCommon):
    def test_nothing_is_written_where_nobody_listens(self):
        self._listen(self.other_company)
        card = self._generate_card()
        self._redeem(card)
        self._undo(card)
        self.assertEqual(self._count_outbox(), 0)
        webhook = (
            self.env['refill.card.webhook']
            .sudo()
            .create({'name': "x", 'url': 'https://example.com', 'company_id': self.company.id})
        )
        self._redeem(card)
        self.assertEqual(self._count_outbox(), 0, "without a secret nothing is sent")
        webhook.salt = 'x'
        webhook.active = False
        self._undo(card)
        self.assertEqual(self._count_outbox(), 0)
        webhook.active = True
        self._redeem(card)
        self.assertEqual(self._count_outbox(), 1)

    def test_the_life_of_a_card_is_told_in_its_order(self):
        self._listen()
        series = self._generate(quantity=2, activation_required=True)
        card, other = series.card_ids
        self._change(series.card_ids, 'activate')
        self._sell_cards(card, self.customer)
        self._redeem(card)
        self._undo(card)
        self._change(card, 'disable', reason='lost')
        self._change(card, 'enable')
        self._change(other, 'deactivate')
        other.action_delete()
        card.sudo().valid_till = fields.Date.add(fields.Date.today(), days=1)
        with patch.object(
            type(card), '_get_westernmost_day', lambda cards: fields.Date.to_date('2999-01-01')
        ):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
        self.assertEqual(
            self._get_kinds(),
            [
                *('generated', 'activated', 'sold', 'redeemed', 'undone', 'disabled', 'activated'),
                *('deactivated', 'deleted', 'expired'),
            ],
        )

    def test_a_redemption_tells_card_customer_and_payment_but_no_code(self):
        self._listen()
        card = self._generate_card()
        self.customer.ref = 'C-1'
        payment = self._redeem(card)
        notice = self._get_notices('redeemed')
        code = card.sudo().code
        self.assertNotIn(code, notice.body)
        self.assertNotIn(self.customer.name, notice.body)
        told = json.loads(notice.body)
        self.assertEqual(told['type'], 'refill_card.redeemed')
        self.assertEqual(told['timestamp'], f'{card.used_on.isoformat()}.000Z')
        self.assertEqual(
            told['data'],
            {
                'company': self.company.id,
                'series': {'id': card.series_id.id, 'name': card.series_id.name},
                'price': 25,
                'currency': card.currency_id.name,
                'channel': 'api',
                'operation': None,
                'cards': [
                    {
                        'id': card.id,
                        'serial': card.name,
                        'from': 'active',
                        'to': 'used',
                        'redeemed_in': self.company.id,
                        'customer': {'id': self.customer.id, 'ref': 'C-1'},
                        'payment': {'id': payment.id, 'name': payment.name},
                    }
                ],
            },
        )
        self.assertEqual((notice.card_ids, notice.card_count), (card, 1))
        self.assertEqual(notice.series_id, card.series_id)
        self.assertRegex(notice.uid, r'^msg_[0-9a-f]{32}$')

    def test_a_redemption_is_told_to_who_redeemed_and_to_who_issued_but_not_its_payment(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        for company in self.company + self.other_company:
            self._listen(company)
        self.other_company.refill_card_issuer_ids = self.company
        self.stranger.company_id = self.other_company
        clerk = self._new_user(
            'their_clerk',
            'refill_cards.group_refill_card_user',
            company_id=self.other_company.id,
        )
        self._redeem(card, self.stranger, user=clerk)
        [theirs] = self._get_notices('redeemed', company=self.other_company)
        [ours] = self._get_notices('redeemed')
        self.assertLessEqual({'customer', 'payment'}, set(self._get_data(theirs)['cards'][0]))
        self.assertEqual(
            set(self._get_data(ours)['cards'][0]), {'id', 'serial', 'from', 'to', 'redeemed_in'}
        )
        self.assertNotEqual(ours.uid, theirs.uid)

    def test_many_cards_are_told_by_few_messages_that_name_each_once(self):
        self._listen()
        series = self._generate(quantity=25)
        with patch.object(refill_card_outbox, 'CARDS_A_MESSAGE', 10):
            self._change(series, 'disable', reason='lost')
        notices = self._get_notices('disabled')
        self.assertIn(len(notices), (3, 4))
        told = [card['serial'] for notice in notices for card in self._get_data(notice)['cards']]
        self.assertEqual(sorted(told), series.card_ids.sorted('name').mapped('name'))
        self.assertEqual(sum(notices.mapped('card_count')), 25)

    def test_what_is_rolled_back_is_not_told(self):
        self._listen()
        card = self._generate_card()
        before = self._count_outbox()
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            self._redeem(card)
            self.assertEqual(self._count_outbox(), before + 1)
            raise ZeroDivisionError
        self.env.invalidate_all()
        self.assertEqual(self._count_outbox(), before)

    def test_a_redemption_takes_no_query_more_whether_or_not_anybody_listens(self):
        *first, quiet, told = self._generate(4).card_ids
        for card in first:
            self._redeem(card)
        counts = []
        for card in (quiet, told):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self._redeem(card)
            self.env.flush_all()
            counts.append(self.env.cr.sql_log_count - before)
            # In SQL: a company that is written empties more caches than that.
            self.env.cr.execute("UPDATE res_company SET refill_card_notices = TRUE")
        self.assertEqual(counts[0], counts[1])
        self.assertEqual(self._count_outbox(), 1)

    # -------------------------------------------------------------------------
    # WHAT NO CARD TELLS
    # -------------------------------------------------------------------------

    def test_a_series_is_told_once_its_cards_are_there(self):
        self._listen()
        series = self._generate(quantity=3, valid_till='2030-12-31')
        notice = self._get_notices('generated')
        data = self._get_data(notice)
        self.assertEqual((data['count'], data['valid_till']), (3, '2030-12-31'))
        self.assertEqual(data['series'], {'id': series.id, 'name': series.name})
        self.assertEqual((notice.card_count, notice.card_ids), (3, series.card_ids.browse()))

    def test_an_export_is_told(self):
        self._listen()
        series = self._generate(3)
        wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
        wizards.create({'series_ids': series.ids})._export()
        data = self._get_data(self._get_notices('exported'))
        self.assertEqual((data['series']['id'], data['count']), (series.id, 3))

    def test_a_deleted_series_is_told_by_its_name(self):
        self._listen()
        series = self._generate(3)
        series_id, name = series.id, series.name
        series.action_delete()
        data = self._get_data(self._get_notices('deleted'))
        self.assertEqual(data['series'], {'id': series_id, 'name': name})

    def _guess(self, count):
        cards = self.env['refill.card'].with_user(self.clerk)
        fmt = self._generate_card().series_id._get_format()
        for body in fmt.generate(count):
            self._assert_refused('unknown', cards.redeem_code, fmt.display(body), self.customer.id)

    def test_a_lockout_is_told_once(self):
        self._listen()
        self._guess(5)
        self._assert_refused(
            'locked_out', self.env['refill.card'].with_user(self.clerk).redeem_code, 'x',
            self.customer.id,
        )  # fmt: skip
        [notice] = self._get_notices('locked_out')
        data = self._get_data(notice)
        self.assertEqual((data['customer'], data['guesses']), (self.customer.id, 5))
        self.assertTrue(data['until'].endswith('Z'))

    def test_refused_codes_are_counted_by_the_hour_and_reason_and_told_once(self):
        self._listen()
        self._guess(2)
        self._assert_refused(
            'typo', self.env['refill.card'].with_user(self.clerk).redeem_code, 'QUICK-1234',
            self.customer.id,
        )  # fmt: skip
        self.assertFalse(self._get_notices('refused'), "the hour is not over")
        attempts = self.env['refill.card.attempt'].sudo().search([('user_id', '=', self.clerk.id)])
        hour = fields.Datetime.now().replace(minute=0, second=0) - timedelta(hours=2)
        attempts.date = hour + timedelta(minutes=59)
        attempts[0].copy({'date': hour + timedelta(minutes=60)})
        for _again in range(2):
            notices = self._get_notices('refused')
            self.assertEqual(len(notices), 2)
        data = self._get_data(notices[0])
        self.assertEqual((data['count'], data['reasons']), (3, {'unknown': 2, 'typo': 1}))
        self.assertEqual(data['from'], f'{hour.isoformat()}Z')
        self.assertNotIn(self.customer.name, notices[0].body)

    def test_many_refused_codes_are_told_to_the_companies_where_they_were_typed(self):
        self._listen()
        self._listen(self.other_company)
        self._guess(3)
        parameters = self.env['ir.config_parameter'].sudo()
        parameters.set_param('refill_cards.alert', 3)
        attempt = self.env['refill.card.attempt'].sudo().search([], limit=1)
        third = self.env['res.company'].create({'name': "Third", 'refill_card_notices': True})
        attempt.copy({'company_id': third.id})
        attempt.copy({'company_id': third.id, 'reason': 'locked_out'})
        attempt.copy({'company_id': third.id, 'date': fields.Datetime.now() - timedelta(hours=2)})
        attempt._cron_alert()
        for company, count in ((self.company, 3), (third, 1)):
            data = self._get_data(self._get_notices('alert', company=company))
            told = {'alert': 'codes_refused', 'count': count, 'user': None}
            self.assertEqual(data, {**told, 'company': company.id})
        self.assertFalse(self._get_notices('alert', company=self.other_company))

    def test_who_guesses_many_codes_is_told_to_the_companies_of_the_user(self):
        self._listen()
        self._listen(self.other_company)
        self.env['ir.config_parameter'].sudo().set_param('refill_cards.person_alert', 2)
        self._guess(3)
        self.env['refill.card.attempt'].sudo()._cron_alert()
        data = self._get_data(self._get_notices('alert'))
        told = {'alert': 'codes_shown', 'count': 3, 'user': self.clerk.id}
        self.assertEqual(data, {**told, 'company': self.company.id})
        self.assertFalse(self._get_notices('alert', company=self.other_company))

    def test_another_subject_tells_its_own_by_the_same_way(self):
        self._listen()
        card, new = self._generate(2).card_ids
        cards = [{'serial': card.name, 'new_serial': new.name}]
        outbox = self.env['refill.card.outbox']
        outbox._tell('replaced', self.company, {'cards': cards}, card.series_id)
        notice = self._get_notices('replaced')
        self.assertEqual(self._get_data(notice)['cards'], cards)
        self.assertEqual(notice.card_ids, card)

    # -------------------------------------------------------------------------
    # WHO SEES THEM
    # -------------------------------------------------------------------------

    def test_notices_are_seen_by_accountants_of_the_company_and_changed_by_nobody(self):
        self._listen()
        card = self._generate_card()
        notice = self._get_notices('generated')
        self.assertEqual(notice.with_user(self.accountant).series_id, card.series_id)
        for user in (self.clerk, self.employee, self.customer_user):
            with self.assertRaises(AccessError):
                notice.with_user(user).read(['body'])
        theirs = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        with self.assertRaises(AccessError):
            notice.with_user(theirs).read(['body'])
        for call in (lambda own: own.write({'body': 'x'}), lambda own: own.unlink()):
            with self.assertRaises(AccessError):
                call(notice.with_user(self.accountant))
        for user in (self.accountant, self.env.ref('base.user_admin')):
            with self.assertRaises(AccessError):
                self.env['refill.card.outbox'].with_user(user).search([])

    def test_old_notices_are_deleted(self):
        self._listen()
        self._generate_card()
        notice = self._get_notices('generated')
        self.env['refill.card.notice'].sudo()._gc_notices()
        self.assertTrue(notice.exists())
        notice.sudo().date -= timedelta(days=31)
        self.env['refill.card.notice'].sudo()._gc_notices()
        self.assertFalse(notice.exists())


@tagged('post_install', '-at_install')
class TestNoticesBesideAutomation(NoticesCommon):
    """Odoo's automation rules, which do not see what happens to cards, see notices."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if 'base.automation' not in cls.env:
            raise SkipTest("Automation rules are not installed.")

    def _make_rule(self, code, trigger='on_create_or_write'):
        model = self.env['ir.model']._get('refill.card.notice')
        return self.env['base.automation'].create(
            {
                'name': "Redeemed",
                'model_id': model.id,
                'trigger': trigger,
                'filter_domain': "[('kind_id.code', '=', 'redeemed')]",
                'action_server_ids': [
                    Command.create(
                        {'name': "x", 'model_id': model.id, 'state': 'code', 'code': code}
                    )
                ],
            }
        )

    def test_a_rule_fires_once_for_each_redemption(self):
        self._listen()
        note = "record.card_ids.partner_id.message_post(body='Welcome: ' + record.card_ids.name)"
        for trigger in ('on_create', 'on_create_or_write'):
            with self.subTest(trigger=trigger):
                rule = self._make_rule(note, trigger)
                card = self._generate_card()
                self._redeem(card)
                for _again in range(2):
                    self._run_cron()
                messages = self.customer.message_ids.filtered(
                    lambda message, name=card.name: name in message.body
                )
                self.assertEqual(len(messages), 1)
                rule.unlink()

    def test_a_rule_that_fails_holds_nothing_up(self):
        self._listen()
        self._make_rule("raise UserError('no')")
        self._redeem(self._generate_card())
        with mute_logger('odoo.addons.refill_cards.refill_cards.models.refill_card_notice'):
            self.assertEqual(self._get_kinds(), ['generated', 'redeemed'])
