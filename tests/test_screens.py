"""What the screens of the backend offer, each as the user who sees it."""

import re
from datetime import timedelta

from lxml import etree
from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import Form, tagged
from odoo.tools import format_date
from odoo.tools.safe_eval import safe_eval

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestScreens(RefillCardCommon):
    # -------------------------------------------------------------------------
    # MENUS
    # -------------------------------------------------------------------------

    def _load_menus(self, user):
        return self.env['ir.ui.menu'].with_user(user).load_web_menus(False)

    def test_the_clerk_s_app_opens_on_the_cards(self):
        menus = self._load_menus(self.clerk)
        app = menus[self.env.ref('account.menu_finance').id]
        cards = self.env.ref('refill_cards.refill_card_action')
        self.assertEqual((app['actionModel'], app['actionID']), (cards._name, cards.id))
        sections = [menus[menu]['xmlid'] for menu in app['children']]
        self.assertEqual(sections, ['refill_cards.menu_refill_cards'])

    def test_who_may_change_settings_finds_them_beside_the_cards(self):
        settings = self.env.ref('refill_cards.menu_refill_card_settings').id
        self.assertNotIn(settings, self._load_menus(self.accountant))
        self.accountant.sudo().group_ids += self.env.ref('base.group_system')
        self.assertIn(settings, self._load_menus(self.accountant))

    def test_links_in_e_mails_lead_to_lists(self):
        templates = self.env['mail.template'].search([('name', '=like', 'Refill Cards:%')])
        paths = re.findall(r'/odoo/([\w-]+)', ''.join(templates.mapped('body_html')))
        self.assertGreaterEqual(len(paths), 2)
        for path in paths:
            self.assertTrue(self.env['ir.actions.act_window'].search([('path', '=', path)]), path)

    # -------------------------------------------------------------------------
    # LISTS
    # -------------------------------------------------------------------------

    def _check_search_view(self, model, user):
        """Search with each filter and each group that the user is offered."""
        records = self.env[model].with_user(user)
        view = records.get_views([(False, 'search')])['views']['search']
        filters = etree.fromstring(view['arch']).findall('.//filter')
        for node in filters:
            name = node.get('name')
            with self.subTest(model=model, user=user.login, filter=name):
                if node.get('domain'):
                    records.search(safe_eval(node.get('domain')), limit=1)
                if node.get('context'):
                    group = safe_eval(node.get('context'))['group_by']
                    records.formatted_read_group([], [group], ['__count'])
        return {node.get('name') for node in filters}

    def test_lists_are_tiles_on_phones_and_keep_their_buttons_on_tablets(self):
        actions = self.env['ir.actions.act_window'].search([('path', '=like', 'refill-card%')])
        layouts = self.env.ref('refill_cards.refill_card_layout_action')
        self.assertIn('kanban', layouts.view_mode.split(','))
        laws = self.env.ref('refill_cards.refill_card_validity_law_action')
        actions -= layouts + laws  # two short columns; and lines that are edited in the list
        self.assertEqual(len(actions), 18)
        for action in actions:
            records = self.env[action.res_model].with_user(self.accountant)
            with self.subTest(model=action.res_model):
                self.assertIn('kanban', action.view_mode.split(','))
                views = records.get_views([(False, 'list'), (False, 'kanban')])['views']
                self.assertIn('js_class="refill_card_list"', views['list']['arch'])
                list_ = etree.fromstring(views['list']['arch'])
                menus = list_.findall('widget[@name="refill_card_row_menu"]')
                self.assertEqual(bool(menus), bool(list_.findall('button')))
                for field in list_.findall('field'):
                    if 'wide' in field.get('options', ''):
                        self.assertEqual(field.get('optional'), 'show', field.get('name'))

    def test_the_filters_and_groups_of_the_cards(self):
        self._redeem(self._generate(3).card_ids[0])
        groups = {'group_series', 'group_state', 'group_partner', 'group_valid_till', 'group_month'}
        offered = self._check_search_view('refill.card', self.accountant)
        filters = {'sent', 'not_sent', 'exported', 'not_exported', 'expiring'}
        self.assertLessEqual(groups | filters, offered)
        offered = self._check_search_view('refill.card', self.clerk)
        self.assertLessEqual(groups, offered)
        self.assertFalse(filters & offered - {'expiring'})

    def test_cards_are_found_by_whether_they_are_exported_and_sent(self):
        cards = self._generate(3).card_ids
        found = cards.search([('id', 'in', cards.ids), ('is_exported', '=', False)])
        self.assertEqual(found, cards)
        self.assertEqual(
            cards.search([('id', 'in', cards.ids), ('sent_state', '!=', 'sent')]), cards
        )
        self.assertFalse(cards.search([('id', 'in', cards.ids), ('sent_state', '=', 'sent')]))

    def test_the_filters_and_groups_of_the_series(self):
        self._generate()
        offered = self._check_search_view('refill.card.series', self.accountant)
        self.assertLessEqual({'group_state', 'group_layout', 'group_month'}, offered)

    def test_the_filters_and_groups_of_what_other_systems_are_told(self):
        for model, offered in (
            ('refill.card.notice', {'group_kind', 'group_series', 'group_date'}),
            ('refill.card.webhook', {'archived'}),
            ('refill.card.webhook.delivery', {'waiting', 'failed', 'group_webhook'}),
        ):
            self.assertLessEqual(offered, self._check_search_view(model, self.accountant))

    def test_every_view_of_cards_and_series_is_there(self):
        kinds = ['list', 'kanban', 'form', 'pivot', 'graph', 'search']
        for model, user in (
            ('refill.card', self.clerk),
            ('refill.card', self.accountant),
            ('refill.card.series', self.accountant),
        ):
            records = self.env[model].with_user(user)
            views = records.get_views([(False, kind) for kind in kinds])['views']
            self.assertEqual(set(views), set(kinds))
        for action in ('refill_card_action', 'refill_card_series_action'):
            modes = self.env.ref(f'refill_cards.{action}').view_mode
            self.assertEqual(modes, 'list,kanban,form,pivot,graph')

    def test_the_numbers_of_a_series_add_up_after_cards_were_deleted(self):
        series = self._generate(5)
        series.card_ids[0].action_delete()
        counts = [series[f'{state}_count'] for state in ('inactive', 'active', 'used')]
        self.assertEqual((series.card_count, sum(counts)), (4, 4))
        view = series.get_views([(False, 'list')])['views']['list']
        summed = etree.fromstring(view['arch']).xpath("//field[@sum and not(@optional)]/@name")
        self.assertEqual(summed, ['card_count', 'active_count', 'used_count'])

    def test_groups_of_series_count_the_cards_that_are_there(self):
        series = self._generate(5) + self._generate(3)
        self._redeem(series[0].card_ids[0])
        series[0].card_ids[1].action_delete()
        series_seen = series.with_user(self.accountant)
        measures = ['card_count:sum', 'active_count:sum', 'used_count:sum']
        [group] = series_seen.formatted_read_group(
            [('id', 'in', series.ids)], ['create_date:month'], measures
        )
        self.assertEqual([group[measure] for measure in measures], [7, 6, 1])
        fields_offered = series_seen.fields_get(attributes=['aggregator', 'type'])
        numbers = {
            name
            for name, field in fields_offered.items()
            if field.get('aggregator') and field['type'] in ('integer', 'float', 'monetary')
        }
        states = ('inactive', 'active', 'used', 'expired', 'disabled')
        counts = {'card_count', 'replaced_count', *(f'{state}_count' for state in states)}
        self.assertEqual(numbers - {'id'}, counts)

    def test_a_list_with_cards_redeemed_in_another_company_is_exported(self):
        here, there = self._generate(2, company_ids=[Command.clear()]).card_ids
        self._redeem(here)
        clerk = self._new_user(
            'daughter', 'refill_cards.group_refill_card_user', company_id=self.other_company.id
        )
        stranger = self.stranger.copy({'company_id': self.other_company.id})
        self._redeem(there, partner=stranger, user=clerk)
        self.accountant.sudo().group_ids += self.env.ref('base.group_allow_export')
        chosen = here.with_context(allowed_company_ids=self.company.ids)
        paths = [
            f'{name}/display_name'
            for name in ('series_id', 'partner_id', 'used_by_id', 'used_company_id', 'payment_id')
        ]
        rows = (chosen + there).export_data(['name', 'state', *paths])['datas']
        self.assertEqual([row[0] for row in rows], [here.name, there.name])
        self.assertNotIn(stranger.name, rows[1])

    # -------------------------------------------------------------------------
    # CHANGING CARDS
    # -------------------------------------------------------------------------

    def test_a_window_for_one_operation_is_called_as_its_button_and_offers_no_other(self):
        series = self._generate(2)
        for context, name in (
            ({'default_operation': 'activate'}, "Activate"),
            ({'default_operation': 'enable'}, "Enable Again"),
            (
                {'default_operation': 'disable', 'default_reason': 'cancelled'},
                "Cancel the Rest",
            ),
        ):
            window = series.with_context(**context).action_change()
            self.assertEqual(window['name'], name)
            self.assertTrue(window['context']['is_operation_chosen'])
        window = series.action_change()
        self.assertEqual(window['name'], "Change Cards")
        self.assertNotIn('is_operation_chosen', window['context'])

    def test_confirm_is_offered_once_an_operation_is_chosen(self):
        windows = self.env['refill.card.change'].with_user(self.accountant)
        arch = etree.fromstring(windows.get_view(view_type='form')['arch'])
        hidden = arch.find('.//button[@name="action_confirm"]').get('invisible')
        for operation, problem in ((False, False), ('disable', "Two series."), (False, "Both.")):
            self.assertTrue(safe_eval(hidden, {'operation': operation, 'problem': problem}))
        self.assertFalse(safe_eval(hidden, {'operation': 'disable', 'problem': False}))

    def test_printing_and_exporting_are_called_as_their_buttons(self):
        series = self._generate(1)
        for records in (series, series.card_ids):
            wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
            for file_format, name in (('pdf', "Print"), ('csv', "Export")):
                window = records._open_export_window(file_format=file_format)
                self.assertEqual(window['name'], name)
                self.assertEqual(wizards.browse(window['res_id']).file_format, file_format)

    def test_a_range_over_two_series_says_why_nothing_is_changed(self):
        one, other = self._generate(2), self._generate(2)
        wizard = self._range(one.card_ids[0].name, other.card_ids[1].name, operation='deactivate')
        self.assertEqual(wizard.card_count, 0)
        self.assertIn("not of one series", wizard.problem)
        with self.assertRaisesRegex(UserError, "not of one series"):
            wizard.action_confirm()
        wizard = self._range(one.card_ids[0].name, one.card_ids[1].name, operation='deactivate')
        self.assertFalse(wizard.problem)

    def test_the_last_day_that_activating_gives_is_named_before(self):
        series = self._generate(2, activation_required=True, validity_days=1, valid_till=False)
        wizard = self._wizard(series, 'activate')
        day = fields.Date.context_today(series) + timedelta(days=1)
        generating = self.env['refill.card.generate'].with_user(self.accountant)
        for days, last_day in ((1, day), (0, False), (-1, False), (10**9, False)):
            self.assertEqual(generating.new({'validity_days': days}).last_day, last_day)
        self.assertEqual(wizard.last_days, format_date(self.env, day))
        with self.env.cr.savepoint() as savepoint:
            series.card_ids.valid_till = day + timedelta(days=9)  # of their own, which they keep
            self.assertFalse(self._wizard(series, 'activate').last_days)
            savepoint.rollback()
            self.env.invalidate_all()
        wizard.action_confirm()
        self.assertEqual(set(series.card_ids.mapped('valid_till')), {day})
        self.assertFalse(self._wizard(series, 'disable').last_days)
        self.assertFalse(self._wizard(self._generate(1), 'activate').last_days)

    # -------------------------------------------------------------------------
    # WORDS AND NUMBERS
    # -------------------------------------------------------------------------

    def test_the_delete_question_names_series_count_and_value(self):
        series = self._generate(4)
        self.assertIn(series.name, series.deletion_question)
        self.assertIn("4 cards", series.deletion_question)
        self.assertIn("100.00", series.deletion_question)
        card = series.card_ids[0]
        for text in (card.name, series.name, "25.00"):
            self.assertIn(text, card.deletion_question)

    def test_numbers_are_grouped_as_the_user_s_language_does(self):
        self.env['res.lang']._activate_lang('de_DE')
        self.accountant.lang = 'de_DE'
        wizards = self.env['refill.card.generate'].with_user(self.accountant)
        wizards = wizards.with_context(lang='de_DE')
        wizard = wizards.create({'quantity': 2_000, 'price': 25})
        self.assertRegex(wizard.guessing_probability, r'\d\.\d{3}')
        self.assertNotIn(',', wizard.guessing_probability)
        with self.assertRaisesRegex(UserError, r'1\.000\.000'):
            wizards.create({'quantity': 2_000_000, 'price': 25}).action_generate()
        [(_field, _operator, series_id)] = wizard.action_generate()['domain']
        series = wizards.env['refill.card.series'].browse(series_id)
        self.assertIn('2.000', series.deletion_question)
        message = self._change(series, 'deactivate')['params']['message']
        self.assertIn('2.000', message)
        self.assertIn('2.000', self._change(series, 'extend')['params']['message'])

    # -------------------------------------------------------------------------
    # PAYMENTS
    # -------------------------------------------------------------------------

    def test_a_payment_leads_to_its_card_and_back(self):
        card = self._generate_card()
        payment = self._redeem(card).with_user(self.accountant)
        action = payment.action_open_refill_card()
        self.assertEqual((action['res_model'], action['res_id']), ('refill.card', card.id))
        self.assertEqual(card.action_open_payment()['res_id'], payment.id)
        arch = payment.get_views([(False, 'form')])['views']['form']['arch']
        self.assertIn('action_open_refill_card', arch)

    def test_the_journal_of_the_cards_is_not_offered_for_payments_by_hand(self):
        journal = self.company._get_refill_card_method_line().journal_id
        payments = self.env['account.payment'].with_user(self.accountant)
        with Form(payments) as form:
            form.partner_id = self.customer
            self.assertTrue(form.available_journal_ids.ids)
            self.assertNotIn(journal.id, form.available_journal_ids.ids)
            self.assertNotEqual(form.journal_id.id, journal.id)
        invoice = self._invoice(10)
        register = self.env['account.payment.register'].with_user(self.accountant)
        register = register.with_context(active_model='account.move', active_ids=invoice.ids)
        with Form(register) as form:
            self.assertTrue(form.available_journal_ids.ids)
            self.assertNotIn(journal.id, form.available_journal_ids.ids)

    def test_a_journal_for_cards_and_cash_is_offered_without_the_cards(self):
        line = self.company._get_refill_card_method_line()
        journal = line.journal_id
        manual = self.env.ref('account.account_payment_method_manual_in')
        journal.inbound_payment_method_line_ids = [
            Command.create({'payment_method_id': manual.id, 'name': "Cash"})
        ]
        with Form(self.env['account.payment'].with_user(self.accountant)) as form:
            form.partner_id = self.customer
            self.assertIn(journal.id, form.available_journal_ids.ids)
            form.journal_id = journal
            self.assertNotIn(line.id, form.available_payment_method_line_ids.ids)
        payment = self._redeem(self._generate_card())
        self.assertEqual(payment.payment_method_line_id, line)
        self.assertIn(line, payment.available_payment_method_line_ids)
