from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Date, Domain
from odoo.tools import SQL, format_amount


class ResPartner(models.Model):
    """A reseller's credit limit counts the cards that they have and will owe."""

    _inherit = 'res.partner'

    @api.depends_context('company')
    def _compute_credit_to_invoice(self):
        super()._compute_credit_to_invoice()
        if not self.env.company.account_use_credit_limit:
            return
        for partner in (self.commercial_partner_id & self).filtered('id'):
            partner.credit_to_invoice += partner._get_refill_card_exposure(self.env.company.root_id)

    def _get_refill_card_exposure(self, company):
        """Return what a reseller will owe for cards, in the company's currency.

        For those on consignment that customers may still use, for those used or sold by activation
        and not billed, and for settlements that are drafts.

        :param res.company company: a root company.
        :rtype: float
        """
        self.ensure_one()
        # sudo: whoever sees a credit limit
        cards_sudo = self.env['refill.card'].sudo()
        issued = Domain('series_id.company_id', 'child_of', company.id)
        consigned = issued & Domain(
            [
                ('terms', '=', 'consigned'),
                ('used_on', '=', False),
                ('state', 'in', ['inactive', 'active']),
            ]
        )
        today = Date.context_today(self)
        waiting = consigned | cards_sudo._get_unbilled_domain(company, Date.add(today, days=1))
        groups = cards_sudo._read_group(
            waiting & Domain('holder_id', '=', self.id), ['series_id'], ['__count']
        )
        total = sum(
            series.currency_id._convert(count * series.price, company.currency_id, company, today)
            for series, count in groups
        )
        drafts = (
            self.env['account.move']
            .sudo()
            .search(
                Domain('commercial_partner_id', '=', self.id)
                & Domain('state', '=', 'draft')
                & Domain('company_id', '=', company.id)
                & Domain('move_type', 'in', ['out_invoice', 'out_refund'])
                & Domain('line_ids.refill_card_role', '=', 'settlement')
            )
        )
        total += sum(drafts.mapped('amount_total_signed'))
        return total + self.env['account.move.line'].sudo()._get_unbilled_balance(company, self)

    def _check_refill_card_credit_limit(self, company, amounts):
        """Check that a reseller may owe the value of more cards.

        :param res.company company: a root company, which issued the cards.
        :param dict amounts: their value by currency.
        :raise UserError: when the credit limit would be exceeded.
        """
        if not company.account_use_credit_limit:
            return
        # Two who consign at once would each see only their own: the second one starts again.
        self.env.cr.execute(SQL("UPDATE res_partner SET id = id WHERE id = %s", self.id))
        # sudo: whoever consigns
        partner_sudo = self.sudo().with_company(company)
        # Odoo does not say what they depend on, and these cards are about to be added.
        computed = ['credit', 'credit_to_invoice']
        partner_sudo.invalidate_recordset(computed)
        day = Date.context_today(self)
        own = company.currency_id
        value = sum(
            currency._convert(amount, own, company, day) for currency, amount in amounts.items()
        )
        owed = partner_sudo.credit + partner_sudo.credit_to_invoice
        partner_sudo.invalidate_recordset(computed)
        limit = partner_sudo.credit_limit
        if not limit or own.compare_amounts(owed + value, limit) <= 0:
            return
        raise UserError(
            self.env._(
                "%(reseller)s has a credit limit of %(limit)s. With %(owed)s that are due or will"
                " be for cards, and these cards worth %(value)s, it would be exceeded by"
                " %(excess)s. Hand out fewer cards, or raise the limit.",
                reseller=partner_sudo.name,
                limit=format_amount(self.env, limit, own),
                owed=format_amount(self.env, owed, own),
                value=format_amount(self.env, value, own),
                excess=format_amount(self.env, owed + value - limit, own),
            )
        )


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _get_partner_credit_warning_exclude_amount(self):
        """Count a draft settlement once: it is among what the reseller will owe."""
        amount = super()._get_partner_credit_warning_exclude_amount()
        if self._origin._get_settlement_lines():
            amount += self._origin.amount_total_signed
        return amount


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    @api.model
    def _get_unbilled_balance(self, company, partner):
        """Return what was debited for a debtor's cards and not billed, in the company's currency.

        :rtype: float
        """
        self.env.flush_all()
        tomorrow = Date.add(Date.context_today(self), days=1)
        [[balance]] = self.env.execute_query(
            SQL(
                "SELECT COALESCE(SUM(line.balance), 0) FROM %s AND line.refill_card_debtor_id = %s",
                self._get_unbilled_sql(company, tomorrow),
                partner.id,
            )
        )
        return balance
