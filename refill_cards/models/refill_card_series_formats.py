from odoo import api, models
from odoo.fields import Domain
from odoo.tools import ormcache

from .. import codes

# What a format is made of.
FIELDS = (
    *('alphabet', 'code_length', 'prefix', 'former_prefixes'),
    *('is_foreign', 'code_case', 'code_forms', 'has_short_codes'),
)


class RefillCardSeries(models.Model):
    """How the codes of all series look: asked whenever somebody types one, so it is remembered."""

    _inherit = 'refill.card.series'

    @api.model
    @ormcache()
    def _get_formats(self):
        """Return how the codes of all series look.

        :rtype: tuple[codes.Format | foreign.ForeignFormat]
        """
        return self._read_formats()

    @api.model
    def _read_formats(self, domain=Domain.TRUE):
        """:param odoo.fields.Domain domain: of which series."""
        # sudo: reading what was typed must not depend on which series one may see
        every = self.sudo().with_context(active_test=False)
        groups = every._read_group(domain, FIELDS)
        return tuple(self._make_format(dict(zip(FIELDS, told, strict=True))) for told in groups)

    @api.model
    def _read_formats_and_issuers(self, domain):
        """Return how the codes of series look, each format beside each company that issues such.

        :param odoo.fields.Domain domain: of which series.
        :rtype: list[tuple[codes.Format, res.company]]
        """
        # sudo: as above
        every = self.sudo().with_context(active_test=False)
        return [
            (self._make_format(dict(zip(FIELDS, told, strict=True))), company)
            for *told, company in every._read_group(domain, [*FIELDS, 'company_id'])
        ]

    @api.model
    def _make_format(self, told):
        """Return how codes look.

        :param dict told: the values of ``FIELDS``.
        :rtype: codes.Format
        """
        former = (told['former_prefixes'] or '').split()
        return codes.Format(
            told['alphabet'], told['code_length'], told['prefix'] or '', tuple(former)
        )

    def _get_format(self):
        self.ensure_one()
        return self._make_format({fname: self[fname] for fname in FIELDS})

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
