import json
import logging
import secrets
from itertools import chain

from odoo.exceptions import UserError
from odoo.http import request, route

from ..codes import TYPED_LENGTH, Format
from ..foreign import ForeignFormat
from ..refusals import RefillCardRefused, describe
from .portal import CaptchaRefused, RefillCardPortal

_logger = logging.getLogger(__name__)


class RefillCardRedemptionPortal(RefillCardPortal):
    """The form that redeems a card, and what became of it."""

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

        A form that is sent again, as by a double click, gets the same page.

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
            payment_id = self._redeem_refill_card(typed, companies)
        except RefillCardRefused as refused:
            return self._refuse_refill_card(typed, company, str(refused), refused.reason)
        except CaptchaRefused as refused:
            return self._refuse_refill_card(typed, company, str(refused))
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
        request.session['refill_card_payment_id'] = payment_id
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

    # -------------------------------------------------------------------------
    # FORM
    # -------------------------------------------------------------------------

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
        values = self._prepare_plain_values('refill_card_unavailable')
        values['is_staff'] = self._is_staff()
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
            reference=secrets.token_urlsafe(),
            formats=json.dumps(self._prepare_typo_formats()),
            foreign=json.dumps(self._get_foreign_lengths()),
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
        own = {(fmt.characters, fmt.length) for fmt in formats if isinstance(fmt, Format)}
        return [
            {'characters': characters, 'length': length + 1} for characters, length in sorted(own)
        ]

    def _get_foreign_lengths(self):
        """Return how many letters and digits codes of other systems have.

        :rtype: list[int]
        """
        formats = request.env['refill.card.series']._get_formats()
        foreign = (fmt.lengths for fmt in formats if isinstance(fmt, ForeignFormat))
        return sorted(set(chain.from_iterable(foreign)))

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

    def _redeem_refill_card(self, typed, companies):
        """Redeem a card for the customer who is logged in, all of it or nothing, and once a form.

        :param str typed: the code as typed.
        :param res.company companies: of which the first that accepts the card books the payment.
        :return: the id of the posted payment.
        :rtype: int
        :raise UserError: when the card is not redeemed.
        """

        def redeem():
            self._check_captcha()
            # sudo: customers have no right on cards; whoever has the code may redeem the card
            cards_sudo = request.env['refill.card'].sudo()
            payment_sudo = cards_sudo._redeem_code(
                typed, request.env.user.partner_id, companies, channel='portal'
            )
            return payment_sudo.id

        calls, reference = request.env['refill.card.call'], self._get_reference(typed, companies)
        return calls._answer(reference, 'portal', [], redeem, wait=True)

    def _get_reference(self, typed, companies):
        """Return by what a form that is sent again is known, None when the form does not tell.

        The Back button brings a form as it was sent: with another card it is another one.

        :rtype: str | None
        """
        form = request.httprequest.form.get('reference')
        if not form:
            return None
        return request.env['refill.card.key']._digest([form, typed, companies.ids])
