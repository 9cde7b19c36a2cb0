from contextlib import contextmanager
from unittest.mock import patch

from lxml import etree
from odoo.fields import Command, Domain
from odoo.tests import tagged
from odoo.tools import SQL

from .common import RefillCardCommon

SERIES, QUANTITY = 12, 3_000
PAGE, COUNTED = 80, 10_001  # of a list, and as far as its pager counts
# Rows that may be collected or sorted: some pages, and no more in a table of ten million.
COLLECTED = 40 * PAGE
TABLES = ('refill_card', 'refill_card_event')


@tagged('post_install', '-at_install')
class TestPlans(RefillCardCommon):
    """PostgreSQL reads what a list shows by an index, and by far not the whole table.

    It has as little memory beside the tables as beside those of ten million cards, so that it
    chooses alike. Nothing is timed.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        anyone = {'company_ids': [Command.clear()]}
        cls.third = cls.env['res.company'].create({'name': "Third"})
        managers, clerks = 'account.group_account_manager', 'refill_cards.group_refill_card_user'
        cls.third_manager = cls._new_user('third', managers, company_id=cls.third.id)
        roles = (
            ('late', clerks, cls.other_company),
            ('nothing', clerks, cls.env['res.company'].create({'name': "Fourth"})),
            ('three', managers, cls.company + cls.other_company + cls.third),
        )
        cls.users = [cls.accountant, cls.clerk, cls.third_manager] + [
            cls._new_user(
                login,
                groups,
                company_id=companies[0].id,
                company_ids=[Command.set(companies.ids)],
            )
            for login, groups, companies in roles
        ]
        makers = [cls.accountant] * (SERIES - 4) + [cls.third_manager] * 2 + [cls.accountant] * 2
        cls.series = cls.env['refill.card.series'].union(
            *(cls._generate(1, user=maker, **anyone).sudo() for maker in makers)
        )
        cls.series[:-2].company_ids = cls.company + cls.third
        # Of a database that was updated no index is left that may mislead it.
        cls._migrate(cls, '19.0.1.5.0', 'pre-lists')
        cls._fill()
        cls.cr.execute("SET LOCAL work_mem = '64kB'")

    @classmethod
    def _fill(cls):
        """Add cards and their history: all sold, one in five used, mostly by the third company."""
        cls.env.flush_all()
        values = {
            'series': cls.series.ids,
            'quantity': QUANTITY,
            'companies': (cls.third + cls.company + cls.other_company).ids,
        }
        statements = {
            'refill_card': """
            INSERT INTO refill_card (series_id, number, name, state, used_on, used_company_id)
            SELECT series_id, number, series_id || '-' || number,
                   (ARRAY['used', 'active', 'active', 'disabled', 'expired'])[1 + number %% 5],
                   CASE WHEN number %% 5 = 0 THEN now() AT TIME ZONE 'UTC' END,
                   CASE WHEN number %% 5 = 0
                   THEN (%(companies)s)[CASE WHEN number < 2900 THEN 1 ELSE 2 + number %% 2 END] END
              FROM unnest(%(series)s) AS series_id, generate_series(2, %(quantity)s) AS number
            """,
            'refill_card_event': """
            INSERT INTO refill_card_event (card_id, series_id, company_id, serial, date, channel,
                                           old_state, new_state, used_company_id)
            SELECT card.id, series_id, series.company_id, card.name, now() AT TIME ZONE 'UTC',
                   'backend', 'active', new.state,
                   CASE WHEN new.state = 'used' THEN used_company_id END
              FROM refill_card card
              JOIN refill_card_series series ON series.id = series_id
             CROSS JOIN LATERAL (VALUES ('active'), (card.state)) AS new (state)
             WHERE series_id = ANY(%(series)s)
            """,
        }
        for table, statement in statements.items():
            cls.cr.execute(SQL(statement, **values))
            cls.cr.execute(SQL("ANALYZE %s", SQL.identifier(table)))
        cls.env.invalidate_all()

    @contextmanager
    def _noting_plans(self):
        """Note how PostgreSQL answers the queries of cards and events that are made meanwhile."""
        plans = []
        execute = self.cr.execute

        def explain(query, params=None, log_exceptions=True):
            text = query.code if isinstance(query, SQL) else query
            if 'refill_card' in text and text.split(None, 1)[0] in ('SELECT', 'WITH'):
                told = SQL(
                    "EXPLAIN (ANALYZE, FORMAT JSON) %s",
                    query if params is None else SQL(query, *params),
                )
                execute(told)
                [[[plan]]] = self.cr.fetchall()
                plans.append(plan['Plan'])
            return execute(query, params, log_exceptions)

        with patch.object(self.cr, 'execute', explain):
            yield plans

    def _walk(self, plan):
        yield plan
        for part in plan.get('Plans', ()):
            yield from self._walk(part)

    def _tell(self, node, depth=0):
        """Return a plan as a text that one can read."""
        names = ('Node Type', 'Relation Name', 'Index Name', 'Index Cond', 'Filter', 'Plan Rows')
        names += ('Actual Rows', 'Actual Loops', 'Rows Removed by Filter')
        line = ', '.join(str(node[name]) for name in names if name in node)
        parts = [self._tell(part, depth + 1) for part in node.get('Plans', ())]
        return '\n'.join(['  ' * depth + line, *parts])

    def _assert_by_an_index(self, plans, tables=TABLES):
        self.assertTrue(plans)
        for plan in plans:
            for node in self._walk(plan):
                told = self._tell(plan)
                if node.get('Relation Name') in tables:
                    self.assertNotEqual(node['Node Type'], 'Seq Scan', told)
                    if 'Bitmap' not in node['Node Type']:
                        self.assertIn('Index Cond', node, told)
                    # Not past thousands of cards that are none of the user's business.
                    passed = node.get('Rows Removed by Filter', 0) * node['Actual Loops']
                    self.assertLess(passed, COLLECTED, told)
                if tables == TABLES and node['Node Type'] in ('Sort', 'Bitmap Heap Scan'):
                    self.assertLess(node['Plan Rows'], COLLECTED, told)

    def _open_list(self, rows, domain, **kwargs):
        """Read what the web client does for a list: a page, and what the pager counts."""
        view = etree.fromstring(rows.get_view(view_type='list')['arch'])
        columns = {
            node.get('name'): {}
            for node in view.iter('field')
            if node.get('optional') != 'hide' and not node.get('column_invisible')
        }
        rows.env.invalidate_all()
        with self._noting_plans() as plans:
            rows.web_search_read(domain, columns, limit=PAGE, count_limit=COUNTED, **kwargs)
        return plans

    def _iterate_roles(self):
        for user in self.users:
            with self.subTest(user=user.login):
                yield self.env(user=user, context={'allowed_company_ids': user.company_ids.ids})

    def test_a_page_of_cards_is_read_by_an_index_whoever_looks(self):
        for env in self._iterate_roles():
            for model in ('refill.card', 'refill.card.report'):
                for domain in (
                    [],
                    [('series_id.active', '=', True)],
                    [('series_id', '=', self.series[-1].id)],
                    [('series_id', '=', self.series[0].id), ('state', '=', 'used')],
                    *([('state', '=', state)] for state in ('active', 'used', 'disabled')),
                ):
                    with self.subTest(model=model, domain=domain):
                        self._assert_by_an_index(self._open_list(env[model], domain))

    def test_a_later_page_goes_on_in_the_same_index(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        self._assert_by_an_index(self._open_list(cards, [], offset=5 * PAGE))

    def test_what_lies_before_a_page_is_not_fetched(self):
        for env in self._iterate_roles():
            for model in ('refill.card', 'refill.card.event'):
                with self.subTest(model=model):
                    rows = env[model]
                    with self._noting_plans() as plans:
                        found = rows.search([], offset=30 * PAGE, limit=PAGE)
                    key = f'{rows._table}_pkey'
                    looked_up = [
                        node
                        for plan in plans
                        for node in self._walk(plan)
                        if node.get('Index Name') == key
                    ]
                    for node in looked_up:
                        told = self._tell(plans[-1])
                        passed = node['Actual Rows'] * node['Actual Loops']
                        self.assertLessEqual(passed, len(found), told)

    def test_a_group_that_is_opened_shows_a_page_by_an_index(self):
        for env in self._iterate_roles():
            for model in ('refill.card', 'refill.card.report'):
                for state in ('active', 'used', 'disabled'):
                    opened = {'value': state, 'folded': False, 'offset': 0, 'limit': PAGE}
                    with self.subTest(model=model, state=state), self._noting_plans() as plans:
                        env[model].web_read_group(
                            [],
                            ['state'],
                            opening_info=[opened],
                            unfold_read_specification={'name': {}},
                        )
                        self._assert_by_an_index(plans)

    def test_the_next_in_stock_are_found_past_all_that_were_sold(self):
        self.cr.execute(
            SQL(
                "UPDATE refill_card SET terms = 'sold' WHERE series_id = ANY(%s) AND number < 2990",
                self.series.ids,
            )
        )
        self.cr.execute("ANALYZE refill_card")
        cards = self.env['refill.card'].sudo()
        stock = cards._get_stock_domain()
        for domain in (stock, stock & Domain('series_id', 'in', self.series[:3].ids)):
            with self.subTest(domain=domain), self._noting_plans() as plans:
                cards.search_count(domain, limit=100)
                cards.search_fetch(domain, ['name'], limit=100, order='valid_till, id')
            for plan in plans:
                scans = [node for node in self._walk(plan) if node.get('Relation Name')]
                names = {node.get('Index Name') for node in scans}
                names |= {
                    node.get('Index Name')
                    for node in self._walk(plan)
                    if node['Node Type'] == 'Bitmap Index Scan'
                }
                self.assertIn('refill_card_stock_idx', names, self._tell(plan))

    def test_a_page_of_the_audit_log_is_read_by_an_index_whoever_looks(self):
        for env in self._iterate_roles():
            for domain in ([], [('new_state', '=', 'used')], [('new_state', '=', 'deleted')]):
                with self.subTest(domain=domain):
                    plans = self._open_list(env['refill.card.event'], domain)
                    # So few cards are read as a whole; of ten million each is looked up.
                    self._assert_by_an_index(plans, tables=('refill_card_event',))
