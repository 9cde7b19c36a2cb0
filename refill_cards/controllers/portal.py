import json
import logging

from odoo.addons.portal.controllers.portal import CustomerPortal
from odoo.addons.portal.controllers.portal import pager as portal_pager
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import content_disposition, request, route

from ..codes import TYPED_LENGTH
from ..refusals import RefillCardRefused, describe

_logger = logging.getLogger(__name__)


class RefillCardPortal(CustomerPortal):
    # -------------------------------------------------------------------------
    # PAGES
    # -------------------------------------------------------------------------

    @route('/my/refill', type='http', auth='user', methods=['GET'], website=True)
    def portal_my_refill(self, **kwargs):
        """Show the form that redeems a card, once with what was refused before.

        Where no card can be redeemed, the page behind a card's QR says what to do instead.
        """
        if not self._get_customer_companies():
            return self._render_refill_card_unavailable()
        refused = request.session.pop('refill_card_refused', {})
        company = request.env['res.company'].browse(refused.pop('company_id', None))
        return self._render_refill_card_form(company=company, **refused)

    @route('/my/refill', type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_redeem(self, **kwargs):
        """Redeem the card whose code was typed; a refusal is a sentence above the form.

        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        # From the body alone: a code must not travel in a URL.
        typed = request.httprequest.form.get('code', '')
        companies = self._get_chosen_companies()
        company = companies[:1]
        if not company:
            sentence = request.env._("Please choose the company that the card is for.")
            return self._refuse_refill_card(typed, company, sentence)
        try:
            # Not by the route's `captcha`, whose refusal would be a bare error page.
            request.env['ir.http']._verify_request_recaptcha_token('refill_card')
        except UserError as refused:
            return self._refuse_refill_card(typed, company, str(refused))
        try:
            payment_sudo = self._redeem_refill_card(typed, companies)
        except RefillCardRefused as refused:
            return self._refuse_refill_card(typed, company, str(refused), refused.reason)
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
            return self._refuse_refill_card(typed, company, sentence)
        # Another page, so that reloading it does not send the code again.
        request.session['refill_card_payment_id'] = payment_sudo.id
        return request.redirect('/my/refill/done')

    @route('/my/refill/done', type='http', auth='user', methods=['GET'], website=True)
    def portal_my_refill_done(self, **kwargs):
        """Show what became of the last card that was redeemed in this session.

        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        payment_sudo = self._find_payment(request.session.get('refill_card_payment_id'))
        if not payment_sudo:
            return request.redirect('/my/refill')
        companies = self._get_refill_card_companies()
        root = payment_sudo.company_id.root_id
        companies = companies.filtered(lambda company: company.root_id == root)
        values = self._prepare_refill_card_values('refill_card', companies)
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
    def portal_my_payments(self, page=1, sortby=None, filterby=None, search='', **kwargs):
        """List what the customer has paid.

        :param int page: from the path; in a query string it is ignored.
        :param str sortby: a key of the sortings; anything else sorts by date.
        :param str filterby: a key of the filters; anything else shows all types.
        :param str search: part of a number, a comment, or an invoice's number.
        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        values = self._prepare_refill_card_values('refill_card_payments')
        domain = self._get_refill_card_payments_domain()
        sortings = self._get_refill_card_payments_sortings()
        filters = self._get_refill_card_payments_filters(domain)
        sortby = sortby if sortby in sortings else 'date'
        filterby = filterby if filterby in filters else 'all'
        search = search[:TYPED_LENGTH].replace('\0', '').strip()  # PostgreSQL takes no NUL
        domain &= filters[filterby]['domain'] & self._get_refill_card_payments_search(search)
        # sudo: customers have no right on payments; the domain finds nobody else's
        payments_sudo = request.env['account.payment'].sudo()
        totals = payments_sudo._read_group(
            domain, ['payment_method_id', 'currency_id'], ['__count', 'amount:sum']
        )
        pager = portal_pager(
            url='/my/payments',
            url_args={'sortby': sortby, 'filterby': filterby, 'search': search},
            total=sum(count for _method, _currency, count, _amount in totals),
            page=page if isinstance(page, int) else 1,
            step=self._items_per_page,
        )
        values.update(
            payments=payments_sudo.search(
                domain,
                order=sortings[sortby]['order'],
                limit=self._items_per_page,
                offset=pager['offset'],
            ),
            totals=totals,
            pager=pager,
            sortings=sortings,
            sortby=sortby,
            filters=filters,
            filterby=filterby,
            search=search,
        )
        return request.render('refill_cards.portal_my_payments', values)

    @route(
        '/my/payments/<int:payment_id>/receipt',
        type='http',
        auth='user',
        methods=['GET'],
        website=True,
    )
    def portal_my_payment_receipt(self, payment_id, **kwargs):
        """Send Odoo's receipt of a payment as PDF, or a page that says why not.

        :raise werkzeug.exceptions.NotFound: when the customer has no such payment.
        """
        payment_sudo = self._find_payment(payment_id)
        if not payment_sudo:
            raise request.not_found()
        reports_sudo = request.env['ir.actions.report'].sudo()  # sudo: as the payment
        try:
            pdf, _type = reports_sudo.with_company(payment_sudo.company_id)._render_qweb_pdf(
                'account.action_report_payment_receipt', payment_sudo.ids
            )
        except UserError:
            _logger.warning("There is no receipt of payment %s", payment_id, exc_info=True)
            values = self._prepare_refill_card_values('refill_card_payments')
            return request.render('refill_cards.portal_my_payment_receipt_missing', values)
        filename = f'{payment_sudo.name.replace("/", "_")}.pdf'
        return request.make_response(
            pdf,
            [
                ('Content-Type', 'application/pdf'),
                ('Content-Disposition', content_disposition(filename)),
            ],
        )

    # -------------------------------------------------------------------------
    # VALUES
    # -------------------------------------------------------------------------

    def _prepare_home_portal_values(self, counters):
        """Tell the portal's home what the tile shows, unless only counters are asked for."""
        values = super()._prepare_home_portal_values(counters)
        companies = not counters and self._get_customer_companies()
        if companies:
            values.update(self._prepare_page_values(companies))
        return values

    def _prepare_refill_card_values(self, page_name, companies=None):
        """Return what each of the pages shows.

        :param res.company companies: whose balances are shown; all when left out.
        :rtype: dict
        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        return {
            **self._prepare_portal_layout_values(),
            **self._prepare_page_values(companies or self._get_refill_card_companies()),
            'page_name': page_name,
        }

    def _prepare_page_values(self, companies):
        """Return the customer's balances, and what a screen reader needs.

        A head office and its branches share one balance.

        :param res.company companies: those with refill cards in their portal; what is owed to, or
            paid in, another one of their tree is left out.
        :return: ``balances``: a list of root company, amount, and the company that books a card.
        :rtype: dict
        """
        customer_sudo = request.env.user.partner_id.commercial_partner_id
        # sudo: customers have no right on entries
        groups = (
            request.env['account.move.line']
            .sudo()
            ._read_group(
                [
                    ('partner_id', '=', customer_sudo.id),
                    ('account_type', '=', 'asset_receivable'),
                    ('parent_state', '=', 'posted'),
                    ('company_id', 'in', companies.ids),
                ],
                ['company_id'],
                ['amount_residual:sum'],
            )
        )
        due = {company.id: amount for company, amount in groups}
        return {
            'balances': [
                (
                    root,
                    root.currency_id.round(0.0 - sum(due.get(company.id, 0) for company in tree)),
                    self._sort_tree(tree)[0],
                )
                for root, tree in companies.grouped('root_id').items()
            ],
            'has_companies': len(companies) > 1,
            # Odoo tells the language only where the module Website is installed.
            'html_data': {'lang': request.env.lang.replace('_', '-')},
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

    def _refuse_refill_card(self, typed, company, refusal, reason=None):
        """Show the form again, with what was refused.

        By a redirect, so that reloading the page does not send the code again. What was typed is
        kept by the browser then, because sessions are files, and it may be the code of a card.

        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        if not request.httprequest.form.get('is_typed_kept'):
            return self._render_refill_card_form(typed, company, refusal, reason)
        request.session['refill_card_refused'] = {
            'company_id': company.id,
            'refusal': refusal,
            'reason': reason,
        }
        return request.redirect('/my/refill')

    def _render_refill_card_unavailable(self):
        """Render the page for whoever cannot redeem a card here, with what to do instead."""
        values = self._prepare_portal_layout_values()
        values.update(page_name='refill_card_unavailable', is_staff=self._is_staff())
        values['html_data'] = {'lang': request.env.lang.replace('_', '-')}
        return request.render('refill_cards.portal_my_refill_unavailable', values)

    def _is_staff(self):
        return request.env.user.has_group('refill_cards.group_refill_card_user')

    def _render_refill_card_form(self, typed='', company=None, refusal=None, reason=None):
        """Render the form.

        :param str typed: what stays in the field.
        :param res.company company: the chosen one.
        :param str refusal: a sentence, when what was typed was refused.
        :param str reason: why, see ``refill.card.attempt``.
        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        values = self._prepare_refill_card_values('refill_card')
        values.update(
            typed=typed[:TYPED_LENGTH],
            refusal=refusal,
            reason=reason,
            is_staff=self._is_staff(),
            formats=json.dumps(self._prepare_typo_formats()),
            serials=json.dumps(request.env['refill.card']._get_serial_shapes()),
            serial_sentence=describe(request.env, 'serial'),
        )
        own_root = request.env.user.company_id.root_id
        roots = [root for root, _amount, _company in values['balances']]
        chosen_root = company.root_id if company else own_root if own_root in roots else roots[0]
        values['chosen_root'] = chosen_root
        return request.render('refill_cards.portal_my_refill', values)

    def _prepare_typo_formats(self):
        """Return what the page needs for finding typing errors, which is no series' prefix."""
        formats = request.env['refill.card.series']._get_formats()
        return [
            {'characters': characters, 'length': length + 1}
            for characters, length in sorted({(fmt.characters, fmt.length) for fmt in formats})
        ]

    def _get_customer_companies(self):
        """Return the companies that the customer deals with and whose portal has refill cards.

        The customer deals with a company when the contact or the user belongs to it, or when it
        has posted an entry on the customer's account, such as an invoice or a payment. A contact
        who belongs to one company deals with nobody but that and its branches.

        :return: as superuser
        :rtype: res.company
        """
        user_sudo = request.env.user  # Odoo hands it out as superuser
        customer_sudo = user_sudo.partner_id.commercial_partner_id
        entries = user_sudo.env['account.move.line']._read_group(
            [
                ('partner_id', '=', customer_sudo.id),
                ('account_type', '=', 'asset_receivable'),
                ('parent_state', '=', 'posted'),
            ],
            ['company_id'],
        )
        owner = customer_sudo.company_id
        companies = owner | user_sudo.company_ids
        companies = companies.union(*(company for (company,) in entries))
        return companies.filtered(
            lambda company: (
                company.refill_card_portal and (not owner or owner in company.parent_ids)
            )
        ).sorted()

    def _get_refill_card_companies(self):
        """Return the companies whose portal the customer uses.

        :rtype: res.company
        :raise werkzeug.exceptions.NotFound: when there is none.
        """
        companies = self._get_customer_companies()
        if not companies:
            raise request.not_found()
        return companies

    def _get_chosen_companies(self):
        """Return the companies of one tree in which the card may be redeemed, the wanted one first.

        The form asks only which tree; one of the companies, which the form names, stands for it.

        :return: empty when it is no choice
        :rtype: res.company
        :raise werkzeug.exceptions.NotFound: when the customer has none to choose from.
        """
        companies = self._get_refill_card_companies()
        named = request.httprequest.form.get('company_id')
        chosen = companies.filtered(lambda company: str(company.id) == named)
        roots = chosen.root_id if named is not None else companies.root_id
        if len(roots) != 1:
            return companies.browse()
        tree = self._sort_tree(companies.filtered(lambda company: company.root_id == roots))
        return (chosen | tree).with_company(chosen or tree[0])

    # -------------------------------------------------------------------------
    # PAYMENTS
    # -------------------------------------------------------------------------

    def _find_payment(self, payment_id):
        """Return a payment of the customer as superuser, empty when it is somebody else's.

        :raise werkzeug.exceptions.NotFound: when no company has refill cards in its portal.
        """
        domain = self._get_refill_card_payments_domain() & Domain('id', '=', payment_id)
        # sudo: customers have no right on payments; the domain finds nobody else's
        return request.env['account.payment'].sudo().search(domain)

    def _get_refill_card_payments_domain(self):
        """Return the domain of the payments that the customer may see.

        By commercial partner: `child_of` would also find the companies below a customer.
        """
        customer = request.env.user.partner_id.commercial_partner_id
        return Domain(
            [
                ('partner_id.commercial_partner_id', '=', customer.id),
                ('company_id', 'in', self._get_refill_card_companies().ids),
                ('partner_type', '=', 'customer'),
                ('payment_type', '=', 'inbound'),
                ('state', 'in', ('in_process', 'paid')),
            ]
        )

    def _get_refill_card_payments_sortings(self):
        return {
            'date': {'label': request.env._("Date"), 'order': 'date desc, id desc'},
            'name': {'label': request.env._("Number"), 'order': 'name desc, id desc'},
            'type': {
                'label': request.env._("Type"),
                'order': 'payment_method_id, date desc, id desc',
            },
            'amount': {
                'label': request.env._("Amount"),
                'order': 'amount_company_currency_signed desc, id desc',
            },
        }

    def _get_refill_card_payments_filters(self, domain):
        """Return a filter for each type among the payments, by the code of the payment method."""
        # sudo: as for the payments
        payments_sudo = request.env['account.payment'].sudo()
        methods = [method for (method,) in payments_sudo._read_group(domain, ['payment_method_id'])]
        return {
            'all': {'label': request.env._("All types"), 'domain': Domain.TRUE},
            **{
                method.code: {
                    'label': method.name,
                    'domain': Domain('payment_method_id', '=', method.id),
                }
                for method in methods
            },
        }

    def _get_refill_card_payments_search(self, search):
        if not search:
            return Domain.TRUE
        customer = request.env.user.partner_id.commercial_partner_id
        domain = [('commercial_partner_id', '=', customer.id), ('name', 'ilike', search)]
        # sudo: only the customer's own; looked up first, because there are few of them
        invoices_sudo = request.env['account.move'].sudo().search(domain)
        return Domain.OR(
            [
                Domain('name', 'ilike', search),
                Domain('memo', 'ilike', search),
                Domain('invoice_ids', 'in', invoices_sudo.ids),
                Domain(
                    'move_id.line_ids.matched_debit_ids.debit_move_id.move_id',
                    'in',
                    invoices_sudo.ids,
                ),
            ]
        )

    # -------------------------------------------------------------------------
    # REDEMPTION
    # -------------------------------------------------------------------------

    def _redeem_refill_card(self, typed, companies):
        """Redeem a card for the customer who is logged in, all of it or nothing.

        :param str typed: the code as typed.
        :param res.company companies: of which the first that accepts the card books the payment.
        :return: the posted payment, as superuser.
        :rtype: account.payment
        :raise UserError: when the card is not redeemed.
        """
        # sudo: customers have no right on cards; whoever has the code may redeem the card
        cards_sudo = request.env['refill.card'].sudo()
        return cards_sudo._redeem_code(
            typed, request.env.user.partner_id, companies, channel='portal'
        )
