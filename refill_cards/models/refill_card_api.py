from odoo import api, models
from odoo.exceptions import AccessError, UserError


class RefillCard(models.Model):
    """What programs call: a shop, a phone menu, an SMS gateway."""

    _inherit = 'refill.card'

    @api.model
    def redeem_code(self, code, partner_id=None, company_id=None, caller=None, reference=None):
        """Redeem the card with this code for a customer.

        :param str code: as typed: case, spaces, dashes, look-alikes and the prefix do not matter.
        :param int partner_id: the customer (res.partner); the user's own contact when left out.
        :param int company_id: the company that books the payment; the user's current one when left
            out.
        :param str caller: whom a gateway with many callers asks for, such as a phone number: wrong
            codes are counted for them, and for the whole gateway at a higher number only.
        :param str reference: the caller's own name for this call, of up to 64 characters, made and
            stored before calling. Repeating the call with it returns the first answer, for
            90 days, instead of redeeming again.
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

    # -------------------------------------------------------------------------
    # WHAT CAME
    # -------------------------------------------------------------------------

    @api.model
    def _check_may_redeem(self):
        """:raise AccessError: when the user may not redeem cards for customers."""
        if not self.env.user.has_group('refill_cards.group_refill_card_user'):
            raise AccessError(self.env._("You may not redeem refill cards for customers."))

    @api.model
    def _read_partner(self, partner_id):
        """Return the customer that a caller names, the user's own contact when left out.

        :raise UserError: when it is no id.
        :raise AccessError: when the user may not see that contact.
        """
        partner = self.env.user.partner_id
        if partner_id is None:
            return partner
        # Read with the user's own contact, whose time zone is needed later.
        ids = [self._read_id(partner_id), partner.id]
        partner = self.env['res.partner'].browse(ids[0]).with_prefetch(ids)
        partner._check_refill_card_customer()
        return partner

    @api.model
    def _read_company(self, company_id):
        """Return the company that a caller names, the user's current one when left out.

        :raise UserError: when it is no id.
        :raise AccessError: when the user does not work there.
        """
        if company_id is None:
            return self.env.company
        company = self.env['res.company'].browse(self._read_id(company_id))
        if company not in self.env.user.company_ids:
            raise AccessError(self.env._("You may not redeem refill cards in this company."))
        return company

    @api.model
    def _read_id(self, value):
        """Return an id that came over the API.

        :raise UserError: when it is not a number.
        """
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31:
            return value
        raise UserError(self.env._("Customer and company are given by their numeric ids."))

    @api.model
    def _read_caller(self, caller):
        """Return for whom a gateway asks.

        :raise UserError: when that is no short text.
        """
        if caller is None:
            return None
        if isinstance(caller, str) and caller.isprintable() and 0 < len(caller.strip()) <= 100:
            return caller.strip()
        raise UserError(self.env._("The caller is given as text of up to 100 characters."))
