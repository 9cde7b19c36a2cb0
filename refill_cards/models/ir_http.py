import re

from odoo import models
from odoo.exceptions import UserError
from odoo.http import request

from ..refusals import RefillCardRefused

PAGES = re.compile(r'/my/(refill|payments)(/|$)')


class IrHttp(models.AbstractModel):
    _inherit = 'ir.http'

    @classmethod
    def _handle_error(cls, exception):
        """Answer a refusal to Odoo's own pages as the error whose sentence they show.

        They know errors by the name of the class, and show a traceback for any other.
        """
        if (
            isinstance(exception, RefillCardRefused)
            and request.dispatcher.routing_type == 'jsonrpc'
        ):
            shown = UserError(*exception.args).with_traceback(exception.__traceback__)
            shown.context = exception.context
            exception = shown
        return super()._handle_error(exception)

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
