from odoo import fields
from odoo.addons.portal.controllers.portal import pager as portal_pager
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import request, route

from ..codes import LINK_LENGTH, TYPED_LENGTH
from .portal import RefillCardPortal

PAGE = '/my/refill/reseller'
# What a sheet of one day lists.
MAX_LINES = 1000


class RefillCardResellerPortal(RefillCardPortal):
    """What a reseller has, and activating it."""

    # -------------------------------------------------------------------------
    # PAGES
    # -------------------------------------------------------------------------

    @route(
        [PAGE, f'{PAGE}/page/<int:page>'],
        type='http',
        auth='user',
        methods=['GET'],
        website=True,
    )
    def portal_my_refill_reseller(self, page=1, **kwargs):
        """Show a reseller what they have, and once what became of the card typed before.

        :param int page: of the list of series, from the path; in a query string it is ignored.
        :raise werkzeug.exceptions.NotFound: when the user is no reseller.
        """
        reseller, companies = self._get_reseller()
        cards_sudo = self._get_cards_sudo()
        counts = cards_sudo._get_reseller_counts(reseller, companies)
        pager = portal_pager(
            url=PAGE,
            total=len(counts),
            page=page if isinstance(page, int) else 1,
            step=self._items_per_page,
        )
        rows = list(counts.items())[pager['offset'] : pager['offset'] + self._items_per_page]
        told = request.session.pop('refill_card_reseller', {})
        own = cards_sudo._get_reseller_domain(reseller, companies)
        invoices_sudo = reseller._get_refill_card_reseller_invoices(companies)
        statements_sudo = invoices_sudo._get_refill_card_statements()
        values = self._prepare_plain_values('refill_card_reseller')
        values.update(
            told,
            card=cards_sudo.search(own & Domain('id', '=', told.get('card_id', False))),
            activated=cards_sudo._get_just_activated_by(reseller, companies),
            companies=companies,
            stock=cards_sudo._get_reseller_stock(counts),
            use={each: cards_sudo._get_reseller_use(reseller, each) for each in companies},
            invoices=invoices_sudo,
            statements=statements_sudo.sorted('name').grouped('res_id'),
            rows=rows,
            words=self._get_words(),
            pager=pager,
        )
        return request.render('refill_cards.portal_my_refill_reseller', values)

    @route(f'{PAGE}/activate', type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_reseller_activate(self, **kwargs):
        """Activate the card that was typed or scanned.

        :raise werkzeug.exceptions.NotFound: when the user is no reseller.
        """
        _reseller, companies = self._get_reseller()
        # From the body alone: a code must not travel in a URL.
        typed = request.httprequest.form.get('card', '')
        # PostgreSQL takes no NUL
        typed = typed[: LINK_LENGTH + 1].replace('\0', '')
        cards_sudo = self._get_cards_sudo()
        partner = request.env.user.partner_id
        return self._tell(
            lambda: cards_sudo._activate_by_reseller(typed, partner, companies),
            # Sessions are files: a code must not get there.
            typed=typed[:TYPED_LENGTH] if cards_sudo._is_serial(typed) else '',
        )

    @route(f'{PAGE}/undo', type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_reseller_undo(self, **kwargs):
        """Take back the activation of a card.

        :raise werkzeug.exceptions.NotFound: when the user is no reseller, or has no such card.
        """
        reseller, companies = self._get_reseller()
        card_id = self._read_id(request.httprequest.form.get('card_id'))
        cards_sudo = self._get_cards_sudo()
        own = cards_sudo._get_reseller_domain(reseller, companies)
        card_sudo = cards_sudo.search(own & Domain('id', '=', card_id))
        if not card_sudo:
            raise request.not_found()
        return self._tell(lambda: card_sudo._undo_activation_by_reseller(reseller))

    @route(f'{PAGE}/day', type='http', auth='user', methods=['GET'], website=True, readonly=True)
    def portal_my_refill_reseller_day(self, day='', **kwargs):
        """Show what was activated on a day, to be printed.

        :param str day: as a browser's field sends it; anything else is today.
        :raise werkzeug.exceptions.NotFound: when the user is no reseller.
        """
        reseller, companies = self._get_reseller()
        user_sudo = request.env.user  # Odoo hands it out as superuser
        zone = user_sudo.tz or companies[0].refill_card_zone
        today = companies[0]._get_refill_card_day(user_sudo.partner_id)
        try:
            day = min(fields.Date.to_date(day) or today, today)
        except ValueError:
            day = today
        cards_sudo = self._get_cards_sudo()
        activated = cards_sudo._get_activated_on(reseller, companies, day, zone)
        cards_sudo = cards_sudo.union(*activated)
        values = self._prepare_plain_values('refill_card_reseller_day')
        values.update(
            day=day,
            today=today,
            zone=zone,
            reseller=reseller,
            lines=list(activated.items())[:MAX_LINES],
            card_count=len(cards_sudo),
            totals=cards_sudo._read_group(
                [('id', 'in', cards_sudo.ids)], ['currency_id'], ['__count', 'price:sum']
            ),
        )
        return request.render('refill_cards.portal_my_refill_reseller_day', values)

    @route(
        f'{PAGE}/statement/<int:file_id>',
        type='http',
        auth='user',
        methods=['GET'],
        website=True,
        readonly=True,
    )
    def portal_my_refill_reseller_statement(self, file_id, **kwargs):
        """Send the statement of an open settlement, as XLSX or PDF.

        :raise werkzeug.exceptions.NotFound: when the user's company has no such statement.
        """
        reseller, companies = self._get_reseller()
        invoices_sudo = reseller._get_refill_card_reseller_invoices(companies)
        files_sudo = invoices_sudo._get_refill_card_statements()
        file_sudo = files_sudo.filtered(lambda file: file.id == file_id)
        if not file_sudo:
            raise request.not_found()
        stream = request.env['ir.binary']._get_stream_from(file_sudo)
        return stream.get_response(as_attachment=True)

    # -------------------------------------------------------------------------
    # WHO AND WHAT
    # -------------------------------------------------------------------------

    def _get_reseller(self):
        """Return for whom the user acts, and the companies whose cards they sell.

        :rtype: tuple[res.partner, res.company]
        :raise werkzeug.exceptions.NotFound: when the user is no reseller.
        """
        companies = self._get_reseller_companies()
        if not companies:
            raise request.not_found()
        return request.env.user.partner_id.commercial_partner_id, companies

    def _get_words(self):
        """Return what terms and states are called."""
        cards = request.env['refill.card']
        return {
            key: word
            for fname in ('terms', 'state')
            for key, word in cards._fields[fname]._description_selection(request.env)
        }

    def _tell(self, change, **kept):
        """Change a card, and show the page again with what became of it.

        By a redirect, so that reloading the page changes nothing.

        :param change: returns the card, or raises a UserError.
        :param kept: what the page needs when it was refused.
        """
        try:
            told = {'card_id': change().id}
        except UserError as refused:
            told = {'refusal': str(refused), **kept}
        request.session['refill_card_reseller'] = told
        return request.redirect(PAGE)
