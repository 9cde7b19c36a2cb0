"""Every model, window, public method, HTTP route and file of the addon has a line here, which says
who may go through it. What is new has none, and a test fails until somebody writes it.
"""

import base64
import inspect
import time
from contextlib import nullcontext
from unittest.mock import Mock, patch

from odoo import http
from odoo.addons.http_routing.tests.common import MockRequest
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.models import BaseModel
from odoo.service.model import get_public_method
from odoo.tests import HttpCase, tagged

from .common import RefillCardCommon

MODULE = 'refill_cards'
# A single pixel.
PICTURE = (
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E'
    'rkJggg=='
)
LATER = Date.to_string(Date.add(Date.today(), years=2))
# From the least right to the most: what one may, everybody after them may, too.
ROLES = ('public', 'customer', 'employee', 'clerk', 'manager', 'administrator')
NOBODY = 'nobody'


class Session(dict):
    debug = ''


class DoorsCase(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant.company_ids = cls.company
        cls.users = {
            'public': cls.env.ref('base.public_user'),
            'customer': cls.customer_user,
            'employee': cls.employee,
            'clerk': cls.clerk,
            'manager': cls.accountant,
            'administrator': cls._new_user(
                'administrator', 'base.group_system,account.group_account_manager'
            ),
        }
        cls.asking = cls._new_user(
            'asking', 'account.group_account_manager', email='asking@example.com'
        )
        cls.stranger.email = 'stranger@example.com'

    @classmethod
    def _get_models(cls):
        """Return the models that the addon defines."""
        models = cls.env.registry.values()
        return [model for model in models if model._original_module == MODULE]

    def _assert_all_have_a_line(self, found, table):
        missing, gone = set(found) - set(table), set(table) - set(found)
        self.assertFalse(missing, "say here who may go through these doors")
        self.assertFalse(gone, "these doors are gone")

    def _do_and_undo(self, call):
        """Return what a call returns, after its effects were rolled back."""
        self.env.invalidate_all()
        savepoint = self.env.cr.savepoint(flush=False)
        try:
            return call()
        finally:
            self.env.cr.clear()
            savepoint.close(rollback=True)

    def _make_one_of_each(self):
        """Return a record of each model whose records stay, of cards for our company only."""
        frozen = self._freeze()
        card = self._generate_card()
        self.request = self._ask_for_another(card)
        self.used = self._generate_card()
        self.used.sudo()._consign(self.stranger)
        self._redeem(self.used)
        self.sold, self.kept = self._generate(2).card_ids.with_user(self.accountant)
        self.invoice, self.draft = map(self._make_draft, (self.sold, self.kept))
        self.invoice.action_post()
        cards = self.env['refill.card'].with_user(self.clerk)
        self._assert_refused('typo', cards.redeem_code, 'x', self.stranger.id)
        self._answer_call()
        layout = self.env['refill.card.layout'].search([], limit=1)
        layout = layout.copy({'company_id': self.company.id})
        card._send(self.stranger, layout.copy())
        window = self._make_window('refill.card.export.wizard', self.accountant, card)
        export = self.env['refill.card.export'].browse(window._export()['res_id'])
        ranges = self.env['refill.card.export.range'].sudo()
        self._generate_card().sudo()._consign(self.stranger)
        delivery = self.env['refill.card.delivery'].search([], limit=1)
        records = (
            card,
            self.env['refill.card.agreement'].create({'partner_id': self.stranger.id}),
            card.series_id,
            self.env['refill.card.code'].browse(card.id),
            self.env['refill.card.report'].browse(card.id),
            self.env['refill.card.unused.value'].browse(self.sold.series_id.id),
            self.used.sudo().event_ids[:1],
            self.env['refill.card.attempt'].search([], limit=1),
            self.env['refill.card.lockout'].search([], limit=1),
            self.env['refill.card.call'].sudo().search([], limit=1),
            self.env['refill.card.tally'].sudo().search([], limit=1),
            card.sudo().sending_id,
            delivery,
            delivery.line_ids,
            layout,
            self.request,
            export,
            ranges.search([('export_id', '=', export.id)]),
            self.env['refill.card.validity.law'].search([], limit=1),
            *frozen,
            *self._tell(),
            *self._ask(),
            *self._import(),
        )
        self.env.flush_all()
        return {record._name: record.ensure_one() for record in records}

    def _ask_for_another(self, card):
        requests = self.env['refill.card.replacement.request'].sudo()
        told = (card.name, "Kiosk", '2026-01-01', base64.b64decode(PICTURE))
        return requests._ask(self.stranger, self.company, *told)

    def _tell(self):
        """Return what tells other systems about cards: one of each."""
        company = {'company_id': self.company.id}
        webhook = self.env['refill.card.webhook'].create(
            {'name': "x", 'url': 'https://example.com', **company}
        )
        kind = self.env['refill.card.notice.kind'].search([], limit=1)
        told = {'date': Date.today(), **company}
        outbox = self.env['refill.card.outbox'].sudo().create({'kind': kind.code, **told})
        notice = self.env['refill.card.notice'].sudo()
        notice = notice.create({'uid': 'msg_x', 'kind_id': kind.id, 'body': '{}', **told})
        delivery = self.env['refill.card.webhook.delivery'].sudo()
        delivery = delivery.create({'webhook_id': webhook.id, 'notice_id': notice.id})
        return webhook, kind, outbox, notice, delivery

    def _ask(self):
        """Return an approval that somebody else asks for, and what they may do without one."""
        card = self._generate_card()
        self._redeem(card)
        self.company.sudo().refill_card_approval_undo = True
        window = self.env['refill.card.undo'].with_user(self.asking)
        window = window.create({'card_id': card.id, 'reason': "Wrong customer"})
        approval = self.env['refill.card.approval'].browse(window.action_undo()['res_id'])
        self.company.sudo().refill_card_approval_undo = False
        total = self.env['refill.card.approval.total'].sudo()
        total = total.create(
            {'user_id': self.asking.id, 'company_id': self.company.id, 'kind': 'undo'}
        )
        recipient = self.env['refill.card.approval.recipient'].sudo()
        recipient = recipient.create({'approval_id': approval.id, 'email': 'x@example.com'})
        return approval, total, recipient

    def _freeze(self):
        """Return what there is of a frozen series."""
        self.frozen = self._generate(prefix='ICE', canary_count=1)
        freezes, guesses = (self.env[f'refill.card.{each}'].sudo() for each in ('freeze', 'guess'))
        freezes._freeze_guessed({self.frozen.id: 100})
        guesses._count(self.frozen.card_ids[0].sudo().code, [])
        return (
            freezes.search([], limit=1),
            guesses.search([], limit=1),
            self.env['refill.card.canary'].sudo().search([], limit=1),
        )

    def _import(self):
        """Return an import and what belongs to it: one of each."""
        record, self.checked, self.imported = map(self._upload, ('new', 'checked', 'imported'))
        self.imported.action_check()
        self.imported.sudo()._confirm()
        self.checked.action_check()
        row = self.env['refill.card.import.row'].sudo().search([], limit=1)
        return (
            record,
            record.column_ids[0],
            self.checked.total_ids,
            self.checked.problem_ids,
            row,
        )

    def _upload(self, code):
        """Return an import of a card, and of a line that is none."""
        table = f'Code,Price\n{code}aB3xK9mQ,25\nx,25\n'
        imports = self.env['refill.card.import'].with_user(self.accountant)
        return imports.create({'file': base64.b64encode(table.encode())})

    def _answer_call(self):
        calls = self.env['refill.card.call'].with_user(self.clerk)
        calls._answer('x', 'redeem_code', [], lambda: {})

    def _make_draft(self, card):
        """Return the draft of an invoice that sells a card."""
        windows = self.env['refill.card.sell'].with_user(self.accountant)
        window = windows.create({'card_ids': card.ids, 'partner_id': self.stranger.id})
        return self.env['account.move'].browse(window.action_sell()['res_id'])

    def _make_window(self, model, user, card):
        """Return a window of the user's, as if they had been let in."""
        values = self._prepare_window_values(model, card)
        window = self.env[model].with_user(user).sudo().create(values)
        self.env.flush_all()
        self.env.invalidate_all()
        return window.sudo(False)

    def _prepare_window_values(self, model, card):
        return {
            'refill.card.change': {
                'card_ids': card.ids,
                'operation': 'disable',
                'reason': 'lost',
            },
            'refill.card.export.wizard': {'series_ids': card.series_id.ids},
            'refill.card.choose': {
                'move_id': self.draft.id,
                'line_id': self.draft.invoice_line_ids.id,
                'card_ids': self.kept.ids,
            },
            'refill.card.find': {'series_id': card.series_id.id, 'candidate_ids': card.ids},
            'refill.card.generate': {'quantity': 1},
            'refill.card.hand.out': {'card_ids': card.ids, 'holder_id': self.stranger.id},
            'refill.card.opening': self._prepare_opening_values(card),
            'refill.card.opening.line': {
                'opening_id': self.env['refill.card.opening'].create({}).id,
                'series_id': card.series_id.id,
            },
            'refill.card.refuse': {'request_id': self.request.id, 'answer': "Used"},
            'refill.card.plant': {'series_id': self.frozen.id},
            'refill.card.release': {'day': Date.today()},
            'refill.card.replace': {'card_ids': card.ids, 'reason': 'damaged'},
            'refill.card.return': {'invoice_id': self.invoice.id},
            'refill.card.roll.forward': {'date_from': Date.to_date('2020-01-01')},
            'refill.card.sell': {'card_ids': card.ids, 'partner_id': self.stranger.id},
            'refill.card.redeem': {'card_id': card.id, 'partner_id': self.stranger.id},
            'refill.card.send': {
                'card_ids': card.ids,
                'partner_ids': self.stranger.ids,
                'send_again': True,
            },
            'refill.card.settle': {'partner_ids': self.stranger.ids, 'day': Date.today()},
            'refill.card.undo': {'card_id': self.used.id, 'reason': "Wrong customer"},
            'refill.card.unfreeze': {'series_ids': self.frozen.ids, 'reason': "Known"},
        }[model]

    def _prepare_opening_values(self, card):
        line = {'series_id': card.series_id.id, 'sold_count': 1}
        return {
            'company_id': self.company.id,
            'account_id': self.company_data['default_account_revenue'].id,
            'line_ids': [Command.create(line)],
        }


@tagged('post_install', '-at_install')
class TestModels(DoorsCase):
    # To whom our company's records are open for s(earch), r(ead), w(rite), u(nlink), c(reate) and
    # l(oad), with a value that can be written.
    MODELS = {
        'refill.card': ({'valid_till': LATER}, {'clerk': 'sr', 'manager': 'srwu'}),
        'refill.card.agreement': (
            {'partner_id': 0},  # the customer
            {'manager': 'srwucl', 'their manager': 'cl'},
        ),
        'refill.card.approval': ({'summary': 'x'}, {'manager': 'sr'}),
        'refill.card.approval.recipient': ({'email': 'x'}, {}),
        'refill.card.approval.total': ({'kind': 'undo'}, {}),
        'refill.card.attempt': ({'reason': 'typo'}, {'manager': 'sr'}),
        'refill.card.call': ({'reference': 'x'}, {}),
        'refill.card.code': ({'sealed': 'x'}, {}),
        'refill.card.delivery': ({'name': 'x'}, {'manager': 'sr'}),
        'refill.card.delivery.line': ({'first_serial': 'x'}, {'manager': 'sr'}),
        'refill.card.unused.value': ({'price': 1}, {'manager': 'sr'}),
        'refill.card.event': ({'serial': 'x'}, {'clerk': 'sr', 'manager': 'sr'}),
        'refill.card.export': ({'name': 'x'}, {'manager': 'sr'}),
        'refill.card.export.range': ({'first_card': '1'}, {'manager': 'sr'}),
        'refill.card.canary': ({'sealed': 'x'}, {}),
        'refill.card.freeze': ({'guesses': 1}, {}),
        'refill.card.guess': ({'look': 'x'}, {}),
        # Nothing is created without a file.
        'refill.card.import': ({'price': 1}, {'manager': 'srwu'}),
        'refill.card.import.column': ({'purpose': 'batch'}, {'manager': 'srw'}),
        'refill.card.import.problem': ({'reason': 'x'}, {'manager': 'sr'}),
        'refill.card.import.row': ({'state': 'x'}, {}),
        'refill.card.import.total': ({'expected': 1}, {'manager': 'srw'}),
        'refill.card.layout': (
            {'name': 'x'},
            {'clerk': 'sr', 'manager': 'srwucl', 'their manager': 'cl'},
        ),
        'refill.card.lockout': ({'origin': 'x'}, {'manager': 'sr'}),
        'refill.card.notice': ({'body': 'x'}, {'manager': 'sr'}),
        'refill.card.notice.kind': ({'code': 'x'}, {'manager': 'sr', 'their manager': 'sr'}),
        'refill.card.outbox': ({'kind': 'x'}, {}),
        'refill.card.replacement.request': ({'name': 'x'}, {'manager': 'sr'}),
        'refill.card.report': ({'name': 'x'}, {'clerk': 'sr', 'manager': 'sr'}),
        'refill.card.sending': ({'name': 'x'}, {'manager': 'sr'}),
        'refill.card.series': ({'valid_till': LATER}, {'clerk': 'sr', 'manager': 'srwu'}),
        'refill.card.tally': ({'state': 'x'}, {}),
        'refill.card.webhook': (
            {'name': 'x', 'url': 'https://example.com'},
            {'manager': 'srwuc', 'their manager': 'c'},
        ),
        'refill.card.webhook.delivery': ({'state': 'failed'}, {'manager': 'sr'}),
        # Laws are those of all companies; an import of one column lacks the others.
        'refill.card.validity.law': (
            {'law': 'x', 'source': 'x', 'days': 2, 'country_id': 1},
            {
                'clerk': 'sr',
                'manager': 'srwuc',
                'their clerk': 'sr',
                'their manager': 'srwuc',
            },
        ),
    }
    # Everybody has their own alone.
    WINDOWS = {
        'refill.card.change': 'manager',
        'refill.card.choose': 'manager',
        'refill.card.export.wizard': 'manager',
        'refill.card.find': 'manager',
        'refill.card.generate': 'manager',
        'refill.card.hand.out': 'manager',
        'refill.card.opening': 'manager',
        'refill.card.opening.line': 'manager',
        'refill.card.plant': 'manager',
        'refill.card.redeem': 'clerk',
        'refill.card.refuse': 'manager',
        'refill.card.release': 'manager',
        'refill.card.replace': 'manager',
        'refill.card.return': 'manager',
        'refill.card.roll.forward': 'manager',
        'refill.card.sell': 'manager',
        'refill.card.send': 'manager',
        'refill.card.settle': 'manager',
        'refill.card.undo': 'manager',
        'refill.card.unfreeze': 'manager',
    }
    # Made by a window, for whoever opened it, and changed by nobody.
    FIGURES = {
        'refill.card.roll.forward.debtor',
        'refill.card.roll.forward.line',
        'refill.card.roll.forward.reason',
    }
    ABSTRACT = {
        'refill.card.amounts.mixin',
        'refill.card.companies.mixin',
        'refill.card.export.mixin',
        'refill.card.invoice.mixin',
        'refill.card.key',
        'refill.card.layout.mixin',
        'refill.card.lists.mixin',
        'refill.card.operation.mixin',
        'refill.card.pages.mixin',
        'refill.card.selection.mixin',
        'refill.card.tallied.mixin',
        'refill.card.window',
    }

    # Without records; their methods have lines below.
    SERVICES = {'refill.card.dashboard'}

    def test_every_model_has_a_line(self):
        self._assert_all_have_a_line(
            {model._name for model in self._get_models()},
            {
                **self.MODELS,
                **self.WINDOWS,
                **dict.fromkeys(self.ABSTRACT | self.SERVICES | self.FIGURES),
            },
        )

    def test_every_model_for_every_role_of_either_company_by_every_door(self):
        daughter = {'company_id': self.other_company.id}
        users = {
            **self.users,
            'their manager': self._new_user(
                'their_manager', 'account.group_account_manager', **daughter
            ),
            'their clerk': self._new_user(
                'their_clerk', 'refill_cards.group_refill_card_user', **daughter
            ),
        }
        del users['administrator']  # who is a manager, too
        records = self._make_one_of_each()
        self.assertEqual(set(records), set(self.MODELS))
        for model, record in records.items():
            for role, user in users.items():
                values, expected = self.MODELS[model]
                if 'partner_id' in values:
                    values = {'partner_id': self.customer.id}
                with self.subTest(model=model, role=role):
                    doors = self._get_open_doors(record.with_user(user).sudo(False), values)
                    self.assertEqual(doors, expected.get(role, ''))

    def _get_open_doors(self, record, values, doors='srwucl'):
        fname = next(iter(values))
        calls = {
            's': lambda: record.search([('id', '=', record.id)]),
            'r': lambda: record.read(['id', fname]),
            'w': lambda: record.write({**values}),
            'u': lambda: record.unlink(),
            'c': lambda: record.create({**values}),
            'l': lambda: record.load(*self._prepare_import(fname, values[fname]))['ids'],
        }
        return ''.join(door for door in doors if self._is_open(calls[door]))

    def _prepare_import(self, fname, value):
        return (
            ([f'{fname}/.id'], [[str(value)]]) if isinstance(value, int) else ([fname], [[value]])
        )

    def _is_open(self, call):
        try:
            return bool(self._do_and_undo(call))
        except UserError:
            return False

    def test_figures_are_changed_by_nobody(self):
        for model in self.FIGURES:
            for role, user in self.users.items():
                with self.subTest(model=model, role=role):
                    records = self.env[model].with_user(user)
                    for operation in ('create', 'write', 'unlink'):
                        self.assertFalse(records.has_access(operation))

    def test_every_window_is_its_users_alone(self):
        card = self._make_one_of_each()['refill.card']
        other = self._new_user('other_manager', 'account.group_account_manager')
        for model, least in self.WINDOWS.items():
            for role, user in self.users.items():
                window = self._make_window(model, user, card)
                values = self._prepare_window_values(model, card)
                is_let_in = ROLES.index(role) >= ROLES.index(least)
                with self.subTest(model=model, role=role):
                    own = self._get_open_doors(window, values, 'srwuc')
                    self.assertEqual(own, 'srwuc' if is_let_in else '')
                    others = self._get_open_doors(window.with_user(other), values, 'srwu')
                    self.assertEqual(others, '')


@tagged('post_install', '-at_install')
class TestMethods(DoorsCase):
    # What the addon extends of Odoo's own is here, too: it must not let more people in. To the
    # public is open what tells nothing, such as an action that opens what the caller names.
    METHODS = {
        ('account.account', 'write'): 'manager',
        ('account.journal', 'write'): 'manager',
        ('account.move', 'action_net_refill_card_commission'): 'manager',
        ('account.move', 'action_choose_refill_cards'): 'manager',
        ('account.move', 'action_open_refill_cards'): 'manager',
        ('account.move', 'action_post'): 'manager',
        ('account.move', 'action_return_refill_cards'): 'manager',
        ('account.move', 'copy_data'): 'manager',
        ('account.move', 'create'): 'manager',
        ('account.move', 'button_cancel'): 'manager',
        ('account.move', 'button_draft'): 'manager',
        ('account.move', 'unlink'): 'manager',
        ('account.move', 'write'): 'manager',
        ('account.move.line', 'create'): 'manager',
        ('account.move.line', 'unlink'): 'manager',
        ('account.move.line', 'copy_data'): 'manager',
        ('account.move.line', 'write'): 'manager',
        ('account.partial.reconcile', 'create'): 'manager',
        ('account.partial.reconcile', 'unlink'): 'manager',
        ('account.payment', 'action_cancel'): 'manager',
        ('account.payment', 'action_draft'): 'manager',
        ('account.payment', 'action_open_refill_card'): 'manager',
        ('account.payment', 'action_post'): 'manager',
        ('account.payment', 'write'): 'manager',
        ('account.payment.method', 'write'): 'manager',
        ('account.payment.method.line', 'write'): 'manager',
        ('ir.http', 'session_info'): 'public',
        ('mail.mail', 'unlink'): 'administrator',
        ('mail.mail', 'write'): 'administrator',
        ('product.template', 'create'): 'administrator',
        ('product.template', 'write'): 'administrator',
        ('product.template', 'get_product_accounts'): 'employee',
        ('refill.card', 'activate'): 'manager',
        ('refill.card', 'check_code'): 'clerk',
        ('refill.card', 'disable'): 'manager',
        ('refill.card', 'export'): 'manager',
        ('refill.card', 'generate'): 'manager',
        ('refill.card', 'import_cards'): 'manager',
        ('refill.card', 'confirm_import'): 'manager',
        ('refill.card', 'get_import'): 'manager',
        ('refill.card', 'sell'): 'manager',
        ('refill.card', 'action_change'): 'manager',
        ('refill.card', 'action_hand_out'): 'manager',
        ('refill.card', 'action_delete'): 'manager',
        ('refill.card', 'action_edit'): 'public',
        ('refill.card', 'action_export'): 'manager',
        ('refill.card', 'action_open_invoice'): 'manager',
        ('refill.card', 'action_open_payment'): 'clerk',
        ('refill.card', 'action_open_release'): 'manager',
        ('refill.card', 'action_print'): 'manager',
        ('refill.card', 'action_redeem'): 'public',
        ('refill.card', 'action_replace'): 'manager',
        ('refill.card', 'action_return'): 'manager',
        ('refill.card', 'action_sell'): 'manager',
        ('refill.card', 'action_send'): 'manager',
        ('refill.card', 'action_show_code'): 'manager',
        ('refill.card', 'action_undo'): 'manager',
        ('refill.card', 'redeem_code'): 'clerk',
        ('refill.card', 'redeem_codes'): 'clerk',
        ('refill.card.approval', 'action_approve'): 'manager',
        ('refill.card.approval', 'action_open'): 'manager',
        ('refill.card.approval', 'action_refuse'): 'manager',
        # But for who asked for it, who is none of them.
        ('refill.card.approval', 'action_run'): NOBODY,
        ('refill.card.approval', 'action_withdraw'): NOBODY,
        ('refill.card.change', 'action_confirm'): 'manager',
        ('refill.card.unused.value', 'action_open_series'): 'manager',
        ('refill.card.unused.value', 'action_propose'): 'manager',
        ('refill.card.choose', 'action_choose'): 'manager',
        ('refill.card.hand.out', 'action_confirm'): 'manager',
        ('refill.card.export', 'action_download'): 'manager',
        ('refill.card.export', 'action_new'): 'manager',
        ('refill.card.export.wizard', 'action_confirm'): 'manager',
        ('refill.card.export.wizard', 'action_export'): 'manager',
        ('refill.card.dashboard', 'get_figures'): 'manager',
        ('refill.card.dashboard', 'get_owed'): 'manager',
        ('refill.card.find', 'action_find'): 'manager',
        ('refill.card.find', 'action_open'): 'public',
        ('refill.card.generate', 'action_generate'): 'manager',
        ('refill.card.import', 'action_back'): 'manager',
        ('refill.card.import', 'action_check'): 'manager',
        ('refill.card.import', 'action_confirm'): 'manager',
        ('refill.card.import', 'action_discard'): 'manager',
        ('refill.card.import', 'action_download_problems'): 'manager',
        ('refill.card.import', 'action_open'): 'public',
        ('refill.card.import', 'action_open_opening'): 'manager',
        ('refill.card.import', 'action_open_series'): 'manager',
        ('refill.card.import', 'action_reverse'): 'manager',
        ('refill.card.lockout', 'action_unlock'): 'manager',
        ('refill.card.opening', 'action_state'): 'manager',
        ('refill.card.redeem', 'action_redeem'): 'clerk',
        ('refill.card.plant', 'action_download'): 'manager',
        ('refill.card.report', 'action_open_card'): 'clerk',
        ('refill.card.release', 'action_release'): 'manager',
        ('refill.card.refuse', 'action_refuse'): 'manager',
        ('refill.card.replace', 'action_confirm'): 'manager',
        ('refill.card.replacement.request', 'action_find'): 'manager',
        ('refill.card.replacement.request', 'action_refuse'): 'public',
        ('refill.card.replacement.request', 'action_replace'): 'manager',
        ('refill.card.return', 'action_return'): 'manager',
        ('refill.card.roll.forward', 'action_export'): 'manager',
        ('refill.card.roll.forward', 'action_open'): 'manager',
        ('refill.card.roll.forward', 'action_print'): 'manager',
        ('refill.card.roll.forward', 'action_show'): 'manager',
        ('refill.card.roll.forward.debtor', 'action_open'): 'manager',
        ('refill.card.roll.forward.line', 'action_open'): 'manager',
        ('refill.card.roll.forward.reason', 'action_open'): 'manager',
        ('refill.card.sell', 'action_sell'): 'manager',
        ('refill.card.send', 'action_send'): 'manager',
        ('refill.card.sending', 'action_send_again'): 'manager',
        ('refill.card.settle', 'action_settle'): 'manager',
        ('refill.card.series', 'action_change'): 'manager',
        ('refill.card.series', 'action_hand_out'): 'manager',
        ('refill.card.series', 'action_delete'): 'manager',
        ('refill.card.series', 'action_edit'): 'public',
        ('refill.card.series', 'action_export'): 'manager',
        ('refill.card.series', 'action_open_cards'): 'clerk',
        ('refill.card.series', 'action_plant_canaries'): 'manager',
        ('refill.card.series', 'action_print'): 'manager',
        ('refill.card.series', 'action_release_redemption'): 'manager',
        ('refill.card.series', 'action_sell'): 'manager',
        ('refill.card.undo', 'action_undo'): 'manager',
        ('refill.card.unfreeze', 'action_release'): 'manager',
        ('refill.card.webhook', 'action_drop_old_secret'): 'manager',
        ('refill.card.webhook', 'action_renew_secret'): 'manager',
        ('refill.card.webhook.delivery', 'action_resend'): 'manager',
        ('res.company', 'create'): 'administrator',
        ('res.company', 'write'): 'administrator',
        ('res.config.settings', 'action_add_refill_card_journal'): 'administrator',
        ('res.config.settings', 'action_open_refill_card_journals'): 'administrator',
        ('res.config.settings', 'create'): 'administrator',
        ('res.config.settings', 'write'): 'administrator',
        ('res.partner', 'action_open_refill_cards'): 'clerk',
        ('res.partner', 'action_redeem_refill_card'): 'public',
        ('res.partner', 'action_settle_refill_cards'): 'manager',
        ('res.partner', 'unlink'): 'administrator',
        ('res.users', 'unlink'): 'administrator',
    }

    def test_every_public_method_lets_in_who_may_and_nobody_else(self):
        self._assert_all_have_a_line(self._get_public_methods(), self.METHODS)
        calls = self._prepare_calls()
        # Whoever is asked for their password has just typed it.
        request = Mock(session=Session({'identity-check-last': time.time()}))
        self.startPatcher(patch('odoo.addons.base.models.res_users.request', request))
        for (model, method), least in self.METHODS.items():
            for role, user in self.users.items():
                with self.subTest(model=model, method=method, role=role):
                    self.assertEqual(
                        self._is_let_in(user, model, method, calls),
                        least != NOBODY and ROLES.index(role) >= ROLES.index(least),
                    )

    def _get_public_methods(self):
        """Return the methods that the addon opens to RPC or extends, each with its model.

        Without what every model has: who creates, reads, writes or deletes the addon's own records
        is told by their models' lines.
        """
        own = {model._name for model in self._get_models()}
        return {
            (model._name if model._name in own else definition._name, name)
            for model in self.env.registry.values()
            if model._name not in TestModels.ABSTRACT
            for definition in model.mro()
            if definition.__module__.startswith(f'odoo.addons.{MODULE}.')
            for name, method in vars(definition).items()
            if inspect.isroutine(method)
            and self._is_public(definition._name, name)
            and not (definition._name in {*own, 'base'} and hasattr(BaseModel, name))
        }

    def _is_public(self, model, name):
        try:
            return bool(get_public_method(self.env[model], name))
        except AccessError:
            return False

    def _prepare_calls(self):
        """Return record and arguments of each call on something else than one of each model."""
        self.records = self._make_one_of_each()
        card = self.records['refill.card']
        expired = self._generate_card().sudo()
        self._sell_cards(expired, self.stranger)
        expired._change_state('expired', valid_till=Date.to_date('2026-01-01'))
        journal = self.company_data['default_journal_bank']
        invoice, draft = (self._invoice(10, partner=self.stranger) for _number in range(2))
        draft.button_draft()
        payment = self.env['account.payment'].create({'amount': 10, 'partner_id': self.stranger.id})
        posted = payment.copy()
        posted.action_post()
        lines = (invoice + posted.move_id).line_ids
        lines = lines.filtered(lambda line: line.account_id.account_type == 'asset_receivable')
        lines.reconcile()
        method_line = journal.inbound_payment_method_line_ids[0]
        settings = self.env['res.config.settings'].create({})
        mail = self.env['mail.mail'].with_user(self.users['administrator'])
        mail = mail.create({'subject': "x", 'is_notification': True})
        return {
            ('account.account', 'write'): (lines.account_id[0], {'name': "x"}),
            ('account.journal', 'write'): (journal, {'name': "x"}),
            ('account.move', 'action_choose_refill_cards'): (self.draft,),
            ('account.move', 'action_open_refill_cards'): (self.invoice,),
            ('account.move', 'action_post'): (draft,),
            ('account.move', 'action_return_refill_cards'): (self.invoice,),
            ('account.move', 'action_net_refill_card_commission'): (self._make_commission(),),
            ('account.move', 'button_cancel'): (draft,),
            ('account.move', 'button_draft'): (invoice,),
            ('account.move', 'copy_data'): (draft,),
            ('account.move', 'create'): (draft.browse(), {'move_type': 'out_invoice'}),
            ('account.move', 'unlink'): (draft,),
            ('account.move', 'write'): (draft, {'ref': "x"}),
            ('account.move.line', 'create'): (
                lines.browse(),
                {'move_id': draft.id, 'name': "x", 'tax_ids': False},
            ),
            ('account.move.line', 'unlink'): (draft.invoice_line_ids,),
            ('account.move.line', 'copy_data'): (draft.invoice_line_ids,),
            ('account.move.line', 'write'): (draft.invoice_line_ids, {'name': "x"}),
            ('account.partial.reconcile', 'create'): (
                lines.matched_credit_ids.browse(),
                {
                    'debit_move_id': draft.line_ids[-1].id,
                    'credit_move_id': posted.move_id.line_ids[-1].id,
                },
            ),
            ('account.partial.reconcile', 'unlink'): (lines.matched_credit_ids[0],),
            ('account.payment', 'action_cancel'): (payment,),
            ('account.payment', 'action_draft'): (posted,),
            ('account.payment', 'action_open_refill_card'): (self.used.payment_id,),
            ('account.payment', 'action_post'): (payment,),
            ('account.payment', 'write'): (payment, {'memo': "x"}),
            ('account.payment.method', 'write'): (method_line.payment_method_id, {'name': "x"}),
            ('account.payment.method.line', 'write'): (method_line, {'name': "x"}),
            ('mail.mail', 'unlink'): (mail,),
            ('mail.mail', 'write'): (mail, {'subject': "y"}),
            ('product.template', 'create'): (self.env['product.template'], {'name': "x"}),
            ('product.template', 'write'): (self.product_a.product_tmpl_id, {'name': "x"}),
            ('product.template', 'get_product_accounts'): (self.product_a.product_tmpl_id,),
            ('refill.card', 'action_open_invoice'): (self.sold,),
            ('refill.card', 'action_open_payment'): (self.used,),
            ('refill.card', 'action_open_release'): (self.sold,),
            ('refill.card', 'action_return'): (self.sold,),
            ('refill.card', 'action_undo'): (self.used,),
            ('refill.card', 'activate'): (card.browse(), card.name, card.name),
            ('refill.card', 'check_code'): (card.browse(), card.sudo().code),
            ('refill.card', 'disable'): (card.browse(), card.name, card.name, 'lost'),
            ('refill.card', 'export'): (card.browse(), card.series_id.ids),
            ('refill.card', 'generate'): (card.browse(), 1, 25),
            ('refill.card', 'import_cards'): (
                card.browse(),
                base64.b64encode(b'Code,Price\nother1aB3,25\n').decode(),
                'x.csv',
            ),
            ('refill.card', 'confirm_import'): (card.browse(), self.checked.id),
            ('refill.card', 'get_import'): (card.browse(), self.checked.id),
            ('refill.card.import', 'action_back'): (self.checked,),
            ('refill.card.import', 'action_confirm'): (self.checked,),
            ('refill.card.import', 'action_open_opening'): (self.imported,),
            ('refill.card.import', 'action_reverse'): (self.imported,),
            ('refill.card', 'redeem_code'): (card.browse(), card.sudo().code, self.stranger.id),
            ('refill.card', 'redeem_codes'): (card.browse(), [card.sudo().code], self.stranger.id),
            ('refill.card', 'sell'): (card.browse(), self.stranger.id, card.series_id.id),
            ('res.company', 'create'): (self.company.browse(), {'name': "x"}),
            ('res.company', 'write'): (self.company, {'name': "x"}),
            ('res.config.settings', 'action_add_refill_card_journal'): (settings,),
            ('res.config.settings', 'action_open_refill_card_journals'): (settings,),
            ('res.config.settings', 'create'): (settings.browse(), {}),
            ('res.config.settings', 'write'): (settings, {'refill_card_portal': True}),
            ('res.partner', 'action_open_refill_cards'): (self.stranger,),
            ('res.partner', 'action_redeem_refill_card'): (self.stranger,),
            ('res.partner', 'action_settle_refill_cards'): (self.stranger,),
            ('res.users', 'unlink'): (self._new_user('leaver', 'base.group_user'),),
        }

    def _make_figure(self, model, user):
        report = self.env['refill.card.roll.forward'].with_user(user).sudo().create({})
        values = {
            'refill.card.roll.forward.debtor': {'partner_id': self.customer.id},
            'refill.card.roll.forward.line': {'name': "x", 'measure': 'count', 'kind': 'series'},
            'refill.card.roll.forward.reason': {
                'name': "x",
                'kind': 'reason',
                'model': 'account.move',
                'domain': [],
            },
        }[model]
        return report.env[model].create({'roll_forward_id': report.id, **values})

    def _make_commission(self):
        """Return an invoice of an agent whose commission is confirmed."""
        agreement = {'partner_id': self.customer.id, 'kind': 'commission', 'percent': 10}
        self.env['refill.card.agreement'].create(agreement)
        card = self._generate_card()
        card.sudo()._consign(self.customer)
        self._redeem(card, self.stranger)
        moves = self.env['account.move'].with_user(self.users['manager'])
        invoice = moves._settle_refill_cards(self.company, Date.today(), self.customer)
        invoice.action_post()
        invoice.sudo().refill_card_bill_ids.action_post()
        return invoice

    def _is_let_in(self, user, model, method, calls):
        def call():
            record, *arguments = calls.get((model, method)) or [self._get_record(model, user)]
            getattr(record.with_user(user).sudo(False), method)(*arguments)

        try:
            with MockRequest(self.env(user=user)) if model == 'ir.http' else nullcontext():
                self._do_and_undo(call)
        except AccessError:
            return False
        return True

    def _get_record(self, model, user):
        if model in TestModels.WINDOWS:
            return self._make_window(model, user, self.records['refill.card'])
        if model in TestModels.FIGURES:
            return self._make_figure(model, user)
        return self.records.get(model, self.env[model])


@tagged('post_install', '-at_install')
class TestRoutes(DoorsCase, HttpCase):
    LOGGED_IN = {*ROLES} - {'public'}
    ROUTES = {
        ('/refill_cards/import/<int:import_id>/problems', 'GET'): {'manager', 'administrator'},
        ('/my/refill', 'GET'): LOGGED_IN,
        ('/my/refill', 'POST'): LOGGED_IN,
        ('/my/refill/done', 'GET'): LOGGED_IN,
        ('/my/refill/cards', 'GET'): {'customer'},
        ('/my/refill/cards/page/<int:page>', 'GET'): {'customer'},
        ('/my/refill/cards/show', 'POST'): {'customer'},
        ('/my/refill/cards/pdf', 'POST'): {'customer'},
        ('/my/refill/replacement', 'GET'): LOGGED_IN,
        ('/my/refill/replacement', 'POST'): LOGGED_IN,
        ('/my/refill/reseller', 'GET'): {'customer'},
        ('/my/refill/reseller/page/<int:page>', 'GET'): {'customer'},
        ('/my/refill/reseller/activate', 'POST'): {'customer'},
        ('/my/refill/reseller/undo', 'POST'): {'customer'},
        ('/my/refill/reseller/day', 'GET'): {'customer'},
        ('/my/refill/reseller/statement/<int:file_id>', 'GET'): {'customer'},
        ('/my/payments', 'GET'): LOGGED_IN,
        ('/my/payments/page/<int:page>', 'GET'): LOGGED_IN,
        ('/my/payments/<int:payment_id>/receipt', 'GET'): {'customer'},
    }
    # Fields that hold files or pictures, and the least role that gets at them, None for nobody.
    FILES = {
        ('refill.card.export', 'file'): 'manager',
        ('refill.card.import', 'file'): None,
        ('refill.card.import', 'sealed_file'): None,
        ('refill.card.layout', 'back_picture'): 'clerk',
        ('refill.card.layout', 'background'): 'clerk',
        ('refill.card.layout', 'logo'): 'clerk',
        ('refill.card.layout', 'preview'): 'clerk',
        ('refill.card.replacement.request', 'receipt'): 'manager',
        ('refill.card.plant', 'file'): 'manager',
        ('refill.card.roll.forward', 'xlsx'): 'manager',
    }

    def _log_in(self, role):
        login = self.users[role].sudo().login
        self.authenticate(*(None, None) if role == 'public' else (login, login))

    def test_every_route_lets_in_who_may_and_nobody_else(self):
        self._assert_all_have_a_line(self._get_routes(), self.ROUTES)
        self.company.refill_card_portal = True
        payment = self._redeem(self._generate_card())
        self.company.refill_card_reseller_portal = True
        stock, bought = self._generate(2).card_ids.sudo()
        stock._consign(self.customer)
        self._sell_cards(bought, self.customer)
        used = self._generate_card()
        used.sudo()._consign(self.customer)
        self._redeem(used, partner=self.stranger)
        moves = self.env['account.move'].with_user(self.accountant)
        settlement = moves._settle_refill_cards(self.company, Date.today(), self.customer)
        settlement.action_post()
        file = settlement._get_refill_card_statements()[0]
        record = self._upload('new')
        for role in ROLES:
            self._log_in(role)
            for (route, method), roles in self.ROUTES.items():
                url = route.replace('<int:page>', '1')
                url = url.replace('<int:payment_id>', str(payment.id))
                url = url.replace('<int:file_id>', str(file.id))
                url = url.replace('<int:import_id>', str(record.id))
                token = http.Request.csrf_token(self)
                data = {'csrf_token': token, 'code': 'x', 'card': 'x', 'card_id': bought.id}
                with self.subTest(route=route, method=method, role=role):
                    response = self.url_open(url, data=data if method == 'POST' else None)
                    is_let_in = response.ok and '/web/login' not in response.url
                    self.assertEqual(is_let_in, role in roles)

    def _get_routes(self):
        rules = http._generate_routing_rules(sorted(self.env.registry._init_modules), False)
        return {
            (url, method)
            for url, endpoint in rules
            if endpoint.__module__.startswith(f'odoo.addons.{MODULE}.')
            for method in endpoint.routing['methods'] or ['GET', 'POST']
        }

    def test_every_file_is_given_to_who_may_have_it_and_nobody_else(self):
        self._assert_all_have_a_line(self._get_file_fields(), self.FILES)
        before = self._get_attachments()
        records = self._make_one_of_each()
        pictures = ('back_picture', 'background', 'logo')
        records['refill.card.layout'].write(dict.fromkeys(pictures, PICTURE))
        made = self._get_attachments() - before
        self.assertLessEqual({(file.res_model, file.res_field) for file in made}, set(self.FILES))
        # Whoever is asked for their password has just typed it.
        cards = self.registry['refill.card']
        self.startPatcher(patch.object(cards, '_is_identity_checked', return_value=True))
        for role in ROLES:
            self._log_in(role)
            for (model, field), least in self.FILES.items():
                if model in TestModels.WINDOWS:  # of whoever asks
                    user = self.users[role]
                    records[model] = self._make_window(model, user, records['refill.card'])
                url = f'/web/content/{model}/{records[model].id}/{field}'
                with self.subTest(model=model, field=field, role=role):
                    is_let_in = bool(least) and ROLES.index(role) >= ROLES.index(least)
                    response = self.url_open(url)
                    self.assertEqual(response.ok and bool(response.content), is_let_in)

    def _get_file_fields(self):
        return {
            (field.model_name, name)
            for model in self.env.registry.values()
            for name, field in model._fields.items()
            if field.type == 'binary' and field._module == MODULE
        }

    def _get_attachments(self):
        """Return all attachments, also those of fields, but for what pages are made of."""
        attachments = self.env['ir.attachment'].sudo().with_context(skip_res_field_check=True)
        return attachments.search([('res_model', '!=', 'ir.ui.view')])
