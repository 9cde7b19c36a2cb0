from odoo import models
from odoo.fields import Domain


class ResPartner(models.Model):
    """What a customer sees in the portal."""

    _inherit = 'res.partner'

    def _get_refill_card_portal_companies(self, user):
        """Return the companies that the customer deals with and whose portal has refill cards.

        The customer deals with a company when the contact or the user belongs to it, or when it
        has posted an entry on the customer's account, such as an invoice or a payment. A contact
        who belongs to one company deals with nobody but that and its branches.

        :param res.users user: the contact's, who is logged in.
        :return: as superuser
        :rtype: res.company
        """
        self.ensure_one()
        self_sudo = self.sudo()  # sudo: customers have no right on entries, nor on all companies
        entries_sudo = self_sudo.env['account.move.line']._read_group(
            self._get_refill_card_portal_entries_domain(), ['company_id']
        )
        owner_sudo = self_sudo.commercial_partner_id.company_id
        companies_sudo = owner_sudo | user.sudo().company_ids
        companies_sudo = companies_sudo.union(*(company for (company,) in entries_sudo))
        return companies_sudo.filtered(
            lambda company: (
                company.refill_card_portal and (not owner_sudo or owner_sudo in company.parent_ids)
            )
        ).sorted()

    def _get_refill_card_portal_balances(self, companies):
        """Return the customer's balances; a head office and its branches share one.

        :param res.company companies: those with refill cards in their portal; what is owed to, or
            paid in, another one of their tree is left out.
        :return: by root company and in its currency; positive for prepaid credit, negative for
            what is due.
        :rtype: dict[res.company, float]
        """
        self.ensure_one()
        domain = self._get_refill_card_portal_entries_domain()
        domain &= Domain('company_id', 'in', companies.ids)
        # sudo: customers have no right on entries
        lines_sudo = self.env['account.move.line'].sudo()
        due = dict(lines_sudo._read_group(domain, ['company_id'], ['amount_residual:sum']))
        return {
            root: root.currency_id.round(0.0 - sum(due.get(company, 0) for company in tree))
            for root, tree in companies.grouped('root_id').items()
        }

    def _get_refill_card_portal_entries_domain(self):
        """Return the domain of the entries on the customer's account."""
        customer_sudo = self.sudo().commercial_partner_id  # sudo: a contact may not see it
        return Domain(
            [
                ('partner_id', '=', customer_sudo.id),
                ('account_type', '=', 'asset_receivable'),
                ('parent_state', '=', 'posted'),
            ]
        )

    def _get_refill_card_portal_payments_domain(self, companies):
        """Return the domain of the payments that the customer may see.

        By commercial partner: `child_of` would also find the companies below a customer.

        :param res.company companies: those with refill cards in their portal.
        :rtype: Domain
        """
        customer_sudo = self.sudo().commercial_partner_id  # sudo: a contact may not see it
        return Domain(
            [
                ('partner_id.commercial_partner_id', '=', customer_sudo.id),
                ('company_id', 'in', companies.ids),
                ('partner_type', '=', 'customer'),
                ('payment_type', '=', 'inbound'),
                ('state', 'in', ('in_process', 'paid')),
            ]
        )
