from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_date

from ..wording import format_count
from .refill_card import DISABLE_REASONS

# What a program changes, and is told of, in one call.
MAX_CARDS = 1_000


class RefillCard(models.Model):
    """What programs do to ranges of cards: as the window that changes cards, card by card."""

    _inherit = 'refill.card'

    @api.model
    def activate(self, first, last, reference=None):
        """Activate the cards from one serial number to another, up to 1,000 a call.

        Each by itself: one that cannot be activated keeps none of the others back. A call that
        cannot be understood is refused with status 422 and a sentence in ``message``.

        :param str first: the serial number of the first card.
        :param str last: the serial number of the last one, of the same series.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: one answer a card, in the order of their serial numbers: ``serial``, ``state`` and
            ``valid_till`` (YYYY-MM-DD, null without a last day) as they are now, and of a card that
            was left alone ``reason`` (``active``, ``used``, ``disabled``, ``expired``,
            ``company``, ``law``: it would be valid for too few days, or ``approval``: all of them
            wait until another manager approves it) and ``message``, else null.
        :rtype: list[dict]
        :raise UserError: when there are no such cards, or too many.
        :raise AccessError: when the user does not manage refill cards.
        """
        self.browse().check_access('write')
        return self.env['refill.card.call']._answer(
            reference, 'activate', [first, last], lambda: self._activate_range(first, last)
        )

    @api.model
    def _activate_range(self, first, last):
        domain = self._read_range('activate', first, last)
        return self._change_range('activate', domain, self._activate)

    @api.model
    def disable(self, first, last, reason, note=None, reference=None):
        """Disable the cards from one serial number to another, up to 1,000 a call.

        Each by itself: one that cannot be disabled keeps none of the others back. A call that
        cannot be understood is refused with status 422 and a sentence in ``message``.

        :param str first: the serial number of the first card.
        :param str last: the serial number of the last one, of the same series.
        :param str reason: ``lost``, ``stolen``, ``damaged``, ``misprinted``, ``cancelled`` or
            ``other``.
        :param str note: details for the audit log, needed with ``other``; neither a code nor
            anybody's name.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: one answer a card, in the order of their serial numbers, as of ``activate``; the
            ``reason`` of one that was left alone is ``used``, ``disabled``, ``expired`` or
            ``company``.
        :rtype: list[dict]
        :raise UserError: when there are no such cards, or too many, or no such reason.
        :raise AccessError: when the user does not manage refill cards.
        """
        self.browse().check_access('write')
        arguments = [first, last, reason, note]
        return self.env['refill.card.call']._answer(
            reference, 'disable', arguments, lambda: self._disable_range(*arguments)
        )

    @api.model
    def _disable_range(self, first, last, reason, note):
        self._check_given('text', reason=reason, note=note)
        self._check_choice([key for key, _label in DISABLE_REASONS], reason=reason)
        details = (note or '').strip()
        domain = self._read_range('disable', first, last, reason=reason, reason_text=details)
        return self._change_range(
            'disable', domain, lambda **which: self._disable(reason, details, **which)
        )

    @api.model
    def _read_range(self, operation, first, last, **values):
        """Return the domain of the cards that are meant, as the window finds them.

        :raise UserError: when there are no such cards, too many, or something is missing.
        """
        self._check_given('text', first=first, last=last)
        window = self.env['refill.card.change'].create(
            {'operation': operation, 'first': first, 'last': last, **values}
        )
        window._check_complete()
        domain = window._get_selection_domain()
        if self.search_count(domain, limit=MAX_CARDS + 1) > MAX_CARDS:
            raise UserError(
                self.env._(
                    "A call changes up to %(maximum)s cards. Call it for one range after the"
                    " other.",
                    maximum=format_count(self.env, MAX_CARDS),
                )
            )
        return domain

    @api.model
    def _change_range(self, operation, domain, change):
        """Change those of the cards that can be, and return what became of each.

        :param str operation: a key of :meth:`_get_operation_states`.
        :param odoo.fields.Domain domain: the cards.
        :param change: called with the domain of the cards to change, and the channel.
        :rtype: list[dict]
        """
        cards = self.search(domain, order='name')
        changed = cards & self.search(domain & self._get_operation_domain(operation))
        manageable = cards & self.search(domain & self._get_manageable_domain())
        unlawful = {}
        if operation == 'activate':
            unlawful = self._find_unlawful(Domain('id', 'in', changed.ids))
            changed = changed.filtered(lambda card: card not in unlawful)
        refusals = {
            card: {'reason': 'law', 'message': unlawful[card]}
            if card in unlawful
            else card._explain_left_alone(operation, card in manageable)
            for card in cards - changed
        }
        which = Domain('id', 'in', changed.ids)
        approval, _count = self.env['refill.card.approval']._try(
            lambda: change(domain=which, channel='api')
        )
        if approval:
            waits = {'reason': 'approval', 'message': approval._describe_waiting()}
            refusals.update(dict.fromkeys(changed, waits))
        return [
            {
                'serial': card.name,
                'state': card.state,
                'valid_till': fields.Date.to_string(card.valid_till) or None,
                **refusals.get(card, {'reason': None, 'message': None}),
            }
            for card in cards
        ]

    def _explain_left_alone(self, operation, is_manageable):
        """Return why an operation does nothing to the card.

        :param str operation: a key of :meth:`_get_operation_states`.
        :param bool is_manageable: whether the user manages the card.
        :rtype: dict
        """
        if not is_manageable:
            reason = 'company'
        elif self.state in self._get_operation_states()[operation]:
            reason = 'expired'  # of today, while the state follows
        else:
            reason = self.state
        sentences = {
            'active': self.env._("This card is active already."),
            'used': self.env._("This card was already used."),
            'disabled': self.env._("This card is disabled."),
            'expired': self.env._(
                "This card was valid till %(day)s.", day=format_date(self.env, self.valid_till)
            ),
            'company': self.env._(
                "This card was issued by another company, whose cards you do not manage."
            ),
        }
        return {'reason': reason, 'message': sentences[reason]}
