from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError
from odoo.fields import Command


class RefillCardExportWizard(models.TransientModel):
    _name = 'refill.card.export.wizard'
    _inherit = 'refill.card.window'
    _description = "Export Refill Cards"

    series_ids = fields.Many2many(comodel_name='refill.card.series')
    card_ids = fields.Many2many(comodel_name='refill.card')
    has_selection = fields.Boolean(compute='_compute_has_selection')
    scope = fields.Selection(
        selection=lambda self: self._get_selection('scope'),
        string="Which Cards",
        required=True,
        default='redeemable',
    )
    first_serial = fields.Char(string="From", help="The serial number of the first card.")
    last_serial = fields.Char(string="To", help="The serial number of the last card.")
    file_format = fields.Selection(
        selection=lambda self: self._get_selection('file_format'),
        string="Format",
        required=True,
        default='csv',
    )
    csv_reader = fields.Selection(
        selection=lambda self: self._get_selection('csv_reader'),
        string="Read by",
        required=True,
        default='spreadsheet',
    )
    layout_id = fields.Many2one(
        comodel_name='refill.card.layout',
        compute='_compute_layout_id',
        store=True,
        readonly=False,
    )
    address = fields.Char(compute='_compute_address')
    address_warning = fields.Char(compute='_compute_address')
    is_protected = fields.Boolean(string="Protect with a Password")
    # Never stored. It comes in the context of the button, as in Odoo's own password windows.
    password = fields.Char(store=False)
    card_count = fields.Integer(string="Cards", compute='_compute_totals')
    currency_id = fields.Many2one(comodel_name='res.currency', compute='_compute_totals')
    amount = fields.Monetary(string="Total Value", compute='_compute_totals')
    problem = fields.Char(compute='_compute_totals')

    @api.model
    def _get_selection(self, fname):
        field = self.env['refill.card.export']._fields[fname]
        return field._description_selection(self.env)

    @api.depends('card_ids')
    def _compute_has_selection(self):
        for wizard in self:
            wizard.has_selection = bool(wizard.card_ids)

    @api.depends('series_ids', 'card_ids', 'first_serial', 'last_serial')
    def _compute_layout_id(self):
        for wizard in self:
            wizard.layout_id = wizard._get_series().layout_id[:1] or wizard.layout_id

    @api.depends('series_ids', 'card_ids', 'first_serial', 'last_serial')
    def _compute_address(self):
        for wizard in self:
            company = wizard._get_series().company_id[:1]
            wizard.address = company and company._get_refill_card_address()
            wizard.address_warning = company and company._get_refill_card_address_warning()

    @api.depends(
        *('series_ids', 'card_ids', 'scope', 'first_serial', 'last_serial'),
        *('file_format', 'layout_id', 'is_protected'),
    )
    def _compute_totals(self):
        """Say how many cards the file will hold, or why there cannot be one."""
        for wizard in self:
            wizard.card_count = 0
            wizard.amount = 0
            wizard.problem = False
            wizard.currency_id = False
            try:
                values = wizard._prepare_export_values()
                wizard.card_count = values['card_count']
                wizard.amount = values['amount']
                wizard.currency_id = values['currency_id']
                self.env['refill.card.export'].new(values)._check_exportable()
            except UserError as refused:
                wizard.problem = str(refused)

    def _get_series(self):
        """Return the series of the cards to export.

        :rtype: refill.card.series
        """
        series = self.card_ids._origin.series_id or self.series_ids._origin
        if not series and any(self._get_serials()):
            series = self.env['refill.card'].search([('name', 'in', self._get_serials())]).series_id
        return series

    def _get_serials(self):
        return [(serial or '').strip() for serial in (self.first_serial, self.last_serial)]

    def _prepare_export_values(self):
        """Return the values of the export's record.

        :raise UserError: when the cards are not told clearly.
        """
        self.ensure_one()
        self.card_ids._check_whole_selection()
        series = self._get_series()
        first, last = self._find_ends()
        if not series:
            raise UserError(
                self.env._("Choose a series, or type the first and the last serial number.")
            )
        values = {
            'company_id': series.company_id[:1].id,
            'currency_id': series.currency_id[:1].id,
            'series_ids': [Command.set(series.ids)],
            'selected_ids': self.card_ids.ids or None,
            'is_selection': bool(self.card_ids),
            'scope': self.scope,
            'first_serial': first.name,
            'last_serial': last.name,
            'file_format': self.file_format,
            'csv_reader': self.csv_reader,
            'layout_id': self.layout_id.id if self.file_format == 'pdf' else False,
            'is_protected': self.is_protected,
        }
        domain = self.env['refill.card.export'].new(values)._get_cards_domain()
        groups = self.env['refill.card']._read_group(
            domain, ['series_id'], ['__count', 'number:min', 'number:max']
        )
        values['name'] = self._get_file_name(series, groups)
        values['card_count'] = sum(count for _series, count, _first, _last in groups)
        values['amount'] = sum(series.price * count for series, count, _first, _last in groups)
        return values

    def _find_ends(self):
        """Return the first and the last card of the selection or the range, empty when there is
        neither.

        :rtype: tuple[refill.card, refill.card]
        :raise UserError: when a serial number is wrong, or they do not belong together.
        """
        cards = self.env['refill.card']
        if self.card_ids:
            ordered = self.card_ids._origin.sorted('name')
            return ordered[0], ordered[-1]
        ends = []
        for serial in self._get_serials():
            card = cards.search([('name', '=', serial)]) if serial else cards
            if serial and not card:
                raise UserError(
                    self.env._("There is no card with serial number %(serial)s.", serial=serial)
                )
            ends.append(card)
        first, last = ends
        found = (first | last).series_id
        if len(found) > 1 or found and self.series_ids and found != self.series_ids._origin:
            raise UserError(
                self.env._("The first and the last card must be of one and the same series.")
            )
        if first and last and first.number > last.number:
            raise UserError(self.env._("The first card comes after the last one."))
        return first, last

    def _get_file_name(self, series, groups):
        """Return a name that tells what is in the file.

        :param refill.card.series series: that were chosen.
        :param list[tuple] groups: of the cards: a series, how many, the first and the last number.
        :rtype: str
        """
        first, last = groups[0][2:] if groups else (0, 0)
        name = self.env['refill.card.export']._get_file_name(series, first, last)
        name = f'{name}.{self.file_format}'
        return f'{name}.zip' if self.is_protected and self.file_format != 'pdf' else name

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    @api.model
    def _open(self, values):
        """Return the action that opens the window with these values."""
        is_print = values.get('file_format') == 'pdf'
        return self.create(values).with_context(is_print=is_print)._get_window_action()

    def _get_window_action(self):
        # Whoever chose to print is asked for no other format.
        is_print = bool(self.env.context.get('is_print'))
        context = {'dialog_size': 'large', 'is_print': is_print}
        return {
            **self._get_records_action(target='new', context=context),
            'name': self.env._("Print") if is_print else self.env._("Export"),
        }

    def action_export(self):
        """Make the file, once the user has typed their own password not long ago.

        The password for the file is in the context under ``file_password``. It must not be there
        when Odoo asks for the user's own: Odoo then keeps the call with its context in a table.
        """
        self.ensure_one()
        password = self.env.context.get('file_password')
        wizard = self.with_context(file_password=None)
        if not self.is_protected:
            return wizard.action_confirm()
        self._check_password(password)
        action = wizard.action_confirm()
        return wizard._export(password) if action['res_model'] == self._name else action

    @check_identity
    def action_confirm(self):
        """Make the file; one with a password needs the password now, so the window stays open."""
        self.ensure_one()
        return self._get_window_action() if self.is_protected else self._export()

    def _check_password(self, password):
        """:raise UserError: when there is none, or one that the programs for zips do not take."""
        if not password:
            raise UserError(self.env._("Type the password that protects the file."))
        if self.file_format != 'pdf' and not password.isascii():
            raise UserError(
                self.env._(
                    "Use only unaccented Latin letters, digits and signs in the password: programs"
                    " that open zip files disagree about all others."
                )
            )

    def _export(self, password=None):
        self.check_access('write')
        if self.is_protected:
            self._check_password(password)
        exports = self.env['refill.card.export']
        return exports._export(self._prepare_export_values(), password)._get_window_action()
