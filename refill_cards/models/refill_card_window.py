from odoo import api, models


class RefillCardWindow(models.AbstractModel):
    """What a client names in a window is in the sight of its user.

    Odoo describes as superuser whatever records a client names.
    """

    _name = 'refill.card.window'
    _description = "Window of Refill Cards"

    @api.model
    def _get_guarded_names(self):
        """Return the fields by which a client names customers, cards and series."""
        guarded = ('res.partner', 'refill.card', 'refill.card.series')
        return [
            name
            for name, field in self._fields.items()
            if field.comodel_name in guarded and not field.compute
        ]

    @api.constrains(lambda self: self._get_guarded_names())
    def _check_in_sight(self):
        """:raise AccessError: when a record is named that the user may not see."""
        for name in self._get_guarded_names():
            # Constraints run as superuser.
            records = self[name]._origin.sudo(False)
            if records._name == 'res.partner':
                records._check_refill_card_customer()
            elif records:
                records.check_access('read')

    def onchange(self, values, field_names, fields_spec):
        # Before anything is saved, a window describes what the client or the context names.
        names = self._get_guarded_names()
        named = {**self.default_get(names), **values}
        self.new({name: named[name] for name in names if name in named})._check_in_sight()
        return super().onchange(values, field_names, fields_spec)
