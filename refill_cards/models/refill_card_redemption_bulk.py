import logging
from itertools import chain

from odoo import api, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.http import request
from psycopg2 import OperationalError

from ..refusals import RefillCardRefused
from ..wording import format_count

_logger = logging.getLogger(__name__)

MAX_CODES = 1000


class RefillCard(models.Model):
    """Redeeming many cards for one customer: what each costs falls to a third."""

    _inherit = 'refill.card'

    @api.model
    def redeem_codes(self, codes, partner_id=None, company_id=None, caller=None, reference=None):
        """Redeem the cards with these codes for a customer, each one or not by itself.

        It is as if ``redeem_code`` were called for one after the other, in a third of the time. But
        only what is certain forgives wrong codes: cards that are redeemed in the same call do not.
        And the balance in each answer is that after the last card.

        :param list codes: up to 1,000, each as typed, see ``redeem_code``.
        :param int partner_id: the customer (res.partner); the user's own contact when left out.
        :param int company_id: the company that books the payments; the user's current one when
            left out.
        :param str caller: whom a gateway with many callers asks for, see ``redeem_code``.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: one dict a code, in their order. Of a card that was redeemed, what ``redeem_code``
            returns. Of any other, ``reason``, as ``redeem_code`` gives it, ``message``,
            a sentence, and what else is in its ``context``. A reason of its own is ``error``: the
            card could not be booked, and ``message`` says why.
        :rtype: list
        :raise RefillCardRefused: when the call with this reference is under way (``busy``), or it
            had other parameters (``reference``).
        :raise UserError: when there are too many codes.
        :raise AccessError: when the user may not redeem, or not in that company.
        """
        self._check_may_redeem()
        arguments = [codes, partner_id, company_id, caller]
        return self.env['refill.card.call']._answer(
            reference, 'redeem_codes', arguments, lambda: self._redeem_each_as_called(*arguments)
        )

    @api.model
    def _redeem_each_as_called(self, codes, partner_id, company_id, caller):
        if not isinstance(codes, list) or len(codes) > MAX_CODES:
            raise UserError(
                self.env._(
                    "The codes are given as a list of up to %(maximum)s.",
                    maximum=format_count(self.env, MAX_CODES),
                )
            )
        partner, company = self._read_partner(partner_id), self._read_company(company_id)
        caller = self._read_caller(caller)
        outcomes = self._redeem_codes(codes, partner, company, channel='api', caller=caller)
        return [self._describe_outcome(outcome) for outcome in outcomes]

    @api.model
    def _describe_outcome(self, outcome):
        """Return what a caller is told of one code.

        :param outcome: the payment, or the error because of which there is none.
        :rtype: dict
        """
        if not isinstance(outcome, Exception):
            return outcome._prepare_refill_card_result()
        if isinstance(outcome, RefillCardRefused):
            return {**outcome.context, 'message': str(outcome)}
        message = self.env._("The card could not be booked. The server's log says why.")
        if isinstance(outcome, UserError | RedirectWarning):
            message = str(outcome.args[0])
        return {'reason': 'error', 'message': message}

    @api.model
    def _redeem_codes(self, codes, partner, company, *, channel, caller=None):
        """Redeem the cards with these codes, each one or not by itself.

        :param list codes: as typed.
        :param res.partner partner: the customer.
        :param res.company company: which books the payments.
        :param str channel: see ``refill.card.event``.
        :param str caller: for whom a gateway asks.
        :return: for each code the posted payment, as superuser, or the error because of which
            there is none; refusals are written down.
        :rtype: list[account.payment | Exception]
        """
        cards = self.with_company(company)
        record = self.env['refill.card.attempt']._record
        before = cards._get_refused_before(codes, partner, company, caller)
        found = cards._find_by_each_code(codes, partner, caller, before)
        ids = [outcome for outcome in found if isinstance(outcome, int)]
        cards_sudo, partner_sudo, company_sudo = cards.browse(dict.fromkeys(ids))._enter(
            partner, company
        )
        refused = {card.id: card._judge(partner_sudo, company_sudo) for card in cards_sudo}
        found = [refused.get(outcome) or outcome for outcome in found]
        # Before anything is booked: whoever else books in the journal waits from then on.
        before[:] = [None if isinstance(outcome, int) else outcome for outcome in found]
        record(filter(None, before), partner, company, channel)
        ready_sudo = cards_sudo.filtered(lambda card: not refused[card.id])
        payments = ready_sudo._redeem_each(partner_sudo, company_sudo, channel=channel)
        outcomes, seen = [], set()
        for outcome in found:
            if isinstance(outcome, int):
                card_sudo, outcome = cards_sudo.browse(outcome), payments[outcome]
                if card_sudo in seen:  # the same code once more
                    outcome = card_sudo._judge(partner_sudo, company_sudo) or outcome
                seen.add(card_sudo)
            outcomes.append(outcome)
        late = [outcome for outcome in outcomes if isinstance(outcome, RefillCardRefused)]
        record(late, partner, company, channel)
        return outcomes

    @api.model
    def _get_refused_before(self, *call):
        """Return what this request refused before Odoo rolled it back and tried it again.

        Refusals are counted, and written down, although all else is rolled back.

        :param call: with what it was called.
        :return: for each code its refusal, or None; empty at the first try. The caller fills it.
        :rtype: list[RefillCardRefused | None]
        """
        if not request:
            return []
        if not hasattr(request, 'refill_cards_refused'):
            request.refill_cards_refused = {}
        named = [[each.id if isinstance(each, models.Model) else each for each in call]]
        digest = self.env['refill.card.key']._digest([self.env.uid, *named])
        return request.refill_cards_refused.setdefault(digest, [])

    @api.model
    def _find_by_each_code(self, codes, partner, caller, before):
        """Return for each code the id of its card, or its refusal; wrong codes are counted.

        :param list before: see :meth:`_get_refused_before`; it takes what is counted.
        :rtype: list[int | RefillCardRefused]
        """
        sealed = self._seal_each(codes)

        def find_each(hidden=()):
            ids = self.env['refill.card.code']._get_ids([*chain.from_iterable(sealed)], hidden)
            # sudo: whoever has the codes may redeem the cards without any right to look at cards
            every_sudo = self.sudo().browse(ids.values())
            for seals in sealed:
                found_sudo = every_sudo.browse(ids[seal] for seal in seals if seal in ids)
                yield found_sudo.with_prefetch(every_sudo._ids)

        def look_up(lockouts, frozen):
            for code, seals, card_sudo in zip(codes, sealed, find_each(frozen), strict=True):
                try:
                    if not seals:
                        raise self._refuse_typo(code)
                    find = card_sudo._get_in_sight
                    yield self._look_up(code, find, lockouts, frozen, channel='api')[0].id
                except RefillCardRefused as refused:
                    yield refused

        if before:
            return [
                first or card_sudo[:1].id or self._refusal('unknown')
                for first, card_sudo in zip(before, find_each(), strict=True)
            ]
        found = self.env['refill.card.lockout']._guard_each(partner, codes, caller, look_up)
        before[:] = [None if isinstance(outcome, int) else outcome for outcome in found]
        ids = [outcome for outcome in found if isinstance(outcome, int)]
        self.sudo().browse(ids).series_id._remember_not_frozen()  # sudo: as above
        return found

    def _judge(self, partner, company):
        """Return the refusal of a card, None when it can be redeemed.

        :rtype: RefillCardRefused | None
        """
        try:
            self._check_redeemable(partner, company)
        except RefillCardRefused as refused:
            return refused
        return None

    def _redeem_each(self, partner, company, *, channel):
        """Turn cards that can be redeemed into payments.

        :return: for each card's id its payment, or the error because of which there is none.
        :rtype: dict[int, account.payment | Exception]
        """
        outcomes = {}
        if not self:
            return outcomes
        # Before a part of them is rolled back, with which the journal would be free again.
        method_line = self._take_method_line(company)
        for cards in self._group_by_what_is_booked(company, method_line, outcomes):
            outcomes |= cards._redeem_together(partner, company, channel=channel)
        made = {key: each for key, each in outcomes.items() if not isinstance(each, Exception)}
        if made:
            self.env.flush_all()
            self.env['account.payment'].union(*made.values())._pay_open_invoices()
            self.env['refill.card.lockout']._forget_on_commit(partner)
        return {**outcomes, **{key: each.with_env(self.env) for key, each in made.items()}}

    def _group_by_what_is_booked(self, company, method_line, outcomes):
        """Return the cards in groups of which the same is debited and told.

        :param dict outcomes: takes the errors of those that cannot be booked.
        :rtype: list[refill.card]
        """
        groups = {}
        for card in self:
            try:
                use = card._get_use(company, method_line)
            except UserError as error:
                outcomes[card.id] = error
            else:
                key = use, card.terms, card._get_historical_value()
                groups[key] = groups.get(key, self.browse()) + card
        return list(groups.values())

    def _redeem_together(self, partner, company, *, channel):
        """Turn cards into payments in one go; where that fails, half by half.

        :return: as :meth:`_redeem_each`.
        """
        try:
            with self.env['account.move.line']._all_or_nothing():
                payments = self._turn_into_payments(partner, company, channel=channel)
        except OperationalError:
            raise
        except Exception as error:
            if len(self) == 1:
                if not isinstance(error, UserError | RedirectWarning):
                    _logger.error("Card %s could not be booked", self.id, exc_info=error)
                return {self.id: error}
            middle = len(self) // 2
            halves = self[:middle], self[middle:]
            first, second = (
                half._redeem_together(partner, company, channel=channel) for half in halves
            )
            return first | second
        made = {payment.refill_card_ids.id: payment for payment in payments}
        return {card.id: made.get(card.id) or card._refusal('busy') for card in self}
