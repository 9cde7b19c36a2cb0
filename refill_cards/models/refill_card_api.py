from odoo import api, fields, models

from ..refusals import RefillCardRefused


class RefillCard(models.Model):
    """What programs call: a shop, a phone menu, an SMS gateway."""

    _inherit = 'refill.card'

    @api.model
    def redeem_code(self, code, partner_id=None, company_id=None, caller=None, reference=None):
        """Redeem the card with this code for a customer.

        A card that is not redeemed is refused with status 422, a sentence in ``message`` and the
        ``reason`` in ``context``: ``typo``, ``unknown``, ``inactive``, ``used``, ``disabled``,
        ``expired``, ``company``, ``locked_out``, ``unavailable`` (the series is frozen for a
        while), ``busy`` or ``reference``.

        :param str code: as typed: case, spaces, dashes, look-alikes and the prefix do not matter.
        :param int partner_id: the customer (res.partner); the user's own contact when left out.
        :param int company_id: the company that books the payment; the user's current one when left
            out.
        :param str caller: whom a gateway with many callers asks for, such as a phone number: wrong
            codes are counted for them, and for the whole gateway at a higher number only.
        :param str reference: the caller's own name for this call, of up to 64 characters, made and
            stored before calling. For 90 days, repeating the call with it returns the first answer.
            It is refused as ``busy`` while the first one is under way, and as ``reference`` with
            other parameters.
        :return: ``serial``, ``amount``, ``currency`` (ISO 4217), ``payment`` (its number),
            ``payment_id``, ``balance`` (the customer's credit in the company's currency, negative
            when money is due), ``balance_currency`` and ``invoices``: a list of ``name``,
            ``amount`` and ``currency`` of what the card paid.
        :rtype: dict
        :raise RefillCardRefused: when the card is not redeemed; ``reason`` says why. When it was
            ``used``, ``context`` says whether it was ``used_for_this_customer``, as after a call
            whose answer was lost, and then the number of the ``payment``.
        :raise AccessError: when the user may not redeem, or not in that company.
        """
        self._check_may_redeem()
        arguments = [code, partner_id, company_id, caller]
        return self.env['refill.card.call']._answer(
            reference, 'redeem_code', arguments, lambda: self._redeem_as_called(*arguments)
        )

    @api.model
    def _redeem_as_called(self, code, partner_id, company_id, caller):
        partner, company = self._read_partner(partner_id), self._read_company(company_id)
        caller = self._read_caller(caller)
        payment = self._redeem_code(code, partner, company, channel='api', caller=caller)
        return payment._prepare_refill_card_result()

    @api.model
    def check_code(self, code, caller=None, partner_id=None, company_id=None):
        """Tell what the card with this code is worth, and whether it can be redeemed.

        A wrong code counts as in ``redeem_code``, and is refused like there, with status 422 and
        the ``reason`` in ``context``: ``typo``, ``unknown``, ``locked_out`` or ``unavailable``.

        :param str code: as typed, see ``redeem_code``.
        :param str caller: whom a gateway with many callers asks for, see ``redeem_code``.
        :param int partner_id: the customer (res.partner) for whom it would be redeemed; wrong codes
            count for them, too.
        :param int company_id: the company in which it would be redeemed; the user's current one
            when left out.
        :return: ``redeemable``, a bool; when it is not, the ``reason`` and a sentence in
            ``message``; ``serial``, ``amount`` (the face value), ``currency`` (ISO 4217) and
            ``valid_till`` (the last day, YYYY-MM-DD, null without one). All of the card is null
            where the user may not see it, such as one that was used in another company.
        :rtype: dict
        :raise RefillCardRefused: when there is no such card, too many codes were wrong, or its
            series is frozen; ``reason`` is ``typo``, ``unknown``, ``locked_out`` or
            ``unavailable``.
        :raise AccessError: when the user may not redeem cards, or not in that company.
        """
        self._check_may_redeem()
        partner = self.env['res.partner']
        if partner_id is not None:
            partner = self._read_partner(partner_id)
        company, caller = self._read_company(company_id), self._read_caller(caller)
        refused = None
        try:
            with self._recording_refusals(partner, company, channel='api'):
                cards = self.with_company(company)
                card = cards._find_by_code(code, partner, caller, channel='api')
                card_sudo, partner_sudo, company_sudo = card._enter(partner, company)
                card_sudo._check_redeemable(partner_sudo, company_sudo)
        except RefillCardRefused as error:
            if not error.card_id:
                raise
            refused = error
        return {
            'redeemable': not refused,
            'reason': refused and refused.reason,
            'message': refused and str(refused),
            **self.with_company(company)._describe_worth(refused.card_id if refused else card.id),
        }

    @api.model
    def _describe_worth(self, card_id):
        """Return what a caller is told of a card, nothing of one that the user may not see."""
        card = self.search([('id', '=', card_id)])
        return {
            'serial': card.name or None,
            'amount': card.price if card else None,
            'currency': card.currency_id.name or None,
            'valid_till': fields.Date.to_string(card.valid_till) or None,
        }
