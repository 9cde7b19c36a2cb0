from odoo import models
from odoo.exceptions import AccessError

CARDS = 'refill_cards.report_refill_card'
CARDS_OF_SERIES = 'refill_cards.report_refill_card_series'


class IrActionsReport(models.Model):
    _inherit = 'ir.actions.report'

    def _render_qweb_pdf(self, report_ref, res_ids=None, data=None):
        """Draw refill cards by their layout, not by QWeb and wkhtmltopdf.

        In the Print menu the web client opens the window of an export instead; what is drawn here
        is attached to e-mails.

        :raise AccessError: when it is not the superuser who prints.
        """
        report = self._get_report(report_ref)
        if report.report_name not in (CARDS, CARDS_OF_SERIES):
            return super()._render_qweb_pdf(report_ref, res_ids=res_ids, data=data)
        if not self.env.su or report.report_name == CARDS_OF_SERIES:
            raise AccessError(
                self.env._(
                    "Refill cards are printed from the Print menu, which asks for your password and"
                    " keeps a record."
                )
            )
        return self.env['refill.card'].browse(res_ids)._draw(), 'pdf'
