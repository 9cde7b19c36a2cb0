from odoo import api, fields, models
from odoo.tools import SQL


class RefillCardExportRange(models.Model):
    """Which cards are in the file of an export: a row a range of ids without a gap.

    A million rows, one a card, would take longer to write than the file itself. Ids, because a
    card keeps its own when it moves to another series.
    """

    _name = 'refill.card.export.range'
    _description = "Cards in an Export"
    _log_access = False

    export_id = fields.Many2one(
        comodel_name='refill.card.export', required=True, index=True, ondelete='cascade'
    )
    first_card = fields.Integer(required=True)
    last_card = fields.Integer(required=True)

    _cards_idx = models.Index("USING gist (int4range(first_card, last_card, '[]'))")

    @api.model
    def _holds(self, card):
        """Return the SQL condition that a range holds the card.

        :param SQL card: the card's id.
        :rtype: SQL
        """
        # As the index has it.
        return SQL(
            "int4range(refill_card_export_range.first_card, refill_card_export_range.last_card,"
            " '[]') @> %s",
            card,
        )

    @api.model
    def _keep(self, export, ranges):
        """Write down which cards an export holds.

        :param refill.card.export export: whose file was made.
        :param list[tuple[int, int]] ranges: the first and the last id of each range.
        """
        first, last = zip(*ranges, strict=True)
        self.env.cr.execute(
            SQL(
                "INSERT INTO refill_card_export_range (export_id, first_card, last_card)"
                " SELECT %s, * FROM unnest(%s::int[], %s::int[])",
                *(export.id, list(first), list(last)),
            )
        )
        told = ['export_ids', 'is_exported', 'exported_on', 'exported_by_id']
        self.env['refill.card'].invalidate_model(told)
