from odoo import api, fields, models

from ..foreign import BESIDE, CASES, ForeignFormat, count_characters


class RefillCardSeries(models.Model):
    """Series whose cards came along from another system, with the codes that it gave them."""

    _inherit = 'refill.card.series'

    import_id = fields.Many2one(
        comodel_name='refill.card.import',
        string="Imported by",
        readonly=True,
        index='btree_not_null',
        ondelete='restrict',
        help="Cards that another system made. Their codes are as they were there.",
    )
    is_foreign = fields.Boolean(
        string="Codes of Another System",
        readonly=True,
        help="They have no check character, so each wrong one counts as a guess.",
    )
    code_case = fields.Selection(
        selection=list(zip(CASES, ("As it is", "Capitals", "Small letters"), strict=True)),
        string="Case of Codes",
        readonly=True,
    )
    code_forms = fields.Char(readonly=True, help="Where separators stand in the codes.")
    has_short_codes = fields.Boolean(
        readonly=True,
        help="A manager accepted that these codes could be guessed: fewer wrong ones lock out.",
    )
    foreign_batch = fields.Char(string="Batch There", readonly=True)

    @api.model
    def _make_format(self, told):
        if not told['is_foreign']:
            return super()._make_format(told)
        return ForeignFormat(
            told['code_case'],
            tuple(told['code_forms'].split(BESIDE)),
            told['alphabet'] == 'digits',
            told['has_short_codes'],
        )

    @api.model
    def _count_like(self, forms):
        """Return how many cards there are in imported series with codes as long as these.

        :param set[str] forms: see ``foreign``.
        :rtype: int
        """
        lengths = set(map(count_characters, forms))
        # sudo: whoever guesses hits any of them
        every = self.sudo().with_context(active_test=False)
        groups = every._read_group([('is_foreign', '=', True)], ['code_forms'], ['quantity:sum'])
        return sum(
            count
            for told, count in groups
            if not lengths.isdisjoint(map(count_characters, told.split(BESIDE)))
        )
