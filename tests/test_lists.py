from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.fields import Command, Domain
from odoo.tests import tagged
from odoo.tools import SQL

from ..refill_cards.models import refill_card_pages_mixin
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestIndexes(RefillCardCommon):
    def test_an_update_leaves_no_index_without_a_use(self):
        former = {
            'refill_card__used_company_id_index': "refill_card (used_company_id)",
            'refill_card_event__company_id_index': "refill_card_event (company_id)",
            'refill_card_event__series_id_index': "refill_card_event (series_id)",
        }
        for name, definition in former.items():
            self.cr.execute(
                SQL("CREATE INDEX IF NOT EXISTS %s ON %s", SQL.identifier(name), SQL(definition))
            )
        self._migrate('19.0.1.5.0', 'pre-lists')
        self.cr.execute("SELECT indexname FROM pg_indexes")
        left = {name for [name] in self.cr.fetchall()}
        self.assertFalse(left & former.keys())


@tagged('post_install', '-at_install')
class TestLists(RefillCardCommon):
    """Each role sees the same cards by the rule that an index answers as by the rule in words."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.third = cls.env['res.company'].create({'name': "Third"})
        cls.three = cls.company + cls.other_company + cls.third
        clerks, managers = 'refill_cards.group_refill_card_user', 'account.group_account_manager'
        roles = (
            ('clerk', clerks, cls.other_company),
            ('clerk', clerks, cls.third),
            ('manager', managers, cls.other_company),
            ('manager', managers, cls.third),
            ('manager', managers, cls.three),
        )
        cls.users = [cls.accountant, cls.clerk, cls.env.ref('base.user_admin')] + [
            cls._new_user(
                f'{role}_{"_".join(map(str, companies.ids))}',
                groups,
                company_id=companies[0].id,
                company_ids=[Command.set(companies.ids)],
            )
            for role, groups, companies in roles
        ]
        (
            cls.daughter_clerk,
            cls.third_clerk,
            cls.daughter_manager,
            cls.third_manager,
            cls.over_all,
        ) = cls.users[3:]
        anyone = {'company_ids': [Command.clear()]}
        cls.own = cls._generate()
        cls.shared = cls._generate(user=cls.over_all, **anyone)
        cls.daughters = cls._generate(company_ids=[Command.set(cls.other_company.ids)])
        cls.thirds = cls._generate(user=cls.third_manager, **anyone)
        cls.left = cls._generate(**anyone)
        cls.all_series = cls.own + cls.shared + cls.daughters + cls.thirds + cls.left
        for series in cls.shared + cls.daughters + cls.left:
            cls._use(series.card_ids[0], cls.daughter_clerk)
        for series in cls.own + cls.shared + cls.left:
            cls._use(series.card_ids[1], cls.clerk)
        cls.left.company_ids = cls.company
        cls._take_back(cls.shared.card_ids[0])

    @classmethod
    def _take_back(cls, card):
        """Cancel the payment of a used card, as the accountant of its company does in the books."""
        payment = card.sudo().payment_id
        payment.with_user(cls.over_all).with_company(payment.company_id).action_cancel()
        cls.env.flush_all()
        cls.env.invalidate_all()

    @classmethod
    def _use(cls, card, user):
        cards = cls.env['refill.card'].with_user(user)
        cards.redeem_code(card.sudo().code, cls.customer.id)

    def _get_seen_in_words(self, cards):
        """Return the cards that the user of a model sees, as the rules of before told."""
        companies = cards.env.companies.ids
        seen = Domain('used_company_id', 'in', companies) | (
            Domain('used_company_id', '=', False)
            & Domain('series_id.accepting_company_ids', 'in', companies)
        )
        if cards.env.user.has_group('refill_cards.group_refill_card_manager'):
            seen |= Domain('series_id.company_id', 'in', companies)
        # sudo: without the rules of now
        return cards.sudo().search(seen & Domain('series_id', 'in', self.all_series.ids))

    def _get_seen_events_in_words(self, events):
        """Return what the user of a model sees of the audit log, as the rules of before told."""
        companies = events.env.companies.ids
        seen = (
            Domain('card_id.used_company_id', 'in', companies)
            | Domain('card_id.used_company_id', '=', False)
            & Domain('card_id.series_id.accepting_company_ids', 'in', companies)
        ) & (
            Domain('used_company_id', 'in', companies)
            | Domain('old_state', '!=', 'used') & Domain('new_state', '!=', 'used')
        )
        if events.env.user.has_group('refill_cards.group_refill_card_manager'):
            seen |= Domain('company_id', 'in', companies)
        # sudo: without the rules of now
        return events.sudo().search(seen)

    def _iterate_roles(self):
        """Yield each user with all of their companies, and with a single one of several."""
        for user in self.users:
            choices = [user.company_ids, *user.company_ids] if len(user.company_ids) > 1 else [None]
            for companies in choices:
                ticked = {'allowed_company_ids': companies.ids} if companies else {}
                with self.subTest(user=user.login, ticked=companies):
                    yield self.env(user=user, context={**self.env.context, **ticked})

    def _assert_same_events(self):
        for env in self._iterate_roles():
            events = env['refill.card.event']
            expected = self._get_seen_events_in_words(events)
            self.assertEqual(events.search([]).ids, expected.ids)
            every = events.sudo().search([]).with_env(env)
            self.assertEqual(set(every._filtered_access('read').ids), set(expected.ids))
            for domain in (
                [],
                [('new_state', '=', 'used')],
                [('new_state', '=', False)],
                [('user_id', '=', self.clerk.id)],
                [('series_id', '=', self.own.id)],
                [('serial', '=', self.own.sudo().card_ids[1].name)],
                [('card_id', '=', self.left.sudo().card_ids[1].id)],
            ):
                found = expected.with_env(env).filtered_domain(domain).ids
                pages = [events.search(domain, offset=at, limit=5).ids for at in (0, 5, 10)]
                self.assertEqual(sum(pages, []), found[:15])
                for limit in (1, 7, 1000):
                    count = events.search_count(domain, limit=limit)
                    self.assertEqual(count, min(limit, len(found)))

    def _assert_same_cards(self):
        of_series = Domain('series_id', 'in', self.all_series.ids)
        for env in self._iterate_roles():
            expected = self._get_seen_in_words(env['refill.card']).ids
            every = self.all_series.sudo().card_ids.with_env(env)
            self.assertEqual(set(every._filtered_access('read').ids), set(expected))
            for model in ('refill.card', 'refill.card.report'):
                rows = env[model]
                self.assertEqual(rows.search(of_series).ids, expected)
                self.assertEqual(rows.search_count(of_series), len(expected))
                [(count,)] = rows._read_group(of_series, [], ['__count'])
                self.assertEqual(count, len(expected))

    def test_each_role_sees_the_same_cards_as_by_the_rule_in_words(self):
        self._assert_same_cards()
        seen = [len(self._get_seen_in_words(self.own.card_ids.with_user(u))) for u in self.users]
        self.assertGreater(len(set(seen)), 4, "the roles must differ for this to say something")

    def _assert_pages(self, rows):
        """Check that pages show no other rows than the whole list, in the same order."""
        rows.invalidate_model()  # what reports have read may be of before
        for domain in (
            [],
            [('state', '=', 'used')],
            [('state', '=', 'active')],
            [('state', 'in', ['used', 'active'])],
            [('used_company_id', 'in', self.three.ids)],
            [('series_id', '=', self.shared.id)],
            [('series_id.name', '=', self.own.name)],
        ):
            found = rows.filtered_domain(domain).ids
            domain = Domain(domain) & Domain('series_id', 'in', self.all_series.ids)
            pages = [rows.search(domain, offset=at, limit=4).ids for at in (0, 4, 8)]
            self.assertEqual(sum(pages, []), found[:12])
            for limit in (1, 5, 1000):
                self.assertEqual(rows.search_count(domain, limit=limit), min(limit, len(found)))

    def test_pages_of_cards_show_what_the_whole_list_does_whoever_looks(self):
        for env in self._iterate_roles():
            for model in ('refill.card', 'refill.card.report'):
                self._assert_pages(env[model].search([('series_id', 'in', self.all_series.ids)]))

    def test_who_sees_a_card_follows_the_companies_at_once(self):
        self._assert_same_cards()
        everything = self.env['refill.card'].sudo().search([])
        everything.mapped('series_id.accepting_company_ids')  # the cache knows what was
        for change in (
            lambda: self.own.write({'company_ids': [Command.clear()]}),
            lambda: self.shared.write({'company_ids': [Command.set(self.company.ids)]}),
            lambda: self.third.write({'refill_card_accept_all': True}),
            lambda: self.other_company.write({'refill_card_issuer_ids': self.third.ids}),
            lambda: self.third.write({'refill_card_accept_all': False}),
            lambda: self._use(self.own.card_ids[2], self.daughter_clerk),
            lambda: self.own.write({'company_ids': [Command.set(self.company.ids)]}),
        ):
            change()
            self._assert_same_cards()
            self._assert_same_events()

    def test_each_role_sees_the_same_events_as_by_the_rule_in_words(self):
        self._undo(self.shared.card_ids[1])
        self._change(self.shared.card_ids[1:3], 'disable', reason='lost')
        self.own.card_ids[0].unlink()
        self.shared._log(note="Something about all of them")
        self._assert_same_events()
        seen = {
            len(self._get_seen_events_in_words(env['refill.card.event']))
            for env in self._iterate_roles()
        }
        self.assertGreater(len(seen), 4, "the roles must differ for this to say something")

    def test_what_happened_before_a_card_came_to_a_company_is_not_its_business(self):
        moved, stays = self.own.card_ids[0], self.own.card_ids[2]
        (moved + stays)._log()
        self._change(moved, 'companies', company_ids=[Command.set(self.other_company.ids)])
        self.assertNotEqual(moved.series_id, self.own)
        moved._log(channel='portal')
        events = self.env['refill.card.event'].with_user(self.daughter_clerk)
        of_card = [('card_id', '=', moved.id)]
        self.assertEqual(events.search(of_card).mapped('channel'), ['portal'])
        self.assertEqual(events.search([], limit=1).card_id, moved)

    def test_a_page_of_the_audit_log_shows_no_less_than_an_event_shows_by_itself(self):
        moved, used = self.left.card_ids[2], self.left.card_ids[1]
        (moved + used)._log()
        self._change(moved, 'companies', company_ids=[Command.set(self.other_company.ids)])
        moved._log()
        self._assert_each_event_is_on_a_page()
        self.shared.company_ids = self.company
        self._assert_each_event_is_on_a_page()

    def _assert_each_event_is_on_a_page(self):
        for env in self._iterate_roles():
            events = env['refill.card.event']
            every = events.sudo().search([]).with_env(env)
            readable = every._filtered_access('read')
            self.assertEqual(events.search([], limit=1000), readable)
            self.assertEqual(events.search([('id', 'in', every.ids)]), readable)

    def test_a_card_whose_payment_was_taken_back_is_the_business_of_no_further_company(self):
        card = self.shared.card_ids[0]
        self.assertEqual(
            (card.state, card.sudo().used_company_id), ('disabled', self.other_company)
        )
        for user, sees in (
            (self.third_clerk, False),
            (self.third_manager, False),
            (self.clerk, False),
            (self.daughter_clerk, True),
            (self.accountant, True),
        ):
            with self.subTest(user=user.login):
                self.assertEqual(card.with_user(user).has_access('read'), sees)
                events = card.sudo().event_ids.with_user(user)._filtered_access('read')
                self.assertEqual(bool(events), sees)

    def test_a_card_that_was_taken_back_stays_on_the_pages_of_the_company_that_used_it(self):
        series = self._generate(5, company_ids=[Command.clear()])
        for card in series.card_ids[:2]:
            self._use(card, self.daughter_clerk)
        series.company_ids = self.company
        cards = self.env['refill.card'].with_user(self.daughter_clerk)
        of_series = [('series_id', '=', series.id)]
        for card in series.card_ids[:2]:
            self._take_back(card)
            for found in (cards.search(of_series), cards.search(of_series, limit=80)):
                self.assertEqual(found, series.card_ids[:2].with_user(self.daughter_clerk))
            self.assertEqual(cards.search_count([*of_series, ('number', '>', 0)], limit=80), 2)

    def test_undoing_what_was_taken_back_is_on_each_page_that_may_show_it(self):
        card = self.shared.card_ids[0]
        self._undo(card, user=self.over_all)
        event = card.sudo().event_ids.filtered(lambda event: event.old_state == 'disabled')
        self.assertEqual(event.used_company_id, self.other_company)
        self.assertFalse(event.with_user(self.third_clerk).has_access('read'))
        self.assertTrue(event.with_user(self.daughter_clerk).has_access('read'))
        self._assert_each_event_is_on_a_page()

    def _assert_pages_are_whole(self, user):
        for model in ('refill.card', 'refill.card.report', 'refill.card.event'):
            with self.subTest(model=model):
                rows = self.env[model].with_user(user)
                whole = rows.search([])
                self.assertEqual(rows.search([], limit=1000), whole)
                self.assertEqual(rows.search([], offset=2, limit=3), whole[2:5])
                self.assertEqual(rows.search_count([]), len(whole))
                self.assertEqual(rows.search_count([('id', '!=', 0)], limit=1000), len(whole))
                self.assertEqual(rows.search_count([], limit=1000), len(whole))
                yield model, len(whole)

    def test_pages_show_what_further_rules_of_other_addons_do(self):
        group = self.env['res.groups'].create({'name': "Auditors"})
        rules = self.env['ir.rule'].create(
            [
                {
                    'name': "Auditors see these",
                    'model_id': self.env['ir.model']._get_id(model),
                    'groups': [Command.link(group.id)],
                    'perm_write': False,
                    'perm_create': False,
                    'perm_unlink': False,
                }
                for model in ('refill.card', 'refill.card.report', 'refill.card.event')
            ]
        )
        user = self.daughter_clerk
        before = dict(self._assert_pages_are_whole(user))
        user.group_ids += group
        for domain in (f"[('series_id.company_id', '=', {self.company.id})]", "[(1, '=', 1)]"):
            with self.subTest(domain=domain):
                rules.domain_force = domain
                for model, count in self._assert_pages_are_whole(user):
                    self.assertGreater(count, before[model])
        rules.write({'groups': [Command.clear()], 'domain_force': "[('id', '!=', 0)]"})
        self.assertEqual(dict(self._assert_pages_are_whole(user)), before)
        rules.active = False
        for name in ('refill_card', 'refill_card_report', 'refill_card_event'):
            self.env.ref(f'refill_cards.{name}_rule_user').active = False
        for model, count in self._assert_pages_are_whole(user):
            self.assertGreater(count, before[model])

    def test_pages_far_behind_show_what_the_whole_list_does(self):
        for user in (self.over_all, self.daughter_clerk):
            with patch.object(refill_card_pages_mixin, 'FAR', 2):
                self.assertTrue(dict(self._assert_pages_are_whole(user)))
                for model in ('refill.card', 'refill.card.report', 'refill.card.event'):
                    rows = self.env[model].with_user(user)
                    whole = rows.search([])
                    self.assertEqual(rows.search([], offset=4, limit=3), whole[4:7])

    def test_nobody_changes_a_card_that_another_company_issued(self):
        for user in self.users:
            env = self.env(user=user)
            for card in self.all_series.sudo().card_ids:
                issued = card.series_id.company_id in user.company_ids
                manages = user.has_group('refill_cards.group_refill_card_manager')
                for operation in ('write', 'unlink'):
                    self.assertEqual(card.with_env(env).has_access(operation), issued and manages)

    def test_what_the_rule_stands_on_tells_nobody_anything(self):
        for user in self.users:
            cards = self.env['refill.card'].with_user(user)
            self.assertFalse(cards.search([('is_seen', '=', False)]))
            self.assertNotIn('is_seen', cards.fields_get())
            with self.assertRaises(AccessError):
                cards.search([], limit=1).read(['is_seen'])

    def test_a_condition_on_series_shows_no_more_than_its_series_do(self):
        cards = self.env['refill.card'].with_user(self.daughter_clerk)
        hidden = self.left.card_ids[0].with_user(self.daughter_clerk)
        self.assertTrue(hidden.has_access('read'), "it was used here")
        self.assertFalse(self.left.with_user(self.daughter_clerk).has_access('read'))
        self.assertNotIn(hidden, cards.search([('series_id.name', '=', self.left.name)]))
        self.assertIn(hidden, cards.search([('series_id', '=', self.left.id)]))
        self.assertIn(hidden, cards.search(['!', ('series_id.name', '=', self.left.name)]))

    def test_lists_are_in_the_order_of_series_and_serial_numbers(self):
        cards = self.all_series.sudo().card_ids
        cards = self.env['refill.card'].search([('id', 'in', cards.ids)])
        self.assertEqual(cards, cards.sorted(lambda card: (card.series_id.id, card.number)))
        pages = [cards.search([('id', 'in', cards.ids)], offset=at, limit=4) for at in (0, 4, 8)]
        self.assertEqual(cards.browse().concat(*pages), cards[:12])
