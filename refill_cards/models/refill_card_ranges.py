from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..wording import format_count

# So many ranges does a sentence name, and so many an invoice.
NAMED = 3
DESCRIBED = 100


class RefillCard(models.Model):
    """Cards named by their serial numbers, and why some are neither sold nor returned."""

    _inherit = 'refill.card'

    @api.model
    def _name_ranges(self, domain, most=DESCRIBED):
        """Return the serial numbers of cards as people read them.

        :param odoo.fields.Domain domain: which cards.
        :param int most: how many ranges are named at the most; the rest is counted.
        :rtype: str
        """
        ranges = self._get_ranges(domain)
        names = [
            first if first == last else f'{first} – {last}'
            for _series, first, last, _count in ranges[:most]
        ]
        rest = sum(count for *_range, count in ranges[len(names) :])
        if rest:
            names.append(self.env._("%(count)s more", count=format_count(self.env, rest)))
        return ', '.join(names)

    @api.model
    def _check_sellable(self, domain, line=None):
        """Check that cards may be sold that somebody chose.

        :param odoo.fields.Domain domain: which cards.
        :param account.move.line line: of the draft for which they may be kept already.
        :raise UserError: when there is one that may not, whose serial number it says.
        """
        self._check_none(domain, self._get_reasons_not_to_sell(line))

    @api.model
    def _check_returnable(self, domain, line=None):
        """Check that cards may be returned that somebody chose; as :meth:`_check_sellable`."""
        self._check_none(domain, self._get_reasons_not_to_return(line))

    @api.model
    def _check_none(self, domain, reasons):
        """:raise UserError: when one of the reasons holds for one of the cards.

        :param list[tuple[odoo.fields.Domain, str]] reasons: each with what is said about the cards.
        """
        for reason, sentence in reasons:
            if self.search_count(domain & reason, limit=1):
                names = self._name_ranges(domain & reason, NAMED)
                raise UserError(
                    self.env._("%(cards)s: %(sentence)s", cards=names, sentence=sentence)
                )

    @api.model
    def _get_reasons_not_to_sell(self, line):
        returned = Domain('state', '=', 'disabled') & Domain('disable_reason', '=', 'returned')
        return [
            *self._get_reasons_of_others(line),
            (
                Domain('used_on', '!=', False),
                self.env._("used already. Choose cards that nobody has used."),
            ),
            (
                Domain('terms', '!=', False),
                self.env._("handed out already. Choose others, or take them back first."),
            ),
            (
                Domain('state', '=', 'disabled') & ~returned,
                self.env._("disabled. Choose others, or enable them first."),
            ),
            (
                Domain('state', '=', 'expired') | self._get_over_domain(),
                self.env._("past their last day. Choose others, or give them a later day first."),
            ),
        ]

    @api.model
    def _get_reasons_not_to_return(self, line):
        reasons = [
            *self._get_reasons_of_others(line),
            (
                Domain('used_on', '!=', False),
                self.env._("used. Only cards that nobody has used are returned."),
            ),
            (
                Domain('invoice_line_id', '=', False),
                self.env._("not sold by an invoice, so that there is nothing to credit."),
            ),
        ]
        if not line:
            reasons.append(
                (
                    Domain('invoice_line_id.refill_card_role', '=', 'opening'),
                    self.env._(
                        "sold before its opening balance. Make a credit note of its product, and"
                        " say with Choose Cards which cards come back."
                    ),
                )
            )
        if line:
            customer = line.move_id.commercial_partner_id
            reasons.append(
                (
                    Domain('holder_id', 'not in', [customer.id, False]),
                    self.env._("not sold to %(customer)s.", customer=customer.display_name),
                )
            )
        return reasons

    @api.model
    def _get_reasons_of_others(self, line):
        kept = Domain('reserved_line_id', '!=', False)
        if line:
            kept &= Domain('reserved_line_id', '!=', line.id)
        return [
            (
                ~self._get_manageable_domain(),
                self.env._("issued by another company, in whose books you do not work."),
            ),
            (kept, self.env._("kept for another draft. Choose others, or delete that draft.")),
        ]
