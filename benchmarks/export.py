"""Exporting cards: against Odoo's own list export, and against QWeb with wkhtmltopdf."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import qrcode
from database import Database, create_series
from measuring import (
    Measurement,
    Row,
    alternate,
    below,
    faster,
    forget_peak,
    measure,
    resident_memory,
    seconds,
)
from odoo import api
from odoo.addons.web.controllers.export import CSVExport
from odoo.fields import Domain
from odoo.tools.image import image_data_uri

CSV_ROWS = 100_000
PRINTED = 10_000
PRINTED_BY_QWEB = 200
ROUNDS = 3
COLUMNS = ('name', 'code', 'price', 'currency_id', 'valid_till', 'state')
# The same sheet: ten cards on a page, each with its texts and its QR code.
QWEB_SHEET = """
<t t-name="refill_cards.benchmark_sheet">
  <t t-call="web.html_container">
    <div class="article"><div class="page">
      <div t-foreach="docs" t-as="card"
           style="float: left; width: 50%; height: 52mm; page-break-inside: avoid;">
        <div style="background: #714b67; color: white;">
          <span t-out="card.series_id.company_id.name"/>
          <span t-field="card.price"/>
        </div>
        <img t-att-src="pictures[card.id]" style="width: 22mm; height: 22mm;"/>
        <div style="font-family: monospace;" t-out="card.code"/>
        <div>Serial number <span t-field="card.name"/></div>
        <div>Valid till <span t-field="card.valid_till"/></div>
        <div>Scan the QR code or open the portal, type the code and press Redeem.</div>
      </div>
    </div></div>
  </t>
</t>
"""


def beside_list_export(database: Database) -> Row:
    """Compare with what Odoo's controller does for Export in a list's menu."""
    with database.environment() as env:
        series_id = _generate(env, CSV_ROWS)
    ours, theirs = alternate(
        lambda: _export(database, series_id, 'csv'),
        lambda: _export_list(database, series_id),
        times=ROUNDS,
    )
    return faster(
        f"export {CSV_ROWS:,} cards as CSV, beside the same columns by Odoo's list export",
        seconds(ours),
        seconds(theirs),
        times=12,
        unit='s',
    )


def beside_qweb(database: Database) -> Row:
    """Compare with QWeb and wkhtmltopdf, which get fewer cards, as ten thousand take minutes."""
    with database.environment() as env:
        series_id = _generate(env, PRINTED)
        report_id = _create_report(env)
    ours, theirs = alternate(
        lambda: _export(database, series_id, 'pdf'),
        lambda: _print_by_qweb(database, series_id, report_id),
        times=ROUNDS,
    )
    return faster(
        f"print a card with QR, one of {PRINTED:,},"
        f" beside one of {PRINTED_BY_QWEB} by QWeb and wkhtmltopdf",
        seconds(ours, each=PRINTED),
        seconds(theirs, each=PRINTED_BY_QWEB),
        times=20,
        unit='s',
    )


def memory_of_many(database: Database) -> list[Row]:
    """Export ten times as many cards: how much more memory is that?"""
    rows = []
    with database.environment() as env:
        few, many = _generate(env, PRINTED), _generate(env, 10 * PRINTED)
    for file_format in ('pdf', 'xlsx', 'csv'):
        peaks = []
        for series_id in (few, many):
            forget_peak()
            _export(database, series_id, file_format)
            peaks.append(resident_memory('VmHWM'))
        rows.append(
            below(
                f"memory of {10 * PRINTED:,} cards as {file_format.upper()}, over {PRINTED:,}",
                [(peaks[1] - peaks[0]) / 2**20],
                limit=32,  # the file itself is mapped, and counts
                unit='MiB',
            )
        )
    return rows


def _generate(env: api.Environment, quantity: int) -> int:
    series = create_series(env, quantity)
    series._generate_cards(quantity)
    return series.id


def _export(database: Database, series_id: int, file_format: str) -> Measurement:
    """Export as the background job does, with the record and the attachment."""
    with database.environment(database.accountant_id) as env:
        wizard = env['refill.card.export.wizard'].create(
            {'series_ids': [series_id], 'file_format': file_format, 'scope': 'all'}
        )
        exports = env['refill.card.export']

        def work() -> None:
            values = wizard._prepare_export_values()
            export = exports.sudo().create(values).with_env(env)
            export._make_file()
            env.flush_all()

        return measure(work, env.cr)


def _export_list(database: Database, series_id: int) -> Measurement:
    """Export as the superuser, who sees the whole codes."""
    with database.environment() as env:

        def work() -> None:
            cards = env['refill.card'].search(Domain('series_id', '=', series_id))
            rows = cards.export_data(list(COLUMNS))['datas']
            CSVExport().from_data(None, list(COLUMNS), rows)

        return measure(work, env.cr)


def _create_report(env: api.Environment) -> int:
    env['ir.ui.view'].create(
        {
            'name': "Benchmark",
            'type': 'qweb',
            'key': 'refill_cards.benchmark_sheet',
            'arch': QWEB_SHEET,
        }
    )
    values: dict[str, Any] = {
        'name': "Benchmark",
        'model': 'refill.card',
        'report_type': 'qweb-pdf',
        'report_name': 'refill_cards.benchmark_sheet',
    }
    return env['ir.actions.report'].create(values).id


def _print_by_qweb(database: Database, series_id: int, report_id: int) -> Measurement:
    with database.environment() as env:
        domain = [('series_id', '=', series_id)]
        cards = env['refill.card'].search(domain, limit=PRINTED_BY_QWEB)

        def work() -> None:
            address = cards.browse().get_base_url() + '/my/refill#'
            data = {'pictures': {card.id: _draw_qr(address + card.code) for card in cards}}
            pdf, _format = env['ir.actions.report']._render_qweb_pdf(report_id, cards.ids, data)
            if not pdf.startswith(b'%PDF'):
                raise RuntimeError("wkhtmltopdf made no PDF.")

        return measure(work, env.cr)


def _draw_qr(text: str) -> str:
    """Draw a QR code with the encoder in pure Python that Odoo depends on.

    Odoo's widget uses reportlab's, which is another, and needs a system library to make pixels.
    """
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data(text)
    file = BytesIO()
    code.make_image().save(file, 'PNG')
    return image_data_uri(b64encode(file.getvalue()))
