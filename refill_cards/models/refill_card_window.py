from odoo import api, models


class RefillCardWindow(models.AbstractModel):
    """What a client names in a window is in the sight of its user.

    Odoo describes as superuser whatever records a client names.
    """

    _name = 'refill.card.window'
    _description = "Window of Refill Cards"

    @api.model_create_multi
    def create(self, vals_list):
        # Also what the context names, which Odoo fills in afterwards.
        named = self.default_get(self._get_guarded_names())
        for vals in vals_list:
            self._check_named({**named, **vals})
        return super().create(vals_list)

    def write(self, vals):
        self._check_named(vals)
        return super().write(vals)

    def onchange(self, values, field_names, fields_spec):
        # Before anything is saved, a window describes what the client or the context names.
        self._check_named({**self.default_get(self._get_guarded_names()), **values})
        return super().onchange(values, field_names, fields_spec)

    @api.model
    def _get_guarded_names(self):
        """Return the fields by which a client names what others must not see."""
        guarded = (
            'account.move',
            'account.move.line',
            'refill.card',
            'refill.card.layout',
            'refill.card.replacement.request',
            'refill.card.series',
            'res.partner',
        )
        return [
            name
            for name, field in self._fields.items()
            if field.comodel_name in guarded and field.store
        ]

    @api.model
    def _check_named(self, values):
        """:raise AccessError: when the values name a record that the user may not see."""
        named = {name: values[name] for name in self._get_guarded_names() if name in values}
        # sudo: Odoo's own error would come first, which may tell a name
        draft_sudo = self.sudo().with_context(active_test=False).new(named)
        for name in named:
            records = draft_sudo[name]._origin.sudo(self.env.su)
            if records._name == 'res.partner':
                records._check_refill_card_customer()
            elif records:
                records.check_access('read')
