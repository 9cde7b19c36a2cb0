from odoo.exceptions import UserError
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestTermsAtOnce(ConcurrencyCase):
    """A card is handed out and redeemed, or handed out twice, at the same time."""

    def _open_window(self, code, **values):
        values = {'card_ids': self._card_ids(code), 'holder_id': self.customer_id, **values}
        return self._request('refill.card.hand.out', 'create', values)

    def _confirm(self, wizard_id):
        return self._request('refill.card.hand.out', 'action_confirm', [wizard_id])

    def _get_debited(self, env, code):
        card = env['refill.card'].search([('code', '=', code)])
        [debit] = card.payment_id.move_id.line_ids.filtered('debit')
        return card.terms, debit.account_id

    def test_a_card_that_is_handed_out_while_it_is_redeemed_is_booked_by_its_terms(self):
        code = self._generate_code()
        wizard_id = self._open_window(code)
        with self._transaction() as late, self._transaction() as first:
            late.execute_query(SQL("SELECT 1"))
            first['refill.card.hand.out'].browse(wizard_id).action_confirm()
            first.flush_all()
            self.assertEqual(self._redeem(code), 'busy')
            first.cr.commit()
            args = (code, self.customer_id)
            execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        with self._committing() as env:
            company = env['res.company'].browse(self.company_id)
            settlement = company.refill_card_settlement_account_id
            self.assertEqual(self._get_debited(env, code), ('consigned', settlement))

    def test_a_card_that_is_redeemed_while_it_is_handed_out_keeps_its_terms(self):
        code = self._generate_code()
        wizard_id = self._open_window(code)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(self._confirm, wizard_id) as handing:
                self._wait_until_blocked_by(first, handing)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "1 used"):
                handing.result()
        with self._committing() as env:
            liability = env['res.company'].browse(self.company_id)._get_refill_card_method_line()
            self.assertEqual(self._get_debited(env, code), (False, liability.payment_account_id))
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.event_ids.mapped('new_state'), ['used'])

    def test_a_card_that_two_hand_out_at_once_is_handed_out_once(self):
        code = self._generate_code()
        windows = [
            self._open_window(code),
            self._open_window(code, operation='give_away', purpose="Fair"),
        ]
        with self._transaction() as first:
            first['refill.card.hand.out'].browse(windows[0]).action_confirm()
            first.flush_all()
            with self._in_background(self._confirm, windows[1]) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "none of these cards can be changed"):
                second.result()
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.terms, 'consigned')
            self.assertEqual(card.event_ids.mapped('note'), ["On consignment"])
