import logging

from odoo.addons.portal.controllers.portal import pager as portal_pager
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.http import content_disposition, request, route

from ..codes import TYPED_LENGTH
from .portal import RefillCardPortal

_logger = logging.getLogger(__name__)


class RefillCardPaymentsPortal(RefillCardPortal):
    """What the customer has paid, with receipts."""

    # -------------------------------------------------------------------------
    # PAGES
    # -------------------------------------------------------------------------

    @route(
        ['/my/payments', '/my/payments/page/<int:page>'],
        type='http',
        auth='user',
        methods=['GET'],
        website=True,
        readonly=True,
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
    # LIST
    # -------------------------------------------------------------------------

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
