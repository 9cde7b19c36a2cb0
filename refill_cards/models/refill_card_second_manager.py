from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, format_date

from ..wording import format_count


class RefillCard(models.Model):
    """What is done with cards only once a second manager has approved it, above a limit."""

    _inherit = 'refill.card'

    @api.model
    def _freeze(self, domain):
        """Return which cards these are and what they are, so that nothing else is approved.

        In SQL: they may be a million, which the ORM would load.

        :param odoo.fields.Domain domain: which cards.
        :return: ``ranges`` of ids without a gap, their ``count``, and a ``digest`` of what each is.
        :rtype: dict
        """
        self.flush_model()
        self.env['refill.card.series'].flush_model()
        [[count, ranges, digest]] = self.env.execute_query(
            SQL(
                """
                WITH card AS (
                    SELECT card.id, card.id - row_number() OVER (ORDER BY card.id) AS island,
                           ROW(card.id, card.state, card.series_id, card.valid_till, card.terms,
                               card.holder_id, card.used_on, card.payment_id, card.sending_id,
                               series.price, series.currency_id, series.validity_days)::text
                               AS said
                      FROM (SELECT * FROM refill_card WHERE %s) AS card
                      JOIN refill_card_series AS series ON series.id = card.series_id
                ), stretch AS (
                    SELECT min(id) AS first, max(id) AS last FROM card GROUP BY island
                )
                SELECT (SELECT count(*) FROM card),
                       (SELECT jsonb_agg(jsonb_build_array(first, last) ORDER BY first)
                          FROM stretch),
                       (SELECT encode(sha256(convert_to(string_agg(said, ' ' ORDER BY id),
                                                        'UTF8')), 'hex') FROM card)
                """,
                self._get_condition(domain),
            )
        )
        return {'ranges': ranges or [], 'count': count, 'digest': digest or ''}

    @api.model
    def _get_at_stake(self, domain):
        """Return what cards are worth by currency, and which companies issued them.

        :rtype: tuple[dict[res.currency, float], res.company]
        """
        amounts, companies = {}, self.env['res.company']
        for series, value in self._read_group(domain, ['series_id'], ['price:sum']):
            series_sudo = series.sudo()  # sudo: whether or not their company is chosen
            currency = series_sudo.currency_id
            amounts[currency] = amounts.get(currency, 0) + (value or 0)
            companies |= series_sudo.company_id
        return amounts, companies

    # -------------------------------------------------------------------------
    # ACTIVATION
    # -------------------------------------------------------------------------

    def _activate(self, domain=None, reference=None, channel='backend'):
        """Cards are activated for somebody; what a sale activates counts as the sale."""
        if not self.env.su:
            chosen = Domain('id', 'in', self.ids) if domain is None else domain
            self._require_to_activate(chosen & self._get_operation_domain('activate'), channel)
        return super()._activate(domain, reference, channel)

    @api.model
    def _require_to_activate(self, domain, channel):
        """:raise RefillCardWaits: when another manager has to approve that."""
        self.browse().check_access('write')
        approvals = self.env['refill.card.approval']
        if not approvals._concerns(self.env.companies, 'activation'):
            return  # as mostly: then the cards need not be looked at
        amounts, companies = self._get_at_stake(domain)
        if len(companies) > 1:
            raise UserError(
                self.env._(
                    "These cards were issued by several companies. Activate those of each company"
                    " by themselves: another manager may have to approve it."
                )
            )
        count = format_count(self.env, self.search_count(domain))
        approvals._require(
            'activation',
            'activate',
            companies,
            amounts,
            {'channel': channel},
            self.env._("Activate %(count)s cards", count=count),
            details=self._name_ranges(domain),
            cards=domain,
        )

    # -------------------------------------------------------------------------
    # UNDOING
    # -------------------------------------------------------------------------

    def _undo(self, reason):
        if not self.env.su:
            self._require_to_undo(reason)
        return super()._undo(reason)

    def _require_to_undo(self, reason):
        """:raise RefillCardWaits: when another manager has to approve that."""
        self.ensure_one()
        self.check_access('write')
        self._check_undoable()
        series_sudo = self.sudo().series_id  # sudo: whether or not its company is chosen
        companies = series_sudo.company_id | self.sudo().used_company_id  # sudo: its books change
        approvals = self.env['refill.card.approval']
        if not approvals._concerns(companies, 'undo'):
            return
        approvals._require(
            'undo',
            'undo',
            companies,
            {series_sudo.currency_id: series_sudo.price},
            {'card_id': self.id, 'reason': reason},
            self.env._("Undo the redemption of card %(serial)s", serial=self.name),
            details=self.env._(
                "Redeemed on %(day)s. Reason: %(reason)s",
                day=format_date(self.env, self.used_on),
                reason=reason,
            ),
            cards=Domain('id', '=', self.id),
            record=self,
        )

    # -------------------------------------------------------------------------
    # CODES
    # -------------------------------------------------------------------------

    def _send(self, partners, layout):
        """Codes that are sent by e-mail count as exported; what a sale sends counts as the sale."""
        # sudo: whether or not their companies are chosen
        companies = self.series_id.sudo().company_id
        if self.env['refill.card.approval']._concerns(companies, 'export'):
            domain = Domain('id', 'in', self.ids)
            amounts, companies = self._get_at_stake(domain)
            customers = self.env['res.partner'].union(*partners)
            key = self.env['refill.card.key']
            self.env['refill.card.approval']._require(
                'export',
                'send',
                companies,
                amounts,
                {
                    'card_ids': self.ids,
                    'partner_ids': customers.ids,
                    'emails': [key._digest(each.email_normalized) for each in customers],
                    'layout_id': layout.id,
                },
                self.env._(
                    "Send %(count)s cards by e-mail", count=format_count(self.env, len(self))
                ),
                details=self._name_ranges(domain),
                recipients=customers,
                cards=domain,
            )
        return super()._send(partners, layout)

    def _show_code(self):
        """A code that is shown counts as exported."""
        show = super()._show_code

        def show_if_approved():
            self._require_to_show()
            return show()

        # sudo: whether or not its company is chosen
        company = self.series_id.sudo().company_id
        if not self.env['refill.card.approval']._concerns(company, 'export'):
            return show()
        approval, action = self.env['refill.card.approval']._try(show_if_approved)
        return approval._get_window_action() if approval else action

    def _require_to_show(self):
        """:raise RefillCardWaits: when another manager has to approve that."""
        self.check_access('write')
        series_sudo = self.series_id.sudo()  # sudo: whether or not its company is chosen
        self.env['refill.card.approval']._require(
            'export',
            'show',
            series_sudo.company_id,
            {series_sudo.currency_id: series_sudo.price},
            {'card_id': self.id},
            self.env._("Show the code of card %(serial)s", serial=self.name),
            cards=Domain('id', '=', self.id),
            record=self,
        )
