"""What clients do while faults happen: each by the door that people and programs use."""

import base64
import json
import random
import string
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from database import Database, create_series
from faults_machine import Machine
from lxml import html
from odoo import api
from odoo.fields import Command, Date, Domain

PASSWORD = 'benchmark'
TIMEOUT = 150  # seconds; a worker may wait for its turn, and a job that redeems for locks
REPETITIONS = 60
PAUSE = 0.5  # seconds
BATCH = 20
CHARACTERS = string.ascii_letters + string.digits
IN_BACKGROUND = 21_000
FEW = 5_000
# How often each is done, one against the other.
WEIGHTS = {
    'redeem': 8,
    'portal': 4,
    'batch': 4,
    'generation': 1,
    'export': 2,
    'import': 2,
    'bulk change': 3,
    'sale': 4,
    'settlement': 3,
}
NO_ANSWER = "no answer"


@dataclass
class Call:
    """A redemption that is repeated, as it was sent, until it is answered."""

    operation: str
    url: str
    body: dict[str, Any]
    answer: Any = None

    @property
    def redeemed(self) -> int:
        """How many cards the answer says are redeemed."""
        if isinstance(self.answer, list):
            return sum('payment_id' in each for each in self.answer)
        return int(self.answer is not None)


@dataclass
class World:
    """What there is to work with."""

    codes: list[str]
    customer_ids: list[int]
    reseller_id: int
    stock_id: int
    changed_id: int
    exported_ids: list[int]
    key: str
    has_batches: bool


@dataclass
class Clients:
    """Whoever works with cards, several at once.

    :param seen: how often which operation was answered how, at first.
    :param repeated: the same of calls that were sent again.
    """

    machine: Machine
    world: World
    rng: random.Random
    seen: Counter = field(default_factory=Counter)
    repeated: Counter = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._staff, self._customer = requests.Session(), requests.Session()
        self._headers = {
            'Authorization': f'bearer {self.world.key}',
            'X-Odoo-Database': self.machine.database,
        }
        self.operations = {
            'redeem': self.redeem,
            'portal': self.redeem_in_portal,
            'batch': self.redeem_batch,
            'generation': self.generate,
            'export': self.export,
            'import': self.import_table,
            'bulk change': self.change,
            'sale': self.sell,
            'settlement': self.settle,
        }
        if not self.world.has_batches:
            del self.operations['batch']

    def log_in(self) -> None:
        for session, login in ((self._staff, 'benchmark'), (self._customer, 'customer')):
            login = {'db': self.machine.database, 'login': login, 'password': PASSWORD}
            session.post(
                f'{self.machine.url}/web/session/authenticate',
                json={'jsonrpc': '2.0', 'params': login},
                timeout=TIMEOUT,
            ).raise_for_status()

    def start(self, count: int) -> list[threading.Thread]:
        """Begin so many operations at once, whichever."""
        names = list(self.operations)
        weights = [WEIGHTS[name] for name in names]
        threads = []
        for name in self.rng.choices(names, weights, k=count):
            seed = self.rng.random()
            thread = threading.Thread(target=self._do, args=(name, random.Random(seed)))
            thread.start()
            threads.append(thread)
        return threads

    def _do(self, name: str, rng: random.Random) -> None:
        self.seen[name, self.operations[name](rng)] += 1

    # -------------------------------------------------------------------------
    # REDEEMING, WHICH IS REPEATED UNTIL IT IS ANSWERED
    # -------------------------------------------------------------------------

    def redeem(self, rng: random.Random) -> str:
        body = {'code': self.world.codes.pop(), 'partner_id': rng.choice(self.world.customer_ids)}
        return self._redeem_by_api('redeem', 'redeem_code', body)

    def redeem_batch(self, rng: random.Random) -> str:
        codes = [self.world.codes.pop() for _number in range(BATCH)]
        body = {'codes': codes, 'partner_id': rng.choice(self.world.customer_ids)}
        return self._redeem_by_api('batch', 'redeem_codes', body)

    def _redeem_by_api(self, operation: str, method: str, body: dict) -> str:
        body['reference'] = uuid.uuid4().hex
        call = Call(operation, f'{self.machine.url}/json/2/refill.card/{method}', body)
        self.calls.append(call)
        return self._send(call)

    def redeem_in_portal(self, rng: random.Random) -> str:
        url = f'{self.machine.url}/my/refill'
        try:
            page = self._customer.get(url, timeout=TIMEOUT)
        except requests.RequestException:
            return NO_ANSWER
        fields = html.fromstring(page.text).xpath("//form[@action='/my/refill']//input[@name]")
        if not fields:
            return f"no form, {page.status_code}"
        body = {each.get('name'): each.get('value') or '' for each in fields}
        body.pop('is_typed_kept', None)  # a browser without JavaScript
        body['code'] = self.world.codes.pop()
        call = Call('portal', url, body)
        self.calls.append(call)
        return self._send(call)

    def _send(self, call: Call) -> str:
        """Send a call, keep its answer, and say how it was answered.

        :raise AssertionError: when it was answered otherwise before
        """
        is_page = call.operation == 'portal'
        try:
            response = (
                self._customer.post(call.url, data=call.body, timeout=TIMEOUT)
                if is_page
                else requests.post(call.url, json=call.body, headers=self._headers, timeout=TIMEOUT)
            )
        except requests.RequestException:
            return NO_ANSWER
        if is_page and response.ok and not response.url.endswith('/my/refill/done'):
            alerts = html.fromstring(response.text).xpath("//*[@role='alert']")
            return f"refused: {' '.join(alerts[0].text_content().split())[:60]}" if alerts else "?"
        if response.ok:
            answer = True if is_page else response.json()
            assert call.answer in (None, answer), f"two answers: {call.answer} and {answer}"
            call.answer = answer
            return '200'
        return _describe(response)

    def repeat_unanswered(self, also: int) -> list[str]:
        """Repeat each call that was not answered, until it is, and some others.

        :param also: how many of those that were answered.
        :return: what is wrong
        """
        wrong = []
        answered = [call for call in self.calls if call.answer is not None]
        unanswered = [call for call in self.calls if call.answer is None]
        for call in unanswered + self.rng.sample(answered, min(also, len(answered))):
            for _repetition in range(REPETITIONS):
                try:
                    label = self._send(call)
                except AssertionError as error:
                    wrong.append(f"{call.operation}: {error}")
                    break
                self.repeated[call.operation, label] += 1
                if label == '200':
                    break
                time.sleep(PAUSE)
            else:
                wrong.append(f"{call.operation} is not done by repeating it: {label}")
        self.calls = [call for call in self.calls if call.answer is not None]
        return wrong

    # -------------------------------------------------------------------------
    # THE SCREEN
    # -------------------------------------------------------------------------

    def generate(self, rng: random.Random) -> str:
        values = {'quantity': IN_BACKGROUND, 'price': rng.randrange(5, 50)}
        return self._use_window('refill.card.generate', values, 'action_generate')

    def export(self, rng: random.Random) -> str:
        values = {
            'series_ids': [Command.set([rng.choice(self.world.exported_ids)])],
            'file_format': rng.choice(['csv', 'csv', 'xlsx']),
            'scope': 'all',
        }
        return self._use_window('refill.card.export.wizard', values, 'action_confirm')

    def import_table(self, rng: random.Random) -> str:
        """Confirm a table that was checked in the background meanwhile, else bring another one."""
        try:
            checked = self._call('refill.card.import', 'search', [[('state', '=', 'checked')]])
            if checked:
                self._call('refill.card.import', 'action_confirm', [checked[:1]])
            else:
                self._call('refill.card', 'import_cards', [_write_table(rng), 'cards.csv'])
        except requests.RequestException:
            return NO_ANSWER
        except Failure as failure:
            return str(failure)
        return '200'

    def change(self, rng: random.Random) -> str:
        operation = rng.choice(['disable', 'enable', 'extend'])
        values = {
            'series_ids': [Command.set([self.world.changed_id])],
            'operation': operation,
            'reason': 'lost',
            'valid_till': Date.to_string(Date.add(Date.today(), days=rng.randrange(30, 400))),
        }
        return self._use_window('refill.card.change', values, 'action_confirm')

    def settle(self, rng: random.Random) -> str:
        values = {
            'partner_ids': [Command.set([self.world.reseller_id])],
            'day': Date.to_string(Date.today()),
        }
        return self._use_window('refill.card.settle', values, 'action_settle', then='action_post')

    def sell(self, rng: random.Random) -> str:
        values = {
            'series_ids': [Command.set([self.world.stock_id])],
            'quantity': rng.randrange(1, 30),
            'partner_id': rng.choice(self.world.customer_ids),
        }
        return self._use_window('refill.card.sell', values, 'action_sell', then='action_post')

    def _use_window(self, model: str, values: dict, button: str, then: str | None = None) -> str:
        """Open a window, press its button, type the password if asked, and press the next one."""
        try:
            window_id = self._call(model, 'create', [values])
            action = self._call(model, button, [[window_id]])
            if isinstance(action, dict) and action.get('res_model') == 'res.users.identitycheck':
                context = {'password': PASSWORD}
                self._call(action['res_model'], 'run_check', [[action['res_id']]], context=context)
            if then:
                ids = [action['res_id']] if action.get('res_id') else action['domain'][0][2]
                self._call(action['res_model'], then, [ids])
        except requests.RequestException:
            return NO_ANSWER
        except Failure as failure:
            return str(failure)
        return '200'

    def _call(self, model: str, method: str, args: list, **kwargs: Any) -> Any:
        params = {'model': model, 'method': method, 'args': args, 'kwargs': kwargs}
        response = self._staff.post(
            f'{self.machine.url}/web/dataset/call_kw/{model}/{method}',
            json={'jsonrpc': '2.0', 'params': params},
            timeout=TIMEOUT,
        )
        if not response.ok or 'error' in response.json():
            raise Failure(_describe(response))
        return response.json().get('result')


def _write_table(rng: random.Random) -> str:
    """Return a table with codes that nobody guesses, as a client sends it."""
    codes = (''.join(rng.choices(CHARACTERS, k=16)) for _number in range(IN_BACKGROUND))
    table = '\n'.join(['Code,Price', *(f'{code},{rng.randrange(5, 9)}' for code in codes)])
    return base64.b64encode(table.encode()).decode()


class Failure(Exception):
    """A call of the screen was answered with an error."""


def _describe(response: requests.Response) -> str:
    """Say in few words what a client got."""
    try:
        answer = response.json()
    except json.JSONDecodeError:
        return str(response.status_code)
    error = answer.get('error', answer)
    error = error.get('data', error)
    if response.status_code == 503:
        return f"503 {error['context']['reason']}"
    name = error.get('name', '').rpartition('.')[2]
    reason = (error.get('context') or {}).get('reason')
    return ' '.join(filter(None, [str(response.status_code), name, reason]))


# -------------------------------------------------------------------------
# THE WORLD
# -------------------------------------------------------------------------


def prepare(database: Database, redemptions: int) -> World:
    """Make cards for so many redemptions, and who deals with them."""
    with database.environment() as env:
        accountant = env['res.users'].browse(database.accountant_id)
        accountant.password = PASSWORD
        partners = env['res.partner'].create([{'name': f"Customer {n}"} for n in range(10)])
        company = accountant.company_id
        company.refill_card_portal = True
        company._add_refill_card_journal()  # so that redemptions don't wait for each other
        _create_customer(env, partners[0], company)
        reseller = env['res.partner'].create({'name': "Reseller"})
        series = {
            name: _generate(env, quantity)
            for name, quantity in {
                'plain': redemptions // 2,
                'consigned': redemptions // 2,
                'stock': FEW * 4,
                'changed': FEW,
                'exported': FEW,
                'exported in the background': IN_BACKGROUND,
            }.items()
        }
        series['consigned'].card_ids._consign(reseller)
        # Taken from the end, one by one: cards of both kinds in turn.
        pairs = zip(*map(_list_codes, (series['plain'], series['consigned'])), strict=True)
        keys = env(user=accountant)['res.users.apikeys']
        return World(
            codes=[code for pair in pairs for code in pair],
            customer_ids=partners.ids,
            reseller_id=reseller.id,
            stock_id=series['stock'].id,
            changed_id=series['changed'].id,
            exported_ids=[
                series['exported'].id,
                series['exported'].id,
                series['exported in the background'].id,
            ],
            key=keys._generate('rpc', "Faults", datetime.now() + timedelta(days=1)),
            has_batches=hasattr(env['refill.card'], 'redeem_codes'),
        )


def _generate(env: api.Environment, quantity: int) -> Any:
    series = create_series(env, quantity)
    series._generate_cards(quantity)
    return series


def _list_codes(series: Any) -> list[str]:
    batches = series.card_ids._iterate_codes(Domain('series_id', '=', series.id), FEW)
    return [series._get_format().display(body) for _ids, bodies in batches for body in bodies]


def _create_customer(env: api.Environment, partner: Any, company: Any) -> None:
    env['res.users'].create(
        {
            'login': 'customer',
            'password': PASSWORD,
            'partner_id': partner.id,
            'company_id': company.id,
            'company_ids': company.ids,
            'group_ids': env.ref('base.group_portal').ids,
        }
    )
