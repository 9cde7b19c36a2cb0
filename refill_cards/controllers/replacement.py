import secrets

from odoo.exceptions import UserError
from odoo.http import request, route

from ..models.refill_card_replacement_request import MAX_MEGABYTES
from .portal import RefillCardPortal

PAGE = '/my/refill/replacement'
# What was asked before, as far as it is shown.
SHOWN = 20


class RefillCardReplacementPortal(RefillCardPortal):
    """The form with which a customer asks for another card, and what was answered."""

    @route(PAGE, type='http', auth='user', methods=['GET'], website=True)
    def portal_my_refill_replacement(self, **kwargs):
        """Show the form, and what the customer asked before.

        :raise werkzeug.exceptions.NotFound: when the customer deals with no company.
        """
        return self._render_replacement_form(asked=request.session.pop('refill_card_asked', None))

    @route(PAGE, type='http', auth='user', methods=['POST'], website=True)
    def portal_my_refill_replacement_ask(self, **kwargs):
        """Note what the customer asks; the answer is the same whatever card that is, if any.

        A form that is sent again, as by a double click, asks once.

        :raise werkzeug.exceptions.NotFound: when the customer deals with no company.
        """
        companies, form = self._get_replacement_companies(), request.httprequest.form
        named = form.get('company_id')
        company = companies.filtered(lambda company: str(company.id) == named)
        if len(companies) == 1:
            company = companies
        try:
            if not company:
                raise UserError(request.env._("Please choose the company that sold the card."))
            request.session['refill_card_asked'] = self._ask(company, form)
        except UserError as refused:
            return self._render_replacement_form(form, str(refused))
        return request.redirect(PAGE)

    def _ask(self, company, form):
        """Note what the customer asks, once a form.

        :return: the name of the request.
        :rtype: str
        :raise UserError: when something is missing or wrong.
        """
        if request.env['refill.card.key']._get_problem():
            raise UserError(
                request.env._(
                    "Cards cannot be asked for at the moment. Please try again later, or call us."
                )
            )
        # One byte more than is read tells that there are more.
        photo = request.httprequest.files.get('receipt')
        content = photo.read(MAX_MEGABYTES * 1024**2 + 1) if photo else b''

        told = [form.get(name, '') for name in ('typed', 'bought_at', 'bought_on')]

        def ask():
            self._check_captcha()
            # sudo: customers have no right on requests
            asked_sudo = request.env['refill.card.replacement.request'].sudo()
            return asked_sudo._ask(request.env.user.partner_id, company, *told, content).name

        calls, reference = request.env['refill.card.call'], form.get('reference')
        if reference:
            # The Back button brings a form as it was sent: about another card it is another one.
            reference = request.env['refill.card.key']._digest([PAGE, reference, *told])
        return calls._answer(reference or None, 'portal', [], ask, wait=True)

    def _render_replacement_form(self, form=None, refusal=None, asked=None):
        """Render the form.

        :param form: what stays in the fields.
        :param str refusal: a sentence, when something was missing or wrong.
        :param str asked: the name of the request that was just made.
        :raise werkzeug.exceptions.NotFound: when the customer deals with no company.
        """
        values = self._prepare_plain_values('refill_card_replacement')
        values.update(
            companies=self._get_replacement_companies(),
            form=form or {},
            refusal=refusal,
            asked=asked,
            requests=self._get_requests(),
            reference=secrets.token_urlsafe(),
            megabytes=MAX_MEGABYTES,
        )
        return request.render('refill_cards.portal_my_refill_replacement', values)

    def _get_requests(self):
        """Return what the customer asked, as superuser; nobody else's."""
        # sudo: customers have no right on requests; the domain finds nobody else's
        requests_sudo = request.env['refill.card.replacement.request'].sudo()
        own = [('partner_id', '=', request.env.user.partner_id.id)]
        return requests_sudo.search(own, limit=SHOWN)

    def _get_replacement_companies(self):
        """Return the companies that a customer can ask: one of each tree, as superuser.

        :rtype: res.company
        :raise werkzeug.exceptions.NotFound: when there is none.
        """
        companies = self._get_customer_companies()
        if self._has_bought_cards():
            bought = self._get_cards_sudo()._read_group(self._get_bought_domain(), ['series_id'])
            companies |= companies.union(*(series.company_id for [series] in bought))
        if not companies:
            raise request.not_found()
        trees = companies.grouped('root_id').values()
        return companies.browse().union(*(self._sort_tree(tree)[0] for tree in trees))
