from odoo import api, models
from odoo.fields import Domain
from odoo.tools import ormcache

from .. import codes

# What a format is made of.
FIELDS = ('alphabet', 'code_length', 'prefix', 'former_prefixes')


class RefillCardSeries(models.Model):
    """How the codes of all series look: asked whenever somebody types one, so it is remembered."""

    _inherit = 'refill.card.series'

    @api.model
    @ormcache()
    def _get_formats(self):
        """Return how the codes of all series look.

        :rtype: tuple[codes.Format]
        """
        return self._read_formats()

    @api.model
    def _read_formats(self, domain=Domain.TRUE):
        """:param odoo.fields.Domain domain: of which series."""
        # sudo: reading what was typed must not depend on which series one may see
        every = self.sudo().with_context(active_test=False)
        return tuple(
            codes.Format(alphabet, length, prefix or '', tuple((former or '').split()))
            for alphabet, length, prefix, former in every._read_group(domain, FIELDS)
        )

    def _forget_formats(self):
        """Have the formats read anew everywhere, when there are others now.

        Odoo forgets all that it remembers along, hence not for each series.
        """
        if set(self._get_formats()) != set(self._read_formats()):
            self.env.registry.clear_cache()

    @api.model_create_multi
    def create(self, vals_list):
        made = super().create(vals_list)
        self._forget_formats()
        return made

    def write(self, vals):
        res = super().write(vals)
        if vals.keys() & set(FIELDS):
            self._forget_formats()
        return res

    def unlink(self):
        res = super().unlink()
        self._forget_formats()
        return res
