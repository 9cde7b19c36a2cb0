from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_date

from ..refusals import RefillCardRefused

UNDO_MINUTES = 10
ACTIVATION = Domain('old_state', '=', 'inactive') & Domain('new_state', '=', 'active')


class RefillCard(models.Model):
    """What resellers do with the cards that they have, in the portal: as superuser, by a domain
    that finds nobody else's.
    """

    _inherit = 'refill.card'

    @api.model
    def _get_reseller_domain(self, reseller, companies):
        """Return the domain of the cards that a reseller has or has sold.

        :param res.partner reseller: the commercial partner.
        :param res.company companies: which issued the cards.
        :rtype: odoo.fields.Domain
        """
        return Domain(
            [
                ('holder_id', '=', reseller.id),
                ('terms', 'in', ['consigned', 'sold']),
                ('series_id.company_id', 'in', companies.ids),
            ]
        )

    # -------------------------------------------------------------------------
    # ACTIVATING
    # -------------------------------------------------------------------------

    @api.model
    def _activate_by_reseller(self, typed, partner, companies):
        """Activate the card that a reseller has in hand; it is sold where they settle so.

        Doing it again, as by a double click, changes nothing.

        :param str typed: its serial number, its code, or the link on it.
        :param res.partner partner: who acts for the reseller.
        :param res.company companies: whose cards the reseller sells.
        :return: the card, as superuser.
        :rtype: refill.card
        :raise UserError: when the card is not activated, with a sentence that helps.
        """
        reseller = partner.commercial_partner_id
        card = self._find_of_reseller(typed, partner, companies)
        card = card.with_company(card.series_id.company_id)
        if not card._get_just_activated(reseller):
            card._check_activatable_by_reseller()
            # The portal goes on after an error, with a page: nothing may stay of what failed.
            with self.env.cr.savepoint():
                card._activate(channel='portal')
        return card

    @api.model
    def _find_of_reseller(self, typed, partner, companies):
        """Return a card that a reseller has; of anybody else's is told as of none at all.

        :rtype: refill.card
        :raise UserError: when there is no such card; wrong codes are counted and written down.
        """
        domain = self._get_reseller_domain(partner.commercial_partner_id, companies)
        if card := self._find_by_serial(typed, domain):
            return card
        unknown = UserError(
            self.env._("This is none of your cards. Please compare what you typed with the card.")
        )
        if self._is_serial(typed):
            raise unknown
        try:
            with self._recording_refusals(partner, companies[:1], channel='portal'):
                cards = self.with_company(companies[:1])
                return cards._find_by_code(typed, partner, domain=domain, channel='portal')
        except RefillCardRefused as refused:
            if refused.reason in ('typo', 'unknown'):
                raise unknown from refused
            raise

    def _check_activatable_by_reseller(self):
        """:raise UserError: when the reseller who has the card cannot activate it."""
        values = {'serial': self.name}
        over = self._is_over(None, self.series_id.company_id)
        if self.state == 'used':
            raise UserError(self.env._("Card %(serial)s was used already.", **values))
        if self.state == 'active':
            raise UserError(self.env._("Card %(serial)s works already.", **values))
        if self.state == 'expired' or over:
            day = format_date(self.env, self.valid_till)
            raise UserError(
                self.env._("Card %(serial)s was valid till %(day)s.", day=day, **values)
            )
        if self.state == 'disabled':
            raise UserError(
                self.env._(
                    "Card %(serial)s was disabled: it must not be sold. Please ask us.", **values
                )
            )
        if self.terms == 'sold':
            raise UserError(
                self.env._(
                    "Card %(serial)s is one that you bought. It works once its invoice is settled;"
                    " please ask us if it does not.",
                    **values,
                )
            )

    # -------------------------------------------------------------------------
    # UNDOING
    # -------------------------------------------------------------------------

    def _undo_activation_by_reseller(self, reseller):
        """Take back the activation of a card, as long as that may be undone.

        :param res.partner reseller: the commercial partner, who has the card.
        :return: the card.
        :rtype: refill.card
        :raise UserError: when it was used or billed, or is too long ago.
        """
        self.ensure_one()
        card = self.with_company(self.series_id.company_id)
        if card.state == 'inactive':
            return card  # as after a double click
        if not card._get_just_activated(reseller):
            raise UserError(
                self.env._(
                    "The activation of card %(serial)s cannot be undone any more: that is possible"
                    " for %(minutes)s minutes, and until the card is used. Please ask us.",
                    serial=self.name,
                    minutes=UNDO_MINUTES,
                )
            )
        with self.env.cr.savepoint():
            card._deactivate(channel='portal')
        return card

    @api.model
    def _get_undoable_domain(self):
        """Return the domain of the cards whose activation may have happened just now.

        :rtype: odoo.fields.Domain
        """
        return Domain(
            [
                ('state', '=', 'active'),
                ('write_date', '>=', self._get_undo_begin()),
                ('invoice_line_id', '=', False),
                ('reserved_line_id', '=', False),
            ]
        )

    @api.model
    def _get_undo_begin(self):
        return fields.Datetime.now() - timedelta(minutes=UNDO_MINUTES)

    @api.model
    def _get_just_activated_by(self, reseller, companies):
        """Return what a reseller may undo, see :meth:`_get_just_activated`.

        :param res.company companies: which issued the cards.
        """
        domain = self._get_reseller_domain(reseller, companies) & self._get_undoable_domain()
        return self.search(domain)._get_just_activated(reseller)

    def _get_just_activated(self, reseller):
        """Return when a reseller activated those of the cards for which they may undo it.

        :param res.partner reseller: the commercial partner.
        :rtype: dict[refill.card, datetime.datetime]
        """
        cards = self.filtered_domain(self._get_undoable_domain())
        events = self.env['refill.card.event']
        activations = events.search(Domain('card_id', 'in', cards.ids) & ACTIVATION, order='id')
        last = {event.card_id: event for event in activations}
        return {
            card: event.date
            for card, event in last.items()
            if event.date >= self._get_undo_begin()
            and event.user_id.partner_id.commercial_partner_id == reseller
        }
