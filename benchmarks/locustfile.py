"""Load on a running Odoo: redemptions beside bare payments, the portal, refusals, lists.

`python3 sandbox bench --load` runs all of it. By hand: fill a database with stock.py, serve it, and
`REFILL_CARDS_STOCK=FILE locust -f benchmarks/locustfile.py --host http://… [CLASS ...]`.
"""

import itertools
import json
import os
import random
import re
import uuid
from pathlib import Path
from typing import Any

from locust import HttpUser, constant, task
from locust.clients import ResponseContextManager

STOCK = json.loads(Path(os.environ['REFILL_CARDS_STOCK']).read_text())
# Locust runs all users in one process. A card that was used in an earlier run is passed over.
CODES = iter(STOCK['codes'][int(os.environ.get('REFILL_CARDS_USED', 0)) :])
NUMBERS = itertools.count()


class ApiUser(HttpUser):
    """A program with an API key that asks again as soon as it was answered."""

    abstract = True
    wait_time = constant(0)
    login: str

    def call(self, model: str, method: str, **arguments: Any) -> Any:
        """Call a method over JSON-2; locust counts it by its name."""
        with self.ask(model, method, **arguments) as response:
            if response.ok:
                return response.json()
            response.failure(f'{response.status_code} {response.text[:300]}')

    def ask(
        self, model: str, method: str, kind: str = '', **arguments: Any
    ) -> ResponseContextManager:
        """Call a method; the caller says whether its answer is as it should be.

        :param kind: what locust counts apart.
        """
        path = f'/json/2/{model}/{method}'
        return self.client.post(
            path,
            name=path + kind,
            json=arguments,
            headers={'Authorization': f'Bearer {STOCK[self.login]}'},
            catch_response=True,
        )


class RedeemUser(ApiUser):
    """Redeems cards, each for one of many customers."""

    login = 'clerk'

    @task
    def redeem(self) -> None:
        code = next(CODES, None)
        if code is None:
            self.environment.runner.quit()
            return
        self.call(
            'refill.card',
            'redeem_code',
            code=code,
            partner_id=random.choice(STOCK['customers']),
            reference=str(uuid.uuid4()),
        )


class PaymentUser(ApiUser):
    """Makes and posts Odoo's bare payment, as a program does that knows no refill cards."""

    login = 'accountant'

    @task
    def pay(self) -> None:
        values = {**STOCK['payment'], 'partner_id': random.choice(STOCK['customers'])}
        if ids := self.call('account.payment', 'create', vals_list=[values]):
            self.call('account.payment', 'action_post', ids=ids)


class RefusedUser(ApiUser):
    """Sends codes that are wrong, each for another caller."""

    login = 'clerk'

    @task
    def send_wrong_code(self) -> None:
        wrong = f'{STOCK["codes"][0][:-5]}{next(NUMBERS):05}'
        arguments = {'code': wrong, 'partner_id': random.choice(STOCK['customers'])}
        arguments['caller'] = str(uuid.uuid4())
        with self.ask('refill.card', 'redeem_code', ', a wrong code', **arguments) as response:
            if response.status_code == 422:
                response.success()


class ListUser(ApiUser):
    """Looks at lists and statistics, as staff do."""

    login = 'accountant'

    @task
    def read_cards(self) -> None:
        specification = {'name': {}, 'code': {}, 'state': {}, 'price': {}, 'partner_id': {}}
        for model, fields in (('refill.card', specification), ('refill.card.series', {'name': {}})):
            self.call(model, 'web_search_read', domain=[], specification=fields, limit=80)
        self.call('refill.card.dashboard', 'get_figures')


class PortalUser(HttpUser):
    """A customer who looks at the portal, with a second of thought."""

    wait_time = constant(1)

    def on_start(self) -> None:
        page = self.client.get('/web/login').text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
        fields = {'csrf_token': token, 'login': 'customer', 'password': STOCK['password']}
        self.client.post('/web/login', fields)

    @task
    def look(self) -> None:
        for page in ('/my', '/my/refill', '/my/payments'):
            self.client.get(page)
