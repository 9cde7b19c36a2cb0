from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class RefillCard(models.Model):
    _inherit = 'refill.card'

    export_ids = fields.Many2many(
        comodel_name='refill.card.export',
        string="Exports",
        compute='_compute_export_ids',
        groups='refill_cards.group_refill_card_manager',
        help="The files with the code of this card, the last one first.",
    )
    is_exported = fields.Boolean(
        string="Exported",
        compute='_compute_export_ids',
        search='_search_is_exported',
        groups='refill_cards.group_refill_card_manager',
    )
    exported_on = fields.Datetime(
        string="Last Exported on",
        compute='_compute_export_ids',
        groups='refill_cards.group_refill_card_manager',
    )
    exported_by_id = fields.Many2one(
        comodel_name='res.users',
        string="Last Exported by",
        compute='_compute_export_ids',
        groups='refill_cards.group_refill_card_manager',
    )

    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_export_ids(self):
        """Find the files that hold a card, among those that the user sees."""
        found = defaultdict(list)
        for card_id, export_id in self.env.execute_query(
            SQL(
                """
                SELECT card, export_id FROM unnest(%s::int[]) card
                  JOIN refill_card_export_range ON %s
                 ORDER BY export_id DESC
                """,
                self._origin.ids,
                self.env['refill.card.export.range']._holds(SQL("card")),
            )
        ):
            found[card_id].append(export_id)
        exports = self.env['refill.card.export']
        seen = exports.browse({i for ids in found.values() for i in ids})._filtered_access('read')
        for card in self:
            card.export_ids = exports.browse(found[card._origin.id]) & seen
            last = card.export_ids[:1]
            card.is_exported = bool(last)
            card.exported_on = last.create_date
            card.exported_by_id = last.create_uid

    @api.model
    def _search_is_exported(self, operator, value):
        """Find cards by whether a file holds them, which only their issuer's managers are told."""
        if operator != 'in':
            return NotImplemented
        ranges = self.env['refill.card.export.range']

        def exists(_model, alias, _query):
            return SQL(
                "EXISTS (SELECT FROM refill_card_export_range WHERE %s)",
                ranges._holds(SQL.identifier(alias, 'id')),
            )

        exported = Domain.custom(to_sql=exists)
        issued = Domain.TRUE
        if not self.env.su:
            issued = Domain('series_id.company_id', 'in', self.env.companies.ids)
        return issued & exported if True in value else ~(issued & exported)
