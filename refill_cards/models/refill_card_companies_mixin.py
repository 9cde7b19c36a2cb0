from odoo import models


class RefillCardCompaniesMixin(models.AbstractModel):
    """Forms that choose among all companies of the user, ticked in the switcher or not."""

    _name = 'refill.card.companies.mixin'
    _description = "Choice Among the User's Companies"

    def _with_own_companies(self):
        works_in = [*self.env.companies.ids, *self.env.user._get_company_ids()]
        return self.with_context(allowed_company_ids=list(dict.fromkeys(works_in)))

    def onchange(self, values, field_names, fields_spec):
        """Name also the companies that are not ticked."""
        chooser = self._with_own_companies()
        return super(RefillCardCompaniesMixin, chooser).onchange(values, field_names, fields_spec)
