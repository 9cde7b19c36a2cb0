from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError
from odoo.fields import Command


class RefillCardExportWizard(models.TransientModel):
    _name = 'refill.card.export.wizard'
    _inherit = 'refill.card.layout.mixin'
    _description = "Export Refill Cards"

    has_selection = fields.Boolean(compute='_compute_has_selection')
    scope = fields.Selection(
        selection=lambda self: self._get_selection('scope'),
        string="Which Cards",
        required=True,
        default='redeemable',
    )
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
    is_protected = fields.Boolean(string="Protect with a Password")
    # Never stored. It comes in the context of the button, as in Odoo's own password windows.
    password = fields.Char(store=False)
    problem = fields.Char(compute='_compute_problem')

    @api.model
    def _get_selection(self, fname):
        field = self.env['refill.card.export']._fields[fname]
        return field._description_selection(self.env)

    @api.depends('card_ids')
    def _compute_has_selection(self):
        for wizard in self:
            wizard.has_selection = bool(wizard.card_ids)

    @api.depends('scope')
    def _compute_card_count(self):
        return super()._compute_card_count()

    @api.depends(
        *('card_ids', 'series_ids', 'first_id', 'last_id', 'scope'),
        *('file_format', 'layout_id', 'is_protected'),
    )
    def _compute_problem(self):
        """Say why there cannot be such a file."""
        for wizard in self:
            wizard.problem = False
            try:
                values = wizard._prepare_export_values()
                self.env['refill.card.export'].new(values)._check_exportable()
            except UserError as refused:
                wizard.problem = str(refused)

    def _get_cards_domain(self):
        return self._get_selection_domain() & self.env['refill.card']._get_scope_domain(self.scope)

    def _prepare_export_values(self):
        """Return the values of the export's record.

        :raise UserError: when the cards are not told clearly.
        """
        self.ensure_one()
        self._check_selection()
        series = self._get_series()
        if not series:
            raise UserError(
                self.env._("Choose a series, or type the first and the last serial number.")
            )
        first, last = self._get_ends()
        groups = self.env['refill.card']._read_group(
            self._get_cards_domain(),
            ['series_id'],
            ['__count', 'number:min', 'number:max', 'price:sum'],
        )
        return {
            'name': self._get_file_name(series, groups),
            'company_id': series.company_id[:1].id,
            'currency_id': series.currency_id[:1].id,
            'series_ids': [Command.set(series.ids)],
            'selected_ids': self.card_ids.ids or None,
            'is_selection': bool(self.card_ids),
            'scope': self.scope,
            'first_serial': first,
            'last_serial': last,
            'file_format': self.file_format,
            'csv_reader': self.csv_reader,
            'layout_id': self.layout_id.id if self.file_format == 'pdf' else False,
            'is_protected': self.is_protected,
            'card_count': sum(count for _series, count, *_others in groups),
            'amount': sum(value or 0 for *_others, value in groups),
        }

    @api.model
    def _prepare_values_of(self, values):
        """Return the values of a window that makes the same export.

        :param dict values: see :meth:`_prepare_export_values`.
        """
        same = ('scope', 'file_format', 'csv_reader', 'layout_id', 'is_protected')
        [[_set, _none, series_ids]] = values['series_ids']
        return {
            **{fname: values[fname] for fname in same},
            'series_ids': [Command.set(series_ids)],
            'card_ids': [Command.set(values['selected_ids'] or [])],
            **(
                {}
                if values['selected_ids']
                else {'first': values['first_serial'], 'last': values['last_serial']}
            ),
        }

    def _get_ends(self):
        """Return the first and the last serial number of the selection or the range.

        :rtype: tuple[str | bool, str | bool]
        """
        if self.card_ids:
            names = sorted(self.card_ids.mapped('name'))
            return names[0], names[-1]
        first, last = self.first_id.name, self.last_id.name
        return (last, first) if first and last and last < first else (first, last)

    def _get_file_name(self, series, groups):
        """Return a name that tells what is in the file.

        :param refill.card.series series: that were chosen.
        :param list[tuple] groups: of the cards: a series, how many, the first number, the last, ...
        :rtype: str
        """
        first, last = groups[0][2:4] if groups else (0, 0)
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
        exports, values = self.env['refill.card.export'], self._prepare_export_values()
        approval, export = self.env['refill.card.approval']._try(
            lambda: exports._export(values, password)
        )
        return (approval or export)._get_window_action()
