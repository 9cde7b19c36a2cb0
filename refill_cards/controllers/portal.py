import logging

from odoo.addons.portal.controllers.portal import CustomerPortal
from odoo.addons.portal.controllers.portal import pager as portal_pager
from odoo.exceptions import UserError
from odoo.http import request, route

from ..code import TYPED_LENGTH
from ..models.refill_card import RefillCardRefused

_logger = logging.getLogger(__name__)


class RefillCardPortal(CustomerPortal):
    # -------------------------------------------------------------------------
    # PAGES
    # -------------------------------------------------------------------------

    @route('/my/refill', type='http', auth='user', methods=['GET'], website=True)
    def portal_my_refill(self, **kwargs):
        """Show the form that redeems a card.

        :raise werkzeug.exceptions.NotFound: when the company has no refill cards in its portal.
        """
        return self._render_refill_card_form()

    @route('/my/refill', type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_redeem(self, **kwargs):
        """Redeem the card whose code was typed; a refusal is a sentence above the form.

        :raise werkzeug.exceptions.NotFound: when the company has no refill cards in its portal.
        """
        company = self._get_refill_card_company()
        # From the body alone: a code must not travel in a URL.
        typed = request.httprequest.form.get('code', '')
        try:
            # Not by the route's `captcha`, whose refusal would be a bare error page.
            request.env['ir.http']._verify_request_recaptcha_token('refill_card')
        except UserError as refused:
            return self._render_refill_card_form(typed, str(refused))
        try:
            payment_sudo = self._redeem_refill_card(typed, company)
        except RefillCardRefused as refused:
            return self._render_refill_card_form(typed, str(refused))
        except UserError:
            _logger.warning(
                "A refill card was not redeemed in the portal: user %s, company %s",
                request.env.uid,
                company.id,
                exc_info=True,
            )
            sentence = request.env._(
                "Your card could not be redeemed right now. Nothing was taken from it; please"
                " contact us."
            )
            return self._render_refill_card_form(typed, sentence)
        # Another page, so that reloading it does not send the code again.
        request.session['refill_card_payment_id'] = payment_sudo.id
        return request.redirect('/my/refill/done')

    @route('/my/refill/done', type='http', auth='user', methods=['GET'], website=True)
    def portal_my_refill_done(self, **kwargs):
        """Show what became of the last card that was redeemed in this session.

        :raise werkzeug.exceptions.NotFound: when the company has no refill cards in its portal.
        """
        company = self._get_refill_card_company()
        payment_id = request.session.get('refill_card_payment_id')
        domain = [*self._get_refill_card_payments_domain(company), ('id', '=', payment_id)]
        # sudo: customers have no right on payments; the domain finds nobody else's
        payment_sudo = request.env['account.payment'].sudo().search(domain)
        if not payment_sudo:
            return request.redirect('/my/refill')
        values = self._prepare_refill_card_values(company, 'refill_card')
        values['payment'] = payment_sudo
        values['result'] = result = payment_sudo._prepare_refill_card_result()
        names = [result['currency'], *(invoice['currency'] for invoice in result['invoices'])]
        currencies = request.env['res.currency'].with_context(active_test=False)
        values['currencies'] = {
            currency.name: currency for currency in currencies.search([('name', 'in', names)])
        }
        return request.render('refill_cards.portal_my_refill_done', values)

    @route(
        ['/my/payments', '/my/payments/page/<int:page>'],
        type='http',
        auth='user',
        methods=['GET'],
        website=True,
    )
    def portal_my_payments(self, page=1, sortby=None, **kwargs):
        """List what the customer has paid.

        :param int page: from the path; in a query string it is ignored.
        :param str sortby: a key of the sortings; anything else sorts by date.
        :raise werkzeug.exceptions.NotFound: when the company has no refill cards in its portal.
        """
        company = self._get_refill_card_company()
        sortings = self._get_refill_card_payments_sortings()
        if sortby not in sortings:
            sortby = 'date'
        # sudo: customers have no right on payments; the domain finds nobody else's
        payments_sudo = request.env['account.payment'].sudo()
        domain = self._get_refill_card_payments_domain(company)
        pager = portal_pager(
            url='/my/payments',
            url_args={'sortby': sortby},
            total=payments_sudo.search_count(domain),
            page=page if isinstance(page, int) else 1,
            step=self._items_per_page,
        )
        payments_sudo = payments_sudo.search(
            domain,
            order=sortings[sortby]['order'],
            limit=self._items_per_page,
            offset=pager['offset'],
        )
        values = self._prepare_refill_card_values(company, 'refill_card_payments')
        values.update(
            payments=payments_sudo,
            pager=pager,
            searchbar_sortings=sortings,
            sortby=sortby,
        )
        return request.render('refill_cards.portal_my_payments', values)

    # -------------------------------------------------------------------------
    # VALUES
    # -------------------------------------------------------------------------

    def _prepare_portal_layout_values(self):
        """Tell the portal's home whether to show the tile."""
        values = super()._prepare_portal_layout_values()
        values['refill_card_portal'] = self._get_customer_company().refill_card_portal
        return values

    def _prepare_refill_card_values(self, company, page_name):
        """Return what each of the pages shows.

        :rtype: dict
        """
        customer = request.env.user.partner_id.commercial_partner_id
        return {
            **self._prepare_portal_layout_values(),
            'page_name': page_name,
            'balance': customer._get_refill_card_balance(company),
            'balance_currency': company.currency_id,
        }

    def _render_refill_card_form(self, typed='', refusal=None):
        """Render the form.

        :param str typed: what stays in the field.
        :param str refusal: a sentence, when what was typed was refused.
        :raise werkzeug.exceptions.NotFound: when the company has no refill cards in its portal.
        """
        company = self._get_refill_card_company()
        values = self._prepare_refill_card_values(company, 'refill_card')
        values.update(typed=typed[:TYPED_LENGTH], refusal=refusal)
        return request.render('refill_cards.portal_my_refill', values)

    def _get_customer_company(self):
        """Return the company that the customer deals with, as superuser and current company.

        :rtype: res.company
        """
        user_sudo = request.env.user  # Odoo hands it out as superuser
        company = user_sudo.partner_id.commercial_partner_id.company_id or user_sudo.company_id
        return company.with_company(company)

    def _get_refill_card_company(self):
        """Return the company that the customer deals with.

        :rtype: res.company
        :raise werkzeug.exceptions.NotFound: when it has no refill cards in its portal.
        """
        company = self._get_customer_company()
        if not company.refill_card_portal:
            raise request.not_found()
        return company

    def _get_refill_card_payments_domain(self, company):
        """Return the domain of the payments that the customer may see.

        By commercial partner: `child_of` would also find the companies below a customer.
        """
        return [
            (
                'partner_id.commercial_partner_id',
                '=',
                request.env.user.partner_id.commercial_partner_id.id,
            ),
            ('company_id', '=', company.id),
            ('partner_type', '=', 'customer'),
            ('payment_type', '=', 'inbound'),
            ('state', 'in', ('in_process', 'paid')),
        ]

    def _get_refill_card_payments_sortings(self):
        return {
            'date': {'label': request.env._("Date"), 'order': 'date desc, id desc'},
            'amount': {
                'label': request.env._("Amount"),
                'order': 'amount_company_currency_signed desc, id desc',
            },
        }

    # -------------------------------------------------------------------------
    # REDEMPTION
    # -------------------------------------------------------------------------

    def _redeem_refill_card(self, typed, company):
        """Redeem a card for the customer who is logged in, all of it or nothing.

        :param str typed: the code as typed.
        :return: the posted payment, as superuser.
        :rtype: account.payment
        :raise UserError: when the card is not redeemed.
        """
        # sudo: customers have no right on cards; whoever has the code may redeem the card
        cards_sudo = request.env['refill.card'].sudo()
        return cards_sudo._redeem_code(
            typed, request.env.user.partner_id, company, channel='portal'
        )
