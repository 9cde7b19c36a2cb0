from tempfile import TemporaryFile

from odoo.http import Controller, Response, content_disposition, request, route
from werkzeug.wsgi import wrap_file


class RefillCardImports(Controller):
    """What is too long for a field: lines of a table that are not imported."""

    @route(
        '/refill_cards/import/<int:import_id>/problems',
        type='http',
        auth='user',
        methods=['GET'],
        readonly=True,
    )
    def refill_card_import_problems(self, import_id):
        """Send why lines are left out, as CSV; no line is told, so the disk may hold it meanwhile.

        :param int import_id: of the import.
        :raise AccessError: when the user may not see it.
        """
        record = request.env['refill.card.import'].browse(import_id)
        record.check_access('read')
        name = record.name.rpartition('.')[0] or record.name
        title = record.env._("Lines left out of %(file)s", file=name)
        file = TemporaryFile()
        record._write_problems(file)
        size = file.tell()
        file.seek(0)
        return Response(
            wrap_file(request.httprequest.environ, file),
            headers={
                'Content-Type': 'text/csv; charset=utf-8',
                'Content-Length': size,
                'Content-Disposition': content_disposition(f'{title}.csv'),
            },
            direct_passthrough=True,
        )
