from odoo import models
from odoo.addons.base.models.res_users import check_identity


class RefillCardExportMixin(models.AbstractModel):
    """Buttons that open the window in which codes are exported or printed."""

    _name = 'refill.card.export.mixin'
    _description = "Export of Refill Cards"

    @check_identity
    def action_export(self):
        """Open the window that exports the cards with their codes."""
        return self._open_export_window()

    @check_identity
    def action_print(self):
        """Open the window that exports the cards, for a PDF."""
        return self._open_export_window(file_format='pdf')

    def _open_export_window(self, **values):
        """Return the action that opens the window.

        :param values: further ones of ``refill.card.export.wizard``.
        :raise AccessError: when the user may not see the codes.
        """
        raise NotImplementedError
