import codecs
import csv
import io
from tempfile import TemporaryFile

from odoo import api, http
from odoo.exceptions import UserError
from odoo.http import content_disposition, request
from werkzeug.wsgi import wrap_file

from .. import sheet
from ..typesetting import Unprintable

BATCH = 5000
# A spreadsheet takes a cell that starts with one of these for a formula:
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r')

COLUMNS = {
    'name': lambda card: card.name,
    'code': lambda card: card.sudo().code,  # sudo: masked without; the series was checked
    'price': lambda card: f'{card.price:.{card.currency_id.decimal_places}f}',
    'currency_id': lambda card: card.currency_id.name,
    'valid_till': lambda card: card.valid_till or '',
    'state': lambda card: card.state,
}


class RefillCardDownload(http.Controller):
    @http.route(
        '/refill_cards/series/<int:series_id>/csv', type='http', auth='user', methods=['GET']
    )
    def export_csv(self, series_id):
        """Stream the cards of a series with their codes as CSV.

        :raise werkzeug.exceptions.NotFound: when there is no such series.
        :raise AccessError: when the user may not see its codes.
        """
        series = self._get_series(series_id)
        series._log_export('CSV', series.card_count)
        headers = self._get_headers(f'{series.name}.csv', 'text/csv; charset=utf-8')
        return request.make_response(self._stream_csv(series), headers)

    @http.route(
        '/refill_cards/series/<int:series_id>/pdf', type='http', auth='user', methods=['GET']
    )
    def export_pdf(self, series_id):
        """Send the cards of a series that can be redeemed as sheets to print.

        :raise werkzeug.exceptions.NotFound: when there is no such series.
        :raise AccessError: when the user may not see its codes.
        :raise UserError: when it cannot be printed.
        """
        series = self._get_series(series_id)
        series._check_may_print()
        file = TemporaryFile()
        series._log_export('PDF', self._write_pdf(series, file))
        size = file.tell()
        file.seek(0)
        headers = self._get_headers(f'{series.name}.pdf', 'application/pdf')
        pieces = wrap_file(request.httprequest.environ, file)
        return request.make_response(pieces, [*headers, ('Content-Length', size)])

    def _get_series(self, series_id):
        """Return the series whose codes the user may take out.

        :raise werkzeug.exceptions.NotFound: when there is none.
        :raise AccessError: when the user may not see its codes.
        """
        series = request.env['refill.card.series'].browse(series_id).exists()
        if not series:
            raise request.not_found()
        series._check_may_export()
        return series

    @staticmethod
    def _get_headers(filename, content_type):
        return [
            ('Content-Type', content_type),
            ('Content-Disposition', content_disposition(filename)),
            ('Cache-Control', 'no-store'),
        ]

    def _write_pdf(self, series, file):
        """Write the sheets and return how many cards they have.

        :raise UserError: when a card does not fit on the layout.
        """
        layout = series.layout_id
        try:
            return sheet.write(
                layout._prepare_sheet_layout(series.company_id),
                layout._prepare_sheet_cards(series._get_redeemable_cards()),
                file,
            )
        except Unprintable:
            raise UserError(
                layout.with_company(series.company_id)._get_problem()
                or series.env._("These cards do not fit on the layout %(name)s.", name=layout.name)
            ) from None

    def _stream_csv(self, series):
        """Yield the file in pieces, with a transaction of its own: the request's ends before."""
        registry, uid, context = series.env.registry, series.env.uid, series.env.context
        with registry.cursor(readonly=True) as cr:
            cards = api.Environment(cr, uid, context)['refill.card']
            # The mark tells spreadsheets that the file is UTF-8.
            yield codecs.BOM_UTF8 + self._to_csv([self._get_header(cards)])
            last = 0
            domain = [('series_id', '=', series.id)]
            while batch := cards.search([*domain, ('id', '>', last)], order='id', limit=BATCH):
                last = batch[-1].id
                yield self._to_csv(self._get_row(card) for card in batch)
                cards.env.invalidate_all()

    def _get_header(self, cards):
        return [cards._fields[fname]._description_string(cards.env) for fname in COLUMNS]

    def _get_row(self, card):
        return [get_value(card) for get_value in COLUMNS.values()]

    @staticmethod
    def _to_csv(rows):
        buffer = io.StringIO()
        csv.writer(buffer).writerows(
            [f"'{cell}" if str(cell).startswith(FORMULA_STARTS) else cell for cell in row]
            for row in rows
        )
        return buffer.getvalue().encode()
