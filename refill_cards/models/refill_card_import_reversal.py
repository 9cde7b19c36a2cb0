from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class RefillCardImport(models.Model):
    """What follows an import: its opening balance, or that it is taken back as a whole."""

    _inherit = 'refill.card.import'

    series_count = fields.Integer(string="Series Made", compute='_compute_series_count')

    def _compute_series_count(self):
        groups = (
            self.env['refill.card.series']
            .with_context(active_test=False)
            ._read_group([('import_id', 'in', self.ids)], ['import_id'], ['__count'])
        )
        counts = {record.id: count for record, count in groups}
        for record in self:
            record.series_count = counts.get(record.id, 0)

    def action_open_series(self):
        """Open the series that the import made."""
        self.ensure_one()
        return {
            **self.env['ir.actions.act_window']._for_xml_id(
                'refill_cards.refill_card_series_action'
            ),
            'display_name': self.env._("Series of %(file)s", file=self.name),
            'domain': [('import_id', '=', self.id)],
            'context': {'active_test': False},
        }

    def action_reverse(self):
        """Take the import back as one operation: its cards are deleted, and their codes are free.

        :raise UserError: when a card was used, sold or returned since.
        """
        self.ensure_one()
        self.check_access('unlink')
        self._lock()
        if self.state != 'done':
            raise UserError(self.env._("Only what was imported can be reversed."))
        series_sudo = self._get_all_series()
        if any(series.company_id not in self.env.companies for series in series_sudo):
            raise UserError(self.env._("Choose the company that issues the cards first."))
        self._check_nothing_followed(series_sudo)
        series_sudo.sudo(False).unlink()
        self.sudo().state = 'reversed'  # sudo: steps are written by nobody by hand

    def _get_all_series(self):
        """Return the series of the import, those too into which its cards were moved."""
        # sudo: all of them, or none is taken back
        series_sudo = self.env['refill.card.series'].sudo().with_context(active_test=False)
        return series_sudo.search([('import_id', '=', self.id)])

    def _check_nothing_followed(self, series):
        """:raise UserError: when something was made of a card since it was imported."""
        cards_sudo = self.env['refill.card'].sudo()  # sudo: whoever looks
        if used := series._get_used():
            raise UserError(
                self.env._(
                    "Cards of series %(series)s were redeemed here since: the import is reversed"
                    " only while none was. Undo the redemptions, or disable the other cards.",
                    series=used[0].name,
                )
            )
        kept = [
            ('series_id', 'in', series.ids),
            '|',
            ('terms', '!=', False),
            ('reserved_line_id', '!=', False),
        ]
        if card := cards_sudo.search(kept, limit=1):
            raise UserError(
                self.env._(
                    "Card %(serial)s was sold or handed out since, be it by an opening balance:"
                    " take that back first.",
                    serial=card.name,
                )
            )

    # -------------------------------------------------------------------------
    # OPENING BALANCE
    # -------------------------------------------------------------------------

    def action_open_opening(self):
        """Open the window of the opening balance, with the cards that people have.

        :raise UserError: when there are none, or they are stated already.
        """
        self.ensure_one()
        windows = self.env['refill.card.opening'].with_company(self.company_id.root_id)
        offered = windows._find_series(self.company_id.root_id)
        series = offered & self.series_ids.filtered(lambda each: not each.activation_required)
        if not series:
            raise UserError(
                self.env._(
                    "There is nothing to state: no card of this import is in somebody's hands, or"
                    " its opening balance is stated already."
                )
            )
        lines = [
            Command.create({'series_id': each.id, 'sold_count': each.active_count})
            for each in series
        ]
        window = windows.create({'line_ids': lines})
        return {
            **window._get_records_action(target='new', name=self.env._("Opening Balance")),
            'context': {'dialog_size': 'large'},
        }
