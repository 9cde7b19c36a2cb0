from odoo.addons.portal.controllers.portal import CustomerPortal
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request

from ..foreign import ForeignFormat


class CaptchaRefused(UserError):
    """Who sends the form may be a robot."""


class RefillCardPortal(CustomerPortal):
    """What the portal's home and all pages of refill cards and payments show."""

    def _prepare_home_portal_values(self, counters):
        """Tell the portal's home what the tiles show, unless only counters are asked for."""
        values = super()._prepare_home_portal_values(counters)
        if counters:
            return values
        values['html_data'] = self._prepare_html_data()
        if companies := self._get_customer_companies():
            values.update(self._prepare_page_values(companies))
        values['has_cards_to_sell'] = bool(self._get_reseller_companies())
        values['has_bought_cards'] = self._has_bought_cards()
        return values

    def _prepare_html_data(self):
        """Return what a screen reader needs."""
        # Odoo tells the language only where the module Website is installed.
        return {'lang': request.env.lang.replace('_', '-')}

    def _prepare_plain_values(self, page_name):
        """Return what a page shows that is about no balance.

        :rtype: dict
        """
        return {
            **self._prepare_portal_layout_values(),
            'page_name': page_name,
            'html_data': self._prepare_html_data(),
            'is_case_exact': self._is_case_exact(),
        }

    def _is_case_exact(self):
        """Return whether there are codes whose case matters: a phone must not capitalize them."""
        formats = request.env['refill.card.series']._get_formats()
        return any(isinstance(fmt, ForeignFormat) and fmt.case == 'exact' for fmt in formats)

    def _prepare_refill_card_values(self, page_name, companies=None):
        """Return what each of the pages shows.

        :param res.company companies: whose balances are shown; all when left out.
        :rtype: dict
        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        return {
            **self._prepare_plain_values(page_name),
            **self._prepare_page_values(companies or self._get_refill_card_companies()),
        }

    def _prepare_page_values(self, companies):
        """Return the customer's balances.

        :param res.company companies: those with refill cards in their portal.
        :return: ``balances``: a list of root company, amount, and the company that books a card.
        :rtype: dict
        """
        trees = companies.grouped('root_id')
        balances = request.env.user.partner_id._get_refill_card_portal_balances(companies)
        return {
            'balances': [
                (root, amount, self._sort_tree(trees[root])[0]) for root, amount in balances.items()
            ],
            'has_companies': len(companies) > 1,
        }

    def _sort_tree(self, companies):
        """Return companies of one tree, first that which books the payment unless it refuses.

        :param res.company companies: which the customer deals with.
        :rtype: res.company
        """
        own = request.env.user.company_id
        return companies.sorted(
            lambda company: (company != own, company != company.root_id, company.id)
        )

    def _get_customer_companies(self):
        """Return the companies whose portal the customer uses, as superuser; maybe none."""
        user_sudo = request.env.user  # Odoo hands it out as superuser
        return user_sudo.partner_id._get_refill_card_portal_companies(user_sudo)

    def _get_reseller_companies(self):
        """Return the companies whose cards the user's company sells, as superuser; maybe none."""
        user_sudo = request.env.user  # Odoo hands it out as superuser
        return user_sudo.partner_id._get_refill_card_reseller_companies(user_sudo)

    def _get_cards_sudo(self):
        # sudo: customers have no right on cards; each domain finds nobody else's
        return request.env['refill.card'].sudo()

    def _get_bought_domain(self):
        """Return the domain of the cards that the user's company bought.

        :rtype: odoo.fields.Domain
        """
        user_sudo = request.env.user  # Odoo hands it out as superuser
        if not user_sudo._is_portal():
            # Staff of a company that bought cards from another one see them by their rights.
            return Domain.FALSE
        customer_sudo = user_sudo.partner_id.commercial_partner_id
        return self._get_cards_sudo()._get_customer_domain(customer_sudo)

    def _has_bought_cards(self, invoice_id=None):
        """Return whether the user's company bought cards, of all or by an invoice."""
        domain = self._get_bought_domain()
        if invoice_id:
            domain &= self._get_invoice_domain(invoice_id)
        return bool(self._get_cards_sudo().search_count(domain, limit=1))

    def _get_invoice_domain(self, invoice_id):
        return Domain('invoice_line_id', 'any', [('move_id', '=', invoice_id)])

    def _read_id(self, value):
        """Return an id that a browser sent, 0 for anything else."""
        is_id = value and value.isascii() and value.isdecimal() and len(value) < 10
        return int(value) if is_id else 0

    def _check_captcha(self):
        """:raise CaptchaRefused: when there is a captcha, and it was not solved."""
        try:
            # Not by the route's `captcha`, whose refusal would be a bare error page. And not of a
            # form that is sent again, with a token that was spent.
            request.env['ir.http']._verify_request_recaptcha_token('refill_card')
        except UserError as refused:
            raise CaptchaRefused(str(refused)) from None

    def _get_refill_card_companies(self):
        """Return the companies whose portal the customer uses.

        :rtype: res.company
        :raise werkzeug.exceptions.NotFound: when there is none.
        """
        companies = self._get_customer_companies()
        if not companies:
            raise request.not_found()
        return companies

    def _find_payment(self, payment_id):
        """Return a payment of the customer as superuser, empty when it is somebody else's.

        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        domain = self._get_refill_card_payments_domain() & Domain('id', '=', payment_id)
        # sudo: customers have no right on payments; the domain finds nobody else's
        return request.env['account.payment'].sudo().search(domain)

    def _get_refill_card_payments_domain(self):
        """Return the domain of the payments that the customer may see.

        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        customer_sudo = request.env.user.partner_id  # sudo: as Odoo hands it out
        companies = self._get_refill_card_companies()
        return customer_sudo._get_refill_card_portal_payments_domain(companies)
