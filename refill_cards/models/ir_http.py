from odoo import models
from odoo.exceptions import AccessDenied
from odoo.http import request

from ..lost_database import PAGES, is_about_cards, is_lost
from ..refusals import RefillCardRefused, RefillCardUnavailable, as_known_to_odoo


class IrHttp(models.AbstractModel):
    _inherit = 'ir.http'

    @classmethod
    def _authenticate(cls, endpoint):
        """Tell a lost database from a user who is nobody: Odoo denies access to both."""
        try:
            return super()._authenticate(endpoint)
        except AccessDenied as denied:
            if is_lost(denied.__context__) and is_about_cards(request):
                raise denied.__context__ from None
            raise

    @classmethod
    def _handle_error(cls, exception):
        """Answer a refusal to Odoo's own pages as the error whose sentence they show."""
        if (
            isinstance(exception, RefillCardRefused)
            and request.dispatcher.routing_type == 'jsonrpc'
        ):
            exception = as_known_to_odoo(exception)
        return super()._handle_error(exception)

    @classmethod
    def _get_error_html(cls, env, code, values):
        """Say in the portal's own look that the database was lost."""
        if isinstance(values['exception'], RefillCardUnavailable):
            values['html_data'] = {'lang': env.lang.replace('_', '-')}
            template = 'refill_cards.portal_database_lost'
            return code, env['ir.ui.view']._render_template(template, values)
        return super()._get_error_html(env, code, values)

    @classmethod
    def _post_dispatch(cls, response):
        """Let no other site frame the pages of refill cards, and no browser or proxy keep them.

        Whatever is answered: pages, refusals, redirects, errors, files.
        """
        # With the module Website a language may stand in front.
        if PAGES.search(request.httprequest.path):
            response.headers['Content-Security-Policy'] = "frame-ancestors 'self'"
            response.headers['X-Frame-Options'] = 'SAMEORIGIN'
            response.headers['Cache-Control'] = 'no-store'
        return super()._post_dispatch(response)

    def session_info(self):
        return {**super().session_info(), **self._get_refill_card_session_info()}

    def _get_refill_card_session_info(self):
        """Tell whoever works with cards, as soon as they open Odoo, that no code can be read."""
        if not self.env.user.has_group('refill_cards.group_refill_card_user'):
            return {}
        problem = self.env['refill.card.key']._get_problem()
        return {'refill_cards_key_problem': problem} if problem else {}
