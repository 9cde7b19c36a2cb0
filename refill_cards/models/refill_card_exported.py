from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Command, Domain
from odoo.tools import SQL

from .. import table


class RefillCard(models.Model):
    _name = 'refill.card'
    _inherit = ['refill.card', 'refill.card.export.mixin']

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

    @api.model
    def _get_scope_domain(self, scope):
        """Return the domain of the cards that an export is about.

        :param str scope: see ``refill.card.export``.
        :rtype: odoo.fields.Domain
        """
        domain = Domain.TRUE
        if scope != 'all':
            domain &= self._get_redeemable_domain()
        if scope == 'new':
            domain &= Domain('is_exported', '=', False)
        return domain

    # -------------------------------------------------------------------------
    # ROWS OF FILES
    # -------------------------------------------------------------------------

    @api.model
    def _iterate_rows(self, domain, size, on_ids=None, in_words=True):
        """Yield cards with their whole codes, in batches, and freeze their series.

        The caller checks the right to see the codes of their series.

        :param odoo.fields.Domain domain: which cards.
        :param int size: of a batch.
        :param on_ids: called with the ids of each batch, in ascending order.
        :param bool in_words: the status as the user reads it, else its key.
        :rtype: Iterator[list[table.Row]]
        """
        words = dict(self._fields['state']._description_selection(self.env))
        columns = ('series_id', 'name', 'valid_till', 'state')
        for ids, bodies, series_ids, names, days, states in self._iterate_codes(
            domain, size, columns
        ):
            if on_ids:
                on_ids(ids)
            # sudo: as for the codes
            series = self.env['refill.card.series'].sudo().browse(set(series_ids))
            series._mark_codes_left()
            display = {each.id: each._get_format().display for each in series}
            rows = zip(
                names,
                (display[id_](body) for id_, body in zip(series_ids, bodies, strict=True)),
                map({each.id: each.price for each in series}.get, series_ids),
                map({each.id: each.currency_id.name for each in series}.get, series_ids),
                days,
                map(words.get, states) if in_words else states,
                strict=True,
            )
            yield list(map(table.Row._make, rows))

    @api.model
    def _get_row_header(self):
        """Return the names of the columns of :meth:`_iterate_rows`.

        :rtype: table.Row
        """
        fnames = ('name', 'code', 'price', 'currency_id', 'valid_till', 'state')
        return table.Row(*(self._fields[name]._description_string(self.env) for name in fnames))

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def _open_export_window(self, **values):
        self.series_id._check_may_export()
        wizards = self.env['refill.card.export.wizard']
        return wizards._open({'card_ids': [Command.set(self.ids)], **values})
