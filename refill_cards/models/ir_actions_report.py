from odoo import models
from odoo.exceptions import AccessError

REPORTS = {'refill_cards.report_refill_card', 'refill_cards.report_refill_card_series'}


class IrActionsReport(models.Model):
    _inherit = 'ir.actions.report'

    def _render_qweb_pdf(self, report_ref, res_ids=None, data=None):
        """Refuse to print refill cards: the web client opens the window of an export instead.

        :raise AccessError: always, for refill cards.
        """
        if self._get_report(report_ref).report_name in REPORTS:
            raise AccessError(
                self.env._(
                    "Refill cards are printed from the Print menu, which asks for your password and"
                    " keeps a record."
                )
            )
        return super()._render_qweb_pdf(report_ref, res_ids=res_ids, data=data)
