from contextlib import suppress
from io import BytesIO
from random import SystemRandom

from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.misc import get_lang

from .. import codes, table
from .refill_card_generation import NUMBER_DIGITS
from .visible_fields import UncheckedMany2one


class RefillCardCanary(models.Model):
    """Codes of a series that were made for nobody: who types one found them where no customer does.

    They are no cards, so that none is ever sold, counted or worth anything. Only their seals are
    kept. Among the codes of the cards theirs are taken, by an id below zero, so that no card gets
    one of them, whoever makes cards at the same time. Nobody has access.
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
        numbers = [number for number in drawn if number not in taken][:count]
        while numbers:
            bodies = dict(zip(numbers, series._get_format().generate(len(numbers)), strict=True))
            made = self.create(
                [
                    {'series_id': series.id, 'number': number, 'sealed': sealer.seal_canary(body)}
                    for number, body in bodies.items()
                ]
            )
            made -= made._take_codes({each.id: sealer.seal(bodies[each.number]) for each in made})
            # A card has one of the codes, which is very rare: draw again for these numbers.
            numbers = made.mapped('number')
            made.unlink()

    def _take_codes(self, sealed):
        """Take codes of cards for canaries.

        In SQL, because codes are written by no other way.

        :param dict[int, str] sealed: the sealed codes, as those of cards, by the canary's id.
        :return: the canaries whose code no card has.
        :rtype: refill.card.canary
        """
        rows = self.env.execute_query(
            SQL(
                "INSERT INTO refill_card_code (id, sealed)"
                " SELECT -id, sealed FROM unnest(%s, %s) AS canary (id, sealed)"
                " ON CONFLICT (sealed) DO NOTHING RETURNING -id",
                *(list(sealed), list(sealed.values())),
            )
        )
        return self.browse(id_ for [id_] in rows)

    def unlink(self):
        ids = [-id_ for id_ in self.ids]
        self.env.cr.execute(SQL("DELETE FROM refill_card_code WHERE id = ANY(%s)", ids))
        return super().unlink()

    @api.model
    def _catch(self, typed, channel):
        """Freeze the series of which a typed code is a canary: wherever codes are typed.

        :param str typed: what may be a code.
        :param str channel: where it was typed, see ``refill.card.event``.
        :return: the ids of the series that are frozen for it.
        :rtype: set[int]
        """
        bodies = set()
        with suppress(codes.Typo):
            bodies = codes.read(typed, self.env['refill.card.series']._read_formats())
        sealer = self.env['refill.card.key']._get_sealer()
        sealed = [sealer.seal_canary(body) for body in bodies]
        # sudo: nobody has access
        caught_sudo = self.sudo().search_fetch([('sealed', 'in', sealed)], ['series_id'])
        return caught_sudo._freeze_series(channel)

    def _freeze_series(self, channel):
        """Freeze the series whose canaries somebody has; see :meth:`_catch`."""
        return self.env['refill.card.freeze']._freeze_caught(self.series_id.ids, channel)

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
