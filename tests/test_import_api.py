import base64

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .import_common import SPLYNX, ImportCommon


@tagged('post_install', '-at_install')
class TestImportApi(ImportCommon):
    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card'].with_user(self.manager)

    def _encode(self, table):
        return base64.b64encode(table.encode()).decode()

    def test_who_does_not_manage_cards_calls_nothing(self):
        told = self.cards.import_cards(self._encode(SPLYNX), 'x.csv', preset='splynx')
        for user in (self.customer_user, self.employee, self.clerk):
            cards = self.env['refill.card'].with_user(user)
            with self.subTest(user=user.login):
                with self.assertRaises(AccessError):
                    cards.import_cards(self._encode(SPLYNX), 'x.csv')
                for call in (cards.get_import, cards.confirm_import):
                    with self.assertRaises(AccessError):
                        call(told['import_id'])

    def test_what_cannot_be_understood_is_refused_with_a_sentence(self):
        for given, sentence in (
            ({'file': 'é'}, "is given in Base64"),
            ({'preset': 'x'}, "is one of: splynx"),
            ({'columns': {'code': 'Secret'}}, "has no column “Secret”"),
            ({'columns': {'secret': 'Code'}}, "is one of: code, serial"),
            ({'columns': 'Code'}, "names the label of a column"),
            ({'price': 'x'}, "is given as a number"),
            ({'currency': 'XXX'}, "There is no active currency"),
        ):
            call = {'file': self._encode(SPLYNX), 'name': 'x.csv', **given}
            with self.subTest(given=given), self.assertRaisesRegex(UserError, sentence):
                self.cards.import_cards(**call)

    def test_a_program_checks_compares_and_imports(self):
        table = "Secret,Price\naB3xK9mQ2zL7wR5t,25\nbC4yL8nR3aM6xS9u,20\nx,1\n"
        call = {'columns': {'code': 'Secret'}, 'reference': 'one'}
        told = self.cards.import_cards(self._encode(table), 'x.csv', **call)
        self.assertEqual((told['state'], told['lines'], told['count']), ('checked', 3, 2))
        self.assertEqual([each['line'] for each in told['problems']], [4])
        self.assertEqual(told, self.cards.import_cards(self._encode(table), 'x.csv', **call))
        total = {'state': 'active', 'currency': 'USD', 'amount': 46}
        with self.assertRaisesRegex(UserError, "those in the other system"):
            self.cards.confirm_import(told['import_id'], [total])
        total['amount'] = 45
        done = self.cards.confirm_import(told['import_id'], [total])
        self.assertEqual((done['state'], done['count']), ('done', 2))
        self.assertEqual(done, self.cards.get_import(told['import_id']))

    def test_codes_that_could_be_guessed_wait_for_another_manager(self):
        told = self.cards.import_cards(self._encode(SPLYNX), 'x.csv', preset='splynx')
        answer = self.cards.confirm_import(told['import_id'], risk_reason="Printed in 2022")
        self.assertEqual(answer['state'], 'waiting')
        approvals = self.env['refill.card.approval'].with_user(self.second)
        approvals.browse(answer['approval_id']).action_approve()
        self.assertEqual(self.cards.get_import(told['import_id'])['state'], 'done')
