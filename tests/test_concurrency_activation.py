from functools import partial

from odoo.exceptions import UserError
from odoo.service.model import execute_cr, retrying
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestActivationAtOnce(ConcurrencyCase):
    """A reseller's card is activated, taken back and redeemed at the same time."""

    def _generate_consigned_code(self):
        """Return the code of an inactive card that a reseller has."""
        code = self._generate_code()
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            env.cr.execute(
                SQL(
                    "UPDATE refill_card_series SET activation_required = TRUE WHERE id = %s",
                    card.series_id.id,
                )
            )
            card._deactivate()
            card._consign(env['res.partner'].browse(self.customer_id))
        return code

    def _open_window(self, model, code, operation):
        values = {'card_ids': self._card_ids(code), 'operation': operation}
        return self._request(model, 'create', values)

    def _assert_card(self, code, state, terms):
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual((card.state, card.terms), (state, terms))
            self.assertEqual(card.holder_id.id, terms and self.customer_id)
            return card.event_ids.mapped('note')

    def test_a_card_that_is_taken_back_while_it_is_activated_stays_sold(self):
        code = self._generate_consigned_code()
        window = self._open_window('refill.card.hand.out', code, 'take_back')
        take_back = ('refill.card.hand.out', 'action_confirm', [window])
        activate = self._open_window('refill.card.change', code, 'activate')
        with self._transaction() as first:
            first['refill.card.change'].browse(activate).action_confirm()
            first.flush_all()
            with self._in_background(self._request, *take_back) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "none of these cards can be changed"):
                second.result()
        notes = self._assert_card(code, 'active', 'sold')
        self.assertNotIn("Taken back", notes)

    def test_a_card_that_is_activated_while_it_is_taken_back_is_not_sold(self):
        code = self._generate_consigned_code()
        take_back = self._open_window('refill.card.hand.out', code, 'take_back')
        window = self._open_window('refill.card.change', code, 'activate')
        activate = ('refill.card.change', 'action_confirm', [window])
        with self._transaction() as first:
            first['refill.card.hand.out'].browse(take_back).action_confirm()
            first.flush_all()
            with self._in_background(self._request, *activate) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            second.result()
        notes = self._assert_card(code, 'active', False)
        self.assertNotIn("Sold by activation", notes)

    def _activate(self, code):
        window = self._open_window('refill.card.change', code, 'activate')
        self._request('refill.card.change', 'action_confirm', [window])

    def test_a_card_whose_activation_is_undone_is_not_redeemed_meanwhile(self):
        code = self._generate_consigned_code()
        self._activate(code)
        undo = self._open_window('refill.card.change', code, 'deactivate')
        with self._transaction() as first:
            first['refill.card.change'].browse(undo).action_confirm()
            first.flush_all()
            self.assertEqual(self._redeem(code), 'busy')
            first.cr.commit()
        self.assertEqual(self._redeem(code), 'inactive')
        self._assert_card(code, 'inactive', 'consigned')

    def test_the_activation_of_a_card_that_is_redeemed_meanwhile_is_not_undone(self):
        code = self._generate_consigned_code()
        self._activate(code)
        window = self._open_window('refill.card.change', code, 'deactivate')
        undo = ('refill.card.change', 'action_confirm', [window])
        with self._transaction() as first:
            args = (code, self.customer_id)
            execute_cr(first.cr, first.uid, 'refill.card', 'redeem_code', args, {})
            with self._in_background(self._request, *undo) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "none of these cards can be changed"):
                second.result()
        notes = self._assert_card(code, 'used', 'sold')
        self.assertNotIn("On consignment again", notes)

    # -------------------------------------------------------------------------
    # IN THE PORTAL
    # -------------------------------------------------------------------------

    def _as_reseller(self, method, code):
        """Activate a card, or undo that, as the reseller's page does; return the refusal, if any.

        :param str method: of ``refill.card``.
        """
        with self._transaction() as env:
            reseller = env['res.partner'].browse(self.customer_id)
            company = env['res.company'].browse(self.company_id)

            def call():
                cards = env(su=True)['refill.card']
                if method == '_activate_by_reseller':
                    return cards._activate_by_reseller(code, reseller, company)
                return cards.search([('code', '=', code)])._undo_activation_by_reseller(reseller)

            try:
                retrying(call, env)
            except UserError as refused:
                return str(refused)
        return None

    def _make_accountant_reseller(self):
        """Let the user of the transactions act for the reseller, for whom undoing looks."""
        with self._committing() as env:
            accountant = env['res.users'].browse(self.accountant_id)
            accountant.partner_id.parent_id = self.customer_id

    def test_a_double_click_activates_once_and_refuses_nothing(self):
        code = self._generate_consigned_code()
        self._make_accountant_reseller()
        with self._meeting_after('_find_of_reseller', 2):
            refused = self._at_once(partial(self._as_reseller, '_activate_by_reseller'), [code] * 2)
        self.assertEqual(refused, [None, None])
        notes = self._assert_card(code, 'active', 'sold')
        self.assertEqual(notes.count("Sold by activation"), 1)
        refused = self._at_once(
            partial(self._as_reseller, '_undo_activation_by_reseller'), [code] * 2
        )
        self.assertEqual(refused, [None, None])
        notes = self._assert_card(code, 'inactive', 'consigned')
        self.assertEqual(notes.count("On consignment again"), 1)

    def test_a_card_that_is_taken_back_meanwhile_is_none_of_the_resellers(self):
        code = self._generate_consigned_code()
        take_back = self._open_window('refill.card.hand.out', code, 'take_back')
        with self._transaction() as first:
            first['refill.card.hand.out'].browse(take_back).action_confirm()
            first.flush_all()
            activate = ('_activate_by_reseller', code)
            with self._in_background(self._as_reseller, *activate) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            self.assertIn("none of your cards", second.result())
        self._assert_card(code, 'inactive', False)

    def test_an_activation_is_not_undone_once_the_card_is_being_redeemed(self):
        code = self._generate_consigned_code()
        self._make_accountant_reseller()
        self.assertIsNone(self._as_reseller('_activate_by_reseller', code))
        with self._transaction() as first:
            args = (code, self.customer_id)
            execute_cr(first.cr, first.uid, 'refill.card', 'redeem_code', args, {})
            undo = ('_undo_activation_by_reseller', code)
            with self._in_background(self._as_reseller, *undo) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            self.assertIn("cannot be undone any more", second.result())
        self._assert_card(code, 'used', 'sold')
