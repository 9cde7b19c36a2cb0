from odoo import models
from odoo.fields import Domain


class ResPartner(models.Model):
    """What a reseller of cards sees in the portal."""

    _inherit = 'res.partner'

    def _get_refill_card_reseller_companies(self, user):
        """Return the companies whose cards a contact's company sells, with a page for that.

        A reseller has agreed on it with them, or has cards that were not bought from them.

        :param res.users user: the contact's, who is logged in: somebody from outside, as staff of a
            reseller that is a company of the database, too, sees its cards by their rights.
        :return: as superuser
        :rtype: res.company
        """
        self.ensure_one()
        # sudo: resellers have no right on companies, agreements and cards
        companies_sudo = self.env['res.company'].sudo()
        if not user._is_portal():
            return companies_sudo
        companies_sudo = companies_sudo.search([('refill_card_reseller_portal', '=', True)])
        reseller_sudo = self.sudo().commercial_partner_id
        if owner_sudo := reseller_sudo.company_id:
            companies_sudo = companies_sudo.filtered(lambda each: owner_sudo in each.parent_ids)
        return companies_sudo.filtered(
            lambda company: (
                self.env['refill.card.agreement']._get(reseller_sudo, company)
                or reseller_sudo._has_refill_cards_to_sell(company)
            )
        )

    def _has_refill_cards_to_sell(self, company):
        cards = self.env['refill.card']
        domain = cards._get_reseller_domain(self, company) & ~cards._get_bought_domain()
        return bool(cards.search_count(domain, limit=1))

    def _get_refill_card_reseller_invoices(self, companies):
        """Return the open invoices and credit notes with cards, those due first at the beginning.

        :param res.company companies: whose cards the reseller sells.
        :return: as superuser
        :rtype: account.move
        """
        # sudo: a contact may not see whom they belong to; they see all of their company's invoices
        customer_sudo = self.sudo().commercial_partner_id
        return customer_sudo.env['account.move'].search(
            Domain(
                [
                    ('commercial_partner_id', '=', customer_sudo.id),
                    ('company_id', 'child_of', companies.root_id.ids),
                    ('state', '=', 'posted'),
                    ('move_type', 'in', ['out_invoice', 'out_refund']),
                    ('payment_state', 'in', ['not_paid', 'partial']),
                    ('line_ids.refill_card_role', '!=', False),
                ]
            ),
            order='invoice_date_due, id',
        )
