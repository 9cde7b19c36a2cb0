from odoo.exceptions import UserError
from odoo.service.model import execute_cr
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
