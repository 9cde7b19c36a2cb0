from itertools import islice
from typing import NamedTuple

from odoo import models
from odoo.fields import Domain

BATCH = 1_000


class Shared(NamedTuple):
    """What the cards of a series have in common on paper.

    :param str companies: who accepts them, when that needs to be said.
    """

    prefix: str
    companies: str


class RefillCardSeries(models.Model):
    _inherit = 'refill.card.series'

    def _get_companies_on_cards(self):
        """Return the names of the companies that accept the cards, unless all of the issuer's do.

        :rtype: str
        """
        self.ensure_one()
        series_sudo = self.sudo()  # sudo: what a card says does not depend on who prints it
        accepting = series_sudo.accepting_company_ids
        tree = Domain('id', 'child_of', series_sudo.company_id.root_id.id)
        return '' if accepting.search(tree) <= accepting else series_sudo.accepted_by

    def _match_rows(self, rows):
        """Yield each card with what it has in common with the others of its series.

        :param Iterable[table.Row] rows: cards of these series.
        """
        shared = {
            series.id: Shared(series.prefix or '', series._get_companies_on_cards())
            for series in self
        }
        if len(set(shared.values())) == 1:
            [same] = set(shared.values())
            yield from ((row, same) for row in rows)
            return
        rows = iter(rows)
        while batch := list(islice(rows, BATCH)):
            domain = Domain('name', 'in', [row.serial for row in batch])
            groups = self.env['refill.card']._read_group(domain, ['name', 'series_id'])
            owners = {name: series.id for name, series in groups}
            yield from ((row, shared[owners[row.serial]]) for row in batch)
