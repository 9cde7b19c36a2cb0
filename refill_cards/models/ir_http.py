from odoo import models
from odoo.exceptions import UserError
from odoo.http import request

from .refill_card import RefillCardRefused


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
