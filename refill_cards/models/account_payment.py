from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    refill_card_ids = fields.One2many(
        comodel_name='refill.card',
        inverse_name='payment_id',
        groups='refill_cards.group_refill_card_user',
    )

    # Not on 'state': Odoo computes it again at each reconciliation.
    @api.constrains(
        'amount',
        'currency_id',
        'partner_id',
        'partner_type',
        'destination_account_id',
        'journal_id',
        'payment_type',
        'payment_method_line_id',
    )
    def _check_refill_card(self):
        """The payment of a card stays what the card is worth, for the same customer."""
        # sudo: whoever may touch the payment need not see the card
        for payment in self.sudo().filtered('refill_card_ids'):
            card = payment.refill_card_ids
            if (
                payment.payment_method_code != 'refill_card'
                or payment.payment_type != 'inbound'
                or payment.partner_type != 'customer'
                or payment.destination_account_id.account_type != 'asset_receivable'
                or payment.currency_id != card.currency_id
                or payment.currency_id.compare_amounts(payment.amount, card.price)
                or payment.partner_id.commercial_partner_id != card.partner_id.commercial_partner_id
            ):
                raise ValidationError(
                    self.env._(
                        "This payment is the refill card %(serial)s: its amount, currency, customer"
                        " and journal stay as they are. Cancel the payment to take it back.",
                        serial=card.name,
                    )
                )

    def _check_refill_card_entry(self):
        """Refuse an entry that no used card stands behind, or for another value or customer.

        :raise ValidationError: before it gets into the books.
        """
        # sudo: whoever may post the entry need not see the card
        for payment in self.sudo():
            if payment.payment_method_code != 'refill_card':
                continue
            if not payment.refill_card_ids:
                raise ValidationError(
                    self.env._(
                        "A payment by refill card is made by redeeming a card, and is not confirmed"
                        " again once its card was given back."
                    )
                )
            _liquidity, counterpart, _write_off = payment._seek_for_lines()
            received = -sum(counterpart.mapped('amount_currency'))
            customer = payment.partner_id.commercial_partner_id
            if (
                counterpart.partner_id.commercial_partner_id != customer
                or counterpart.currency_id != payment.currency_id
                or payment.currency_id.compare_amounts(received, payment.amount)
            ):
                raise ValidationError(
                    self.env._(
                        "The entry of refill card %(serial)s must credit its customer with its"
                        " value.",
                        serial=payment.refill_card_ids.name,
                    )
                )

    def write(self, vals):
        """:raise UserError: when a payment by refill card is rejected, or made another kind."""
        if vals.get('state') == 'rejected' and 'refill_card' in self.mapped('payment_method_code'):
            raise UserError(
                self.env._(
                    "A payment by refill card cannot be rejected: it would stay in the books."
                    " Cancel it instead."
                )
            )
        self._check_refill_card_stays(vals)
        res = super().write(vals)
        if vals.get('state') == 'canceled':
            self._release_refill_cards()
        return res

    def _check_refill_card_stays(self, vals):
        """:raise UserError: when a payment that was made by a card would become another kind."""
        fnames = {'journal_id', 'payment_method_line_id'} & vals.keys()
        # By its entry and not by its card, which a payment that was taken back has no more.
        for payment in self.filtered('move_id') if fnames else ():
            if payment.payment_method_code == 'refill_card' and any(
                payment[fname].id != vals[fname] for fname in fnames
            ):
                raise UserError(
                    self.env._(
                        "Payment %(payment)s was made by a refill card: its journal and payment"
                        " method stay as they are.",
                        payment=payment.display_name,
                    )
                )

    def unlink(self):
        self._release_refill_cards()
        return super().unlink()

    def action_post(self):
        # Odoo waits for a bank statement, which will never come: the money came with the card.
        self.filtered(lambda payment: payment._is_settled_by_refill_card()).state = 'paid'
        return super().action_post()

    def _is_settled_by_refill_card(self):
        return (
            self.payment_method_code == 'refill_card'
            and self.state in ('draft', 'in_process')
            and self.outstanding_account_id
            and not self.outstanding_account_id.reconcile
        )

    def _take_back(self, reason):
        """Cancel the payment of a card, or reverse its entry where that can no longer change.

        :param str reason: goes into the chatter.
        """
        for payment in self:
            if payment._is_entry_closed():
                payment.move_id._reverse_moves([payment._prepare_reversal_values()], cancel=True)
                payment.state = 'canceled'
            else:
                payment.action_cancel()
            payment.message_post(body=reason)

    def _is_entry_closed(self):
        """Return whether a lock date or its hash keeps the entry as it is."""
        move = self.move_id
        return move.state == 'posted' and bool(
            move.inalterable_hash or move._get_violated_lock_dates(move.date, False)
        )

    def _prepare_reversal_values(self):
        return {
            'date': self.company_id._get_refill_card_day(),
            'ref': self.env._("Reversal of: %(payment)s", payment=self.display_name),
        }

    def _release_refill_cards(self):
        """Disable the cards of payments that no longer count; running it again changes nothing."""
        # sudo: an accountant who cancels the payment need not see the card
        for payment in self.sudo().filtered('refill_card_ids'):
            payment.refill_card_ids._release()
