import time

from odoo.addons.account.controllers.portal import PortalAccount
from odoo.addons.portal.controllers.portal import pager as portal_pager
from odoo.exceptions import AccessDenied, UserError
from odoo.fields import Domain
from odoo.http import content_disposition, request, route

from .portal import RefillCardPortal

PAGE = '/my/refill/cards'


class RefillCardBoughtPortal(RefillCardPortal):
    """What a customer bought, and its codes."""

    # -------------------------------------------------------------------------
    # PAGES
    # -------------------------------------------------------------------------

    @route(
        [PAGE, f'{PAGE}/page/<int:page>'],
        type='http',
        auth='user',
        methods=['GET'],
        website=True,
        readonly=True,
    )
    def portal_my_refill_cards(self, page=1, invoice_id='', **kwargs):
        """List the cards that the customer bought, without their codes.

        :param int page: from the path; in a query string it is ignored.
        :param str invoice_id: of the invoice whose cards are shown; anything else shows all.
        :raise werkzeug.exceptions.NotFound: when the customer bought none.
        """
        bought = self._get_bought_domain()
        cards_sudo = self._get_cards_sudo()
        invoice = self._read_id(invoice_id)
        shown = bought & self._get_invoice_domain(invoice) if invoice else bought
        total = cards_sudo.search_count(shown)
        if not total:
            raise request.not_found()
        pager = portal_pager(
            url=PAGE,
            url_args={'invoice_id': invoice} if invoice else {},
            total=total,
            page=page if isinstance(page, int) else 1,
            step=self._items_per_page,
        )
        cards_sudo = cards_sudo.search(
            shown,
            order='handed_out_on desc, id',
            limit=self._items_per_page,
            offset=pager['offset'],
        )
        values = self._prepare_plain_values('refill_card_bought')
        values.update(
            cards=cards_sudo,
            showable=cards_sudo.filtered_domain(cards_sudo._get_showable_domain()),
            sold_by=cards_sudo.invoice_line_id.move_id if invoice else None,
            words=dict(cards_sudo._fields['state']._description_selection(request.env)),
            pager=pager,
            refusal=request.session.pop('refill_card_bought', None),
        )
        return request.render('refill_cards.portal_my_refill_cards', values)

    @route(f'{PAGE}/show', type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_cards_show(self, **kwargs):
        """Show the code of one card to whoever typed their password just now.

        :raise werkzeug.exceptions.NotFound: when the customer has no such card.
        """
        card_sudo = self._find_named('card_id')
        if asked := self._ask_for_password('card_id'):
            return asked
        try:
            code = card_sudo._show_to_customer()
        except UserError as refused:
            return self._refuse(refused)
        values = self._prepare_plain_values('refill_card_bought_code')
        values.update(card=card_sudo, code=code)
        return request.render('refill_cards.portal_my_refill_card_code', values)

    @route(f'{PAGE}/pdf', type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_cards_pdf(self, **kwargs):
        """Send a card, or those of an invoice that work, as PDF, as when showing a code.

        :raise werkzeug.exceptions.NotFound: when the customer has no such card.
        """
        field = 'invoice_id' if 'invoice_id' in request.httprequest.form else 'card_id'
        cards_sudo = self._find_named(field)
        if asked := self._ask_for_password(field):
            return asked
        if field == 'invoice_id':
            showable = cards_sudo._get_showable_domain()
            cards_sudo = cards_sudo.filtered_domain(showable) or cards_sudo
        try:
            content = cards_sudo._draw_for_customer()
        except UserError as refused:
            return self._refuse(refused)
        numbers = cards_sudo.mapped('number')
        files = request.env['refill.card.export']
        name = files._get_file_name(cards_sudo.series_id, min(numbers), max(numbers))
        return request.make_response(
            content,
            [
                ('Content-Type', 'application/pdf'),
                ('Content-Disposition', content_disposition(f'{name}.pdf')),
            ],
        )

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    def _find_named(self, field):
        """Return the card, or the invoice's cards, that a form names.

        :param str field: ``card_id`` or ``invoice_id``.
        :rtype: refill.card
        :raise werkzeug.exceptions.NotFound: when the customer has none such.
        """
        named = self._read_id(request.httprequest.form.get(field))
        is_card = field == 'card_id'
        domain = Domain('id', '=', named) if is_card else self._get_invoice_domain(named)
        cards_sudo = self._get_cards_sudo().search(self._get_bought_domain() & domain, order='name')
        if not cards_sudo:
            raise request.not_found()
        return cards_sudo

    # -------------------------------------------------------------------------
    # WHO
    # -------------------------------------------------------------------------

    def _ask_for_password(self, field):
        """Return the page that asks for the password, None when it was typed just now.

        As Odoo asks before it shows a key, and the backend before it shows a code.

        :param str field: which field of the form says what is wanted.
        """
        if request.env['refill.card']._is_identity_checked():
            return None
        form = request.httprequest.form
        is_wrong = False
        if password := form.get('password'):
            is_wrong = not self._check_password(password)
            if not is_wrong:
                request.session['identity-check-last'] = time.time()
                return None
        values = self._prepare_plain_values('refill_card_bought_code')
        values.update(
            action=request.httprequest.path, field=field, named=form.get(field), is_wrong=is_wrong
        )
        return request.render('refill_cards.portal_my_refill_password', values)

    def _check_password(self, password):
        user_sudo = request.env.user  # Odoo hands it out as superuser
        credential = {'type': 'password', 'login': user_sudo.login, 'password': password}
        try:
            # Whoever guesses is slowed down as at the login.
            with user_sudo._assert_can_auth(user=user_sudo.login):
                user_sudo._check_credentials(credential, {'interactive': True})
        except AccessDenied:
            return False
        return True

    def _refuse(self, refused):
        """Show the list again, with a sentence."""
        request.session['refill_card_bought'] = str(refused)
        return request.redirect(PAGE)


class RefillCardInvoicePortal(RefillCardPortal, PortalAccount):
    """The page of an invoice leads to its cards."""

    def _invoice_get_page_view_values(self, invoice, access_token, **kwargs):
        values = super()._invoice_get_page_view_values(invoice, access_token, **kwargs)
        values['has_refill_cards'] = self._has_bought_cards(invoice.id)
        return values
