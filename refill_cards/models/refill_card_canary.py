from io import BytesIO
from random import SystemRandom

from odoo import api, fields, models
from odoo.tools.misc import get_lang

from .. import codes, table
from .refill_card_generation import NUMBER_DIGITS
from .visible_fields import UncheckedMany2one


class RefillCardCanary(models.Model):
    """Codes of a series that were made for nobody: who types one found them where no customer does.

    They are no cards, so that none is ever sold, counted or worth anything. Only their seals are
    kept. Nobody has access.
    """

    _name = 'refill.card.canary'
    _description = "Canary of a Refill Card Series"
    _order = 'id'
    _log_access = False

    series_id = UncheckedMany2one(
        comodel_name='refill.card.series', required=True, index=True, ondelete='cascade'
    )
    # That of some card, as one would expect beside a code.
    number = fields.Integer(required=True)
    sealed = fields.Char(required=True, groups=fields.NO_ACCESS)

    _sealed_unique = models.UniqueIndex('(sealed)')

    @api.model
    def _make(self, series, count):
        """Make canaries of a series.

        :param refill.card.series series: whose codes they look like.
        :param int count: how many.
        """
        sealer = self.env['refill.card.key']._get_generating_sealer()
        taken = {canary.number for canary in series._get_canaries()}
        total = len(taken) + count
        drawn = SystemRandom().sample(range(1, max(series.quantity, total) + 1), total)
        free = [number for number in drawn if number not in taken]
        self.create(
            [
                {
                    'series_id': series.id,
                    'number': number,
                    'sealed': sealer.seal_canary(body),
                }
                for number, body in zip(
                    free[:count],
                    series._get_format().generate(count),
                    strict=True,
                )
            ]
        )

    @api.model
    def _find(self, typed, hidden):
        """Return the ids of the series of which a typed code is a canary.

        :param str typed: the code; it is well-formed.
        :param set[int] hidden: the ids of the series that do not matter.
        :rtype: list[int]
        """
        bodies = codes.read(typed, self.env['refill.card.series']._read_formats())
        sealer = self.env['refill.card.key']._get_sealer()
        sealed = [sealer.seal_canary(body) for body in bodies]
        # sudo: nobody has access
        found_sudo = self.sudo().search_fetch([('sealed', 'in', sealed)], ['series_id'])
        return [id_ for id_ in found_sudo.series_id.ids if id_ not in hidden]

    def _write_file(self, file_format):
        """Return a file like one that is exported or printed, with these canaries of one series.

        :param str file_format: see ``refill.card.export``.
        :rtype: bytes
        """
        series, cards, file = self.series_id, self.env['refill.card'], BytesIO()
        rows, decimals = self._prepare_rows(), series.currency_id.decimal_places
        if file_format == 'pdf':
            layout = series.layout_id or self.env['refill.card.layout']._get_default()
            layout._write_pdf(rows, series, file)
        elif file_format == 'xlsx':
            table.write_xlsx(cards._get_row_header(), rows, decimals, file, series.name)
        else:
            style = table.spreadsheet(get_lang(self.env).decimal_point)
            table.write_csv(cards._get_row_header(), rows, decimals, file, style)
        return file.getvalue()

    def _prepare_rows(self):
        """Return the canaries as rows of a file, as if they were cards.

        :rtype: list[table.Row]
        """
        series = self.series_id
        sealer, fmt = self.env['refill.card.key']._get_sealer(), series._get_format()
        words = dict(series.card_ids._fields['state']._description_selection(self.env))
        digits = max(NUMBER_DIGITS, len(str(series.quantity)))
        return [
            table.Row(
                f'{series.name}-{canary.number:0{digits}}',
                fmt.display(sealer.open_canary(canary.sealed)),
                series.price,
                series.currency_id.name,
                series.valid_till or None,
                words['active'],
            )
            for canary in self.sorted('number')
        ]
