from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

from .account_payment_use import Use
from .visible_fields import VisibleMany2one

TERMS = [
    ('sold', "Sold"),
    ('consigned', "On consignment"),
    ('given', "Given away"),
]


class RefillCard(models.Model):
    """Who has a card, and on what terms: that decides what is booked when it is redeemed."""

    _inherit = 'refill.card'

    terms = fields.Selection(
        selection=TERMS, readonly=True, help="Empty as long as the card was not handed out."
    )
    holder_id = VisibleMany2one(
        comodel_name='res.partner',
        companies=('series_id.company_id',),
        readonly=True,
        index='btree_not_null',
        ondelete='restrict',
        help="Who has the card from the company that issued it, such as a reseller.",
    )
    handed_out_on = fields.Date(string="Handed out on", readonly=True)
    invoice_line_id = VisibleMany2one(
        comodel_name='account.move.line',
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        groups='account.group_account_readonly,account.group_account_invoice',
        help="Of the confirmed invoice that sold the card.",
    )
    reserved_line_id = VisibleMany2one(
        comodel_name='account.move.line',
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        groups='account.group_account_readonly,account.group_account_invoice',
        help="Of the draft that sells the card, or takes it back, once it is confirmed.",
    )

    _terms_idx = models.Index("(series_id, terms) WHERE terms IS NOT NULL")

    # -------------------------------------------------------------------------
    # HANDING OUT
    # -------------------------------------------------------------------------

    @api.model
    def _get_operation_states(self):
        return {
            **super()._get_operation_states(),
            'consign': ('inactive', 'active'),
            'give_away': ('inactive', 'active'),
            'take_back': ('inactive', 'active', 'expired', 'disabled'),
        }

    @api.model
    def _get_operation_domain(self, operation):
        return super()._get_operation_domain(operation) & self._get_terms_domain(operation)

    @api.model
    def _get_terms_domain(self, operation):
        """Return the domain of the cards whose terms an operation starts from.

        :rtype: odoo.fields.Domain
        """
        if operation in ('consign', 'give_away'):
            return Domain('terms', '=', False) & Domain('reserved_line_id', '=', False)
        if operation == 'take_back':
            return Domain('terms', 'in', ['consigned', 'given'])
        return Domain.TRUE

    @api.model
    def _get_too_late_domain(self, operation):
        if operation in ('consign', 'give_away'):
            return self._get_over_domain()
        return super()._get_too_late_domain(operation)

    @api.model
    def _check_may_hand_out(self):
        """:raise AccessError: when the user does not keep books and manage cards."""
        may_book = self.env.su or self.env.user.has_group('account.group_account_invoice')
        if not (may_book and self.browse().has_access('write')):
            raise AccessError(self.env._("Only accountants who manage refill cards hand them out."))

    def _consign(self, holder, domain=None, reference=None):
        """Hand cards to a reseller who owes their value once they are used; write delivery notes.

        :param res.partner holder: the reseller.
        """
        note = self.env._("On consignment")
        return self._hand_out('consign', 'consigned', holder, note, domain, reference)

    def _give_away(self, purpose, holder=None, domain=None, reference=None):
        """Give cards away for nothing.

        :param str purpose: for the audit log; must not hold a code, nor anybody's name.
        :param res.partner holder: to whom, if that is one.
        """
        note = self.env._("Given away: %(purpose)s", purpose=purpose)
        return self._hand_out('give_away', 'given', holder, note, domain, reference)

    def _take_back(self, domain=None, reference=None):
        """Take back cards that are on consignment or were given away, and not used."""
        note = self.env._("Taken back")
        return self._hand_out('take_back', None, None, note, domain, reference)

    def _hand_out(self, operation, terms, holder, note, domain, reference):
        """Give cards other terms, and write that into the audit log, set-based.

        :return: how many cards changed.
        :rtype: int
        :raise UserError: when the reseller is missing, or cannot owe anything to the issuer.
        """
        self._check_may_hand_out()
        if terms == 'consigned' and not holder:
            raise UserError(self.env._("Choose the reseller who gets the cards."))
        cards_sudo, domain, reference = self._begin(operation, domain, reference)
        holder = holder.commercial_partner_id if holder else self.env['res.partner']
        if terms == 'consigned':
            ranges = cards_sudo._get_ranges(domain)
            for series in cards_sudo.series_id.union(*(each[0] for each in ranges)):
                self._check_reseller(holder, series.company_id)
            self._check_credit_limit(holder, ranges)
            self.env['refill.card.delivery']._note(ranges, holder, reference)
        holder_id = holder.id or None
        told = holder_id
        if not terms:  # from whom
            told = SQL("(SELECT holder_id FROM refill_card WHERE id = card.id)")
        cards_sudo._log(domain=domain, note=note, partner_id=told, reference=reference)
        today = self.env.company._get_refill_card_day() if terms else None
        return cards_sudo._set_terms(domain, terms=terms, holder_id=holder_id, handed_out_on=today)

    @api.model
    def _check_credit_limit(self, holder, ranges):
        """:raise UserError: when a reseller would owe more than a company allows."""
        values = {}
        for series, _first, _last, count in ranges:
            amounts = values.setdefault(series.company_id.root_id, {})
            amounts.setdefault(series.currency_id, 0)
            amounts[series.currency_id] += count * series.price
        for company, amounts in values.items():
            holder._check_refill_card_credit_limit(company, amounts)

    @api.model
    def _set_terms(self, domain, **values):
        """Write who has cards, and on what terms; the ORM would load all of them.

        :param odoo.fields.Domain domain: which cards.
        :param values: column values.
        :return: how many cards.
        :rtype: int
        """
        self.flush_model()
        if values.get('terms'):  # whoever has a card has its code
            groups = self.sudo()._read_group(domain, ['series_id'])
            self.env['refill.card.series'].union(*(each for [each] in groups))._mark_codes_left()
        values['write_date'] = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card SET %s WHERE %s",
                SQL(', ').join(
                    SQL("%s = %s", SQL.identifier(column), value)
                    for column, value in values.items()
                ),
                self._get_condition(domain),
            )
        )
        changed = self.env.cr.rowcount
        self.invalidate_model()
        return changed

    @api.model
    def _check_reseller(self, partner, company):
        """:raise UserError: when a company could not bill a reseller for its cards."""
        partner_sudo = partner.sudo()  # sudo: to name them
        if partner_sudo.company_id and partner_sudo.company_id not in company.parent_ids:
            raise UserError(
                self.env._(
                    "%(reseller)s belongs to another company than %(company)s, which issued cards"
                    " among these.",
                    reseller=partner_sudo.display_name,
                    company=company.name,
                )
            )
        if partner_sudo in company.parent_ids.partner_id:
            raise UserError(
                self.env._(
                    "%(company)s issued these cards: they are on consignment with somebody else"
                    " only.",
                    company=partner_sudo.display_name,
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_handed_out(self):
        self._check_not_handed_out(Domain('id', 'in', self.ids))

    @api.model
    def _check_not_handed_out(self, domain):
        """:raise UserError: when somebody has one of the cards of a domain."""
        # sudo: whoever deletes
        handed_out = self.sudo().search(domain & Domain('terms', '!=', False), limit=1)
        if handed_out:
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was handed out: take it back before you delete it. One"
                    " that was sold comes back with a credit note.",
                    serial=handed_out.name,
                )
            )

    # -------------------------------------------------------------------------
    # WHAT A REDEMPTION DEBITS
    # -------------------------------------------------------------------------

    def _get_use(self, company, method_line):
        """Return what redeeming the card debits, and who owes its value.

        :param res.company company: which redeems.
        :param account.payment.method.line method_line: of that company's refill cards.
        :rtype: Use
        :raise UserError: when the company has no such account.
        """
        issuer, nobody = self.series_id.company_id, self.env['res.partner']
        if issuer.root_id != company.root_id:
            account = company._get_refill_card_account('refill_card_settlement_account_id')
            debtor = issuer.root_id.partner_id
            holder = self.holder_id if self.terms == 'consigned' else nobody
            return Use(account, self.series_id, debtor, self.terms, holder)
        if self.terms == 'consigned':
            account = company._get_refill_card_account('refill_card_settlement_account_id')
            return Use(account, self.series_id, self.holder_id)
        if self.terms == 'given':
            account = company._get_refill_card_account('refill_card_gift_account_id')
            return Use(account, self.series_id, nobody)
        value = self._get_historical_value()
        return Use(method_line.payment_account_id, self.series_id, nobody, value=value)

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_hand_out(self):
        """Open the window that hands these cards out, or takes them back.

        :raise UserError: when the list may have handed over only a part of what was selected.
        """
        self._check_may_hand_out()
        self._check_whole_selection()
        return self.env['refill.card.hand.out'].create({'card_ids': self.ids})._get_window()
