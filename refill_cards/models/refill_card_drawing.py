from io import BytesIO
from itertools import chain

import pypdf
from odoo import models
from odoo.fields import Domain


class RefillCard(models.Model):
    """Cards as PDF, each on a page of its own size, to send or to look at."""

    _inherit = 'refill.card'

    def _draw(self, layout=None):
        """Return the cards as PDF; their codes leave Odoo.

        The caller checks the right to see them.

        :param refill.card.layout layout: the face of all the cards; that of their series when left
            out.
        :rtype: bytes
        :raise UserError: when a card does not fit on the layout.
        """
        parts = []
        alike = self.grouped(
            lambda card: (
                layout or card._get_own_layout(),
                card.series_id.company_id,
                card.currency_id,
            )
        )
        for (face, _company, _currency), cards in alike.items():
            batches = cards._iterate_rows(Domain('id', 'in', cards.ids), len(cards))
            part = BytesIO()
            face._write_pdf(chain.from_iterable(batches), cards.series_id, part, single=True)
            parts.append(part)
        if len(parts) == 1:
            return parts[0].getvalue()
        writer, whole = pypdf.PdfWriter(), BytesIO()
        for part in parts:
            writer.append(part)
        writer.write(whole)
        return whole.getvalue()

    def _get_own_layout(self):
        """Return the layout of the card's series, or the first that its issuer may use.

        :rtype: refill.card.layout
        """
        series = self.series_id
        layouts = self.env['refill.card.layout'].with_company(series.company_id)
        return series.layout_id or layouts._get_default()
