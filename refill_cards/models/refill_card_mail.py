from operator import itemgetter

from odoo import api, fields, models
from odoo.exceptions import LockError, UserError
from odoo.fields import Domain
from odoo.tools import format_datetime, groupby

from .refill_card_sending import STATES
from .visible_fields import VisibleMany2one

MANAGER = 'refill_cards.group_refill_card_manager'


class RefillCard(models.Model):
    _inherit = 'refill.card'

    sending_id = VisibleMany2one(
        comodel_name='refill.card.sending',
        string="Last E-mail",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        groups=MANAGER,
    )
    # Only who sees the e-mail is told about it.
    sent_state = fields.Selection(
        selection=STATES,
        string="E-mail",
        compute='_compute_sent',
        search='_search_sent_state',
        groups=MANAGER,
        help="Sent means that the mail server took the e-mail.",
    )
    sent_to_id = VisibleMany2one(
        related='sending_id.partner_id',
        string="Sent to",
        store=True,
        companies=('series_id.company_id',),
        index='btree_not_null',
        groups=MANAGER,
        help="The customer to whom the card was last sent by e-mail, or is to be.",
    )
    # A thief of the card may have the mailbox, too: people decide where this one goes.
    replaces_sent = fields.Boolean(
        readonly=True,
        groups=MANAGER,
        help="Whether a card that was sent by e-mail was replaced by this one.",
    )
    sent_on = fields.Datetime(
        string="Sent on", compute='_compute_sent', search='_search_sent_on', groups=MANAGER
    )
    sent_problem = fields.Char(
        string="Problem with the E-mail", compute='_compute_sent', groups=MANAGER
    )

    @api.depends(*('sending_id.state', 'sending_id.sent_on', 'sending_id.problem'))
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_sent(self):
        sendings = self.sending_id
        seen = set(sendings._filtered_access('read'))
        for card in self:
            sending = card.sending_id if card.sending_id in seen else sendings.browse()
            card.sent_state = sending.state
            card.sent_on = sending.sent_on
            card.sent_problem = sending.problem

    @api.model
    def _search_sent_state(self, operator, value):
        return self._search_sent('state', operator, value)

    @api.model
    def _search_sent_on(self, operator, value):
        return self._search_sent('sent_on', operator, value)

    @api.model
    def _search_sent(self, fname, operator, value):
        """Find cards by their e-mail, among those e-mails that the user sees."""
        if operator in Domain.NEGATIVE_OPERATORS:
            return NotImplemented
        found = Domain('sending_id', 'any', [(fname, operator, value)])
        if operator == 'in' and False in value:
            found |= ~Domain('sending_id', 'any', [('id', '!=', False)])
        return found

    @api.model
    def _get_unsent_domain(self):
        """Return the domain of the cards that nobody was to have by e-mail, nor one they replace.

        :rtype: odoo.fields.Domain
        """
        return Domain('sending_id', '=', False) & Domain('replaces_sent', '=', False)

    # -------------------------------------------------------------------------
    # SENDING
    # -------------------------------------------------------------------------

    def _send(self, partners, layout):
        """Send each card to its customer: one e-mail for all those of one issuer.

        The caller has checked them.

        :param list[res.partner] partners: the customer of each card.
        :param refill.card.layout layout: the face of the cards.
        :raise UserError: when a card does not fit on the layout, or is just going out.
        """
        if not self.env.su:  # what Odoo sends by itself, it tries again by itself
            self._lock_to_send()
        before = self.sending_id
        # sudo: the caller checked the rights; nobody writes by hand what was sent
        sendings_sudo = self.env['refill.card.sending'].sudo()
        addressed = (
            ((partner, card.series_id.company_id), card)
            for partner, card in zip(partners, self, strict=True)
        )
        for (partner, _company), pairs in groupby(addressed, itemgetter(0)):
            cards = self.browse(card.id for _key, card in pairs)
            sending = sendings_sudo.create(sendings_sudo._prepare_values(cards, partner, layout))
            cards.sudo()._operating().sending_id = sending
            sendings_sudo |= sending
        before._replace()
        sendings_sudo.with_env(self.env)._queue()

    def _lock_to_send(self):
        """Keep others from sending or changing the cards until this transaction ends.

        :raise UserError: when somebody is just doing so.
        """
        try:
            self.lock_for_update(allow_referencing=True)
        except LockError:
            raise UserError(
                self.env._(
                    "Somebody else is just sending, changing or redeeming one of these cards."
                    " Please try again in a minute."
                )
            ) from None

    def _check_sendable(self):
        """:raise UserError: when a card cannot be redeemed by whoever gets it."""
        for card in self:
            if card.state == 'inactive':
                raise UserError(
                    self.env._(
                        "Card %(serial)s is not active yet. Activate it before you send it.",
                        serial=card.name,
                    )
                )
            if not card.is_redeemable:
                raise UserError(
                    self.env._(
                        "Card %(serial)s cannot be redeemed any more, and is not sent.",
                        serial=card.name,
                    )
                )

    def _get_sent(self):
        """Return the cards that somebody has by e-mail, will have, or may have."""
        return self.filtered(
            lambda card: card.sent_state in ('queued', 'sent') or card.sending_id.is_started
        )

    def _describe_sent(self):
        """Return to whom these cards went by e-mail, and when.

        :return: a sentence for each e-mail.
        :rtype: str
        """
        sentences = []
        for sending, cards in self.grouped('sending_id').items():
            serials = sorted(cards.mapped('name'))
            values = {
                'serials': ' … '.join(dict.fromkeys([serials[0], serials[-1]])),
                'customer': sending.partner_id.display_name
                or sending.email
                or self.env._("somebody who was erased"),
                'time': format_datetime(
                    self.env, sending.sent_on or sending.create_date, dt_format='short'
                ),
            }
            sentence = {
                'sent': self.env._("%(serials)s: sent to %(customer)s on %(time)s.", **values),
                'queued': self.env._(
                    "%(serials)s: on the way to %(customer)s since %(time)s.", **values
                ),
                'failed': self.env._(
                    "%(serials)s: may have reached %(customer)s on %(time)s.", **values
                ),
            }
            sentences.append(sentence[sending.state])
        return '\n'.join(sentences)

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_send(self):
        """Open the window that sends these cards by e-mail."""
        self.series_id._check_may_export()
        wizards = self.env['refill.card.send']
        wizard = wizards.create({'card_ids': [fields.Command.set(self.ids)]})
        return {
            **wizard._get_records_action(target='new', context={'dialog_size': 'medium'}),
            'name': self.env._("Send by E-mail"),
        }
