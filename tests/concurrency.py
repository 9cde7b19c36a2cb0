"""Two customers, one card: real transactions on committed data.

A test case of Odoo's has one transaction and may not commit. This one has a company of its own,
commits to it, and takes away afterwards what the ORM lets it.
"""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from unittest.mock import patch

from odoo.api import SUPERUSER_ID, Environment
from odoo.fields import Command
from odoo.modules.registry import Registry
from odoo.service.model import execute_cr
from odoo.tests import BaseCase, get_db_name, new_test_user
from odoo.tools import SQL

from ..refill_cards.refusals import RefillCardRefused

LOCK_TIMEOUT = 10
KEYS = ('refill_cards.key', 'refill_cards.key_check')


class ConcurrencyCase(BaseCase):
    """A company with a chart of accounts, its accountant and a customer, all of them committed."""

    other_customer_ids = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        with cls._committing() as env:
            cls.keys = {name: env['ir.config_parameter'].get_param(name) for name in KEYS}
            company = cls._get_company(env)
            cls.company_id = company.id
            cls.addClassCleanup(cls._archive_company)
            accountant = new_test_user(
                env,
                login='refill_concurrent',
                groups='account.group_account_manager',
                company_id=company.id,
                company_ids=[Command.set(company.ids)],
            )
            cls.accountant_id = accountant.id
            cls.customer_id = env['res.partner'].create({'name': "Concurrent customer"}).id

    @classmethod
    def _get_company(cls, env):
        """Return the company, also when an earlier run left it."""
        companies = env['res.company'].with_context(active_test=False)
        company = companies.search([('name', '=', "Concurrent")])
        if company:
            company.active = True
        else:
            company = companies.create({'name': "Concurrent"})
            env['account.chart.template'].try_loading('generic_coa', company)
        return company.with_context(active_test=True)

    @classmethod
    def _archive_company(cls):
        """Take away what was committed; a company with accounts can only be archived."""
        with cls._committing() as env:
            users = env['res.users'].browse(cls.accountant_id)
            partners = users.partner_id + env['res.partner'].browse(cls.customer_id)
            users.unlink()
            partners.unlink()
            env['res.company'].browse(cls.company_id).active = False

    def setUp(self):
        super().setUp()
        self.addCleanup(self._remove_cards)
        # A request that collides waits up to 32 seconds before it tries again.
        self.startPatcher(patch('odoo.service.model.random.uniform', return_value=0))

    def _remove_cards(self):
        with self._committing() as env:
            self._delete_cards(env)
            self._delete_entries(env)
            for name, value in self.keys.items():
                env['ir.config_parameter'].set_param(name, value)

    def _delete_entries(self, env):
        """Delete with SQL what stays in the books for good."""
        for model in ('account.payment', 'account.move'):
            ids = env[model].search([('company_id', '=', self.company_id)]).ids
            env['mail.message'].search([('model', '=', model), ('res_id', 'in', ids)]).unlink()
            env['mail.activity'].search([('res_model', '=', model), ('res_id', 'in', ids)]).unlink()
        for table in (
            'account_partial_reconcile',
            'account_move_line',
            'account_payment',
            'account_move',
        ):
            table = SQL.identifier(table)
            env.cr.execute(SQL("DELETE FROM %s WHERE company_id = %s", table, self.company_id))
        env.invalidate_all()

    def _delete_cards(self, env):
        """Delete with SQL what the ORM keeps: used cards, their series and history, refusals."""
        accountant = env['res.users'].browse(self.accountant_id)
        series = env['refill.card.series'].search([('company_id', '=', self.company_id)])
        messages = [('model', '=', series._name), ('res_id', 'in', series.ids)]
        env['mail.message'].search(messages).unlink()
        env['refill.card.generate'].search([('create_uid', '=', self.accountant_id)]).unlink()
        env['refill.card.guess'].search([]).unlink()  # by looks, whoever's series they are
        for table, column, values in (
            ('refill_card_attempt', 'user_id', [self.accountant_id]),
            ('refill_card_lockout', 'partner_id', [self.customer_id, *self.other_customer_ids]),
            ('refill_card_lockout', 'origin', [accountant.login]),
            ('refill_card_delivery', 'company_id', [self.company_id]),
            ('refill_card_event', 'company_id', [self.company_id]),
            ('refill_card_freeze', 'series_id', series.ids),
            ('refill_card', 'series_id', series.ids),
            ('refill_card_series', 'id', series.ids),
        ):
            table, column = SQL.identifier(table), SQL.identifier(column)
            env.cr.execute(SQL("DELETE FROM %s WHERE %s = ANY(%s)", table, column, values))
        env.invalidate_all()

    # -------------------------------------------------------------------------
    # TRANSACTIONS
    # -------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def _committing(cls):
        """Yield the superuser's environment in a transaction that is committed in the end."""
        with cls.registry.cursor() as cr:
            yield Environment(cr, SUPERUSER_ID, {})
        cls.registry.signal_changes()

    @contextmanager
    def _transaction(self):
        """Yield the accountant's environment in a transaction that is left to the test."""
        with closing(self.registry.cursor()) as cr:
            env = Environment(cr, self.accountant_id, {})
            # Rather fail than hang.
            env.cr.execute(SQL("SET lock_timeout = %s", f'{LOCK_TIMEOUT}s'))
            env.cr.commit()
            yield env

    def _request(self, model, method, *args):
        """Call a method as Odoo's RPC does: a transaction of its own, repeated when it collides."""
        with self._transaction() as env:
            return execute_cr(env.cr, self.accountant_id, model, method, args, {})

    def _redeem(self, code):
        """Redeem as the API does; return the result, or the reason of the refusal."""
        try:
            return self._request('refill.card', 'redeem_code', code, self.customer_id)
        except RefillCardRefused as refused:
            return refused.reason

    @contextmanager
    def _in_background(self, function, *args):
        """Call a function in a thread and yield its future, finished after the block."""
        with ThreadPoolExecutor(1) as executor:
            yield executor.submit(function, *args)

    def _at_once(self, function, arguments):
        """Call a function with each of the arguments, every call in a thread of its own."""
        with ThreadPoolExecutor(len(arguments)) as executor:
            return list(executor.map(function, arguments))

    @contextmanager
    def _meeting_after(self, method, count):
        """Let no transaction go on after its first call of a card's method before all are there."""
        model = self.registry['refill.card']
        original = getattr(model, method)
        barrier, arrived = threading.Barrier(count), set()

        def meet(cards, *args, **kwargs):
            result = original(cards, *args, **kwargs)
            if threading.get_ident() not in arrived:
                arrived.add(threading.get_ident())
                barrier.wait(LOCK_TIMEOUT)
            return result

        with patch.object(model, method, meet):
            yield

    def _wait_until_blocked_by(self, env, future, *others):
        """Return when the future's transaction waits for one of the environments', or is over."""
        pids = [
            pid
            for each in (env, *others)
            for [pid] in each.execute_query(SQL("SELECT pg_backend_pid()"))
        ]
        with closing(self.registry.cursor()) as cr:
            blocked = SQL("SELECT FROM pg_stat_activity WHERE %s && pg_blocking_pids(pid)", pids)
            while not future.done():
                cr.execute(blocked)
                if cr.rowcount:
                    return
                cr.rollback()
                wait([future], timeout=0.02)

    # -------------------------------------------------------------------------
    # CARDS
    # -------------------------------------------------------------------------

    def _generate(self, quantity=1):
        """Generate a series as the web client does and return its id."""
        values = {'quantity': quantity, 'price': 25, 'prefix': 'QUICK'}
        wizard_id = self._request('refill.card.generate', 'create', values)
        action = self._request('refill.card.generate', 'action_generate', [wizard_id])
        [(_field, _operator, series_id)] = action['domain']
        return series_id

    def _generate_cards(self, quantity=1):
        """Return the series' id and the codes of its cards."""
        series_id = self._generate(quantity)
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id', '=', series_id)])
            return series_id, cards.mapped('code')

    def _generate_code(self):
        [code] = self._generate_cards()[1]
        return code

    def _card_ids(self, code):
        with self._committing() as env:
            return env['refill.card'].search([('code', '=', code)]).ids

    def _assert_redeemed_once(self, code):
        """Assert that the card with this code is one payment and one line of history."""
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.state, 'used')
            payments = env['account.payment'].search([('memo', '=', card.name)])
            self.assertEqual(card.payment_id, payments)
            self.assertEqual(len(payments), 1)
            self.assertEqual((payments.state, payments.amount), ('paid', 25))
            self.assertEqual(payments.move_id.state, 'posted')
            self.assertEqual(card.event_ids.mapped('new_state'), ['used'])

    def _assert_never_redeemed(self, code):
        """Assert that nothing is left of a redemption."""
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.state, 'active')
            self.assertFalse(card.payment_id or card.partner_id or card.used_on or card.used_by_id)
            self.assertFalse(card.event_ids)
            self.assertFalse(env['account.payment'].search([('company_id', '=', self.company_id)]))
            self.assertFalse(env['account.move'].search([('company_id', '=', self.company_id)]))

    def _assert_attempts(self, *reasons):
        with self._committing() as env:
            attempts = env['refill.card.attempt'].search([('user_id', '=', self.accountant_id)])
            self.assertEqual(sorted(attempts.mapped('reason')), sorted(reasons))
            self.assertLessEqual(
                set(attempts.partner_id.ids), {self.customer_id, *self.other_customer_ids}
            )
