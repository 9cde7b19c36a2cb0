from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL


class RefillCard(models.Model):
    """Cards that were sold by activation, and the settlements that bill them: set-based.

    Called by the settlement, as superuser.
    """

    _inherit = 'refill.card'

    _unbilled_idx = models.Index(
        "(holder_id, series_id, handed_out_on, historical_value)"
        " WHERE terms = 'sold' AND holder_id IS NOT NULL"
        " AND invoice_line_id IS NULL AND reserved_line_id IS NULL"
    )

    @api.model
    def _get_unbilled_domain(self, company, day):
        """Return the domain of the cards that were sold by activation and not billed yet.

        :param res.company company: root company that issued them.
        :param datetime.date day: until when.
        :rtype: odoo.fields.Domain
        """
        return Domain(
            [
                ('terms', '=', 'sold'),
                ('holder_id', '!=', False),
                ('invoice_line_id', '=', False),
                ('reserved_line_id', '=', False),
                ('series_id.company_id', 'child_of', company.id),
                ('handed_out_on', '<=', day),
            ]
        )

    @api.model
    def _count_unbilled(self, company, day):
        """Return how many such cards each reseller has by series, and what they are worth.

        :return: in the books, where the cards are in another currency than the company's, else 0.
        :rtype: list[tuple[res.partner, refill.card.series, int, float]]
        """
        groups = self._read_group(
            self._get_unbilled_domain(company, day),
            ['holder_id', 'series_id'],
            ['__count', 'historical_value:sum'],
        )
        return [(*group[:3], group[3] or 0) for group in groups]

    @api.model
    def _claim_unbilled(self, line, company, partner, day):
        """Keep for the line of a draft the cards that it bills.

        :return: how many.
        :rtype: int
        """
        domain = self._get_unbilled_domain(company, day) & Domain(
            [('holder_id', '=', partner.id), ('series_id', '=', line.refill_card_series_id.id)]
        )
        return self._set_terms(domain, reserved_line_id=line.id)

    @api.model
    def _count_billed(self, lines):
        """Return how many cards each line of a draft bills, and what they are worth.

        :return: as :meth:`_count_unbilled`.
        :rtype: dict[account.move.line, tuple[int, float]]
        """
        domain = Domain('reserved_line_id', 'in', lines.ids)
        groups = self._read_group(domain, ['reserved_line_id'], ['__count', 'historical_value:sum'])
        return {line: (count, value or 0) for line, count, value in groups}

    @api.model
    def _get_billed_sql(self, lines):
        """Return the query for the cards sold by activation that lines bill.

        :return: serial number, day, 1, id of the series.
        :rtype: SQL
        """
        return SQL(
            "SELECT name, handed_out_on, 1, series_id FROM refill_card"
            " WHERE reserved_line_id = ANY(%(ids)s) OR invoice_line_id = ANY(%(ids)s)",
            ids=lines.ids,
        )

    @api.model
    def _bill_reserved(self, lines):
        """Note which lines billed the cards, once their invoice is confirmed."""
        self._set_terms(
            Domain('reserved_line_id', 'in', lines.ids),
            invoice_line_id=SQL("reserved_line_id"),
            reserved_line_id=None,
        )

    @api.model
    def _reserve_billed(self, lines):
        """Keep the cards for a draft again whose confirmation was taken back; they stay sold."""
        self._set_terms(
            Domain('invoice_line_id', 'in', lines.ids),
            reserved_line_id=SQL("invoice_line_id"),
            invoice_line_id=None,
        )

    @api.model
    def _release_billed(self, lines):
        """Let cards be billed anew; they stay sold."""
        self._set_terms(
            Domain('invoice_line_id', 'in', lines.ids)
            | Domain('reserved_line_id', 'in', lines.ids),
            invoice_line_id=None,
            reserved_line_id=None,
        )
