from odoo import api, models
from odoo.fields import Domain


class RefillCard(models.Model):
    """Sold cards that work as long as their invoice is paid; called as superuser."""

    _inherit = 'refill.card'

    @api.model
    def _work_once_paid(self, lines):
        """Let cards work whose invoice was paid.

        :param account.move.line lines: which sold them.
        """
        sold, reference = Domain('invoice_line_id', 'in', lines.ids), self._next_reference()
        self._enable(sold & Domain('disable_reason', '=', 'unpaid'), reference)
        self._activate(sold, reference)

    @api.model
    def _stop_while_unpaid(self, lines):
        """Disable the cards that nobody has used, as their invoice is open again."""
        working = Domain('invoice_line_id', 'in', lines.ids) & Domain('state', '=', 'active')
        self._disable('unpaid', domain=working)

    @api.model
    def _work_if_paid(self, domain, reference):
        """Let cards that replace disabled ones work, or wait, as the invoices say that sold them.

        :param odoo.fields.Domain domain: which cards.
        :param str reference: what the events share.
        """
        payment = 'invoice_line_id.refill_card_payment'
        waiting, paid = (domain & Domain(payment, '=', state) for state in ('open', 'paid'))
        waiting = Domain('state', '=', 'active') & waiting
        self._disable('unpaid', domain=waiting, reference=reference)
        self._activate(paid, reference)

    @api.model
    def _count_used(self, lines):
        return self.search_count(
            Domain('invoice_line_id', 'in', lines.ids) & Domain('used_on', '!=', False)
        )

    def _undo(self, reason):
        """A card that is given back does not work while its invoice is not paid."""
        res = super()._undo(reason)
        # sudo: the user manages the card, and need not see its invoice
        if self.sudo().invoice_line_id.refill_card_payment == 'open':
            self.sudo()._disable('unpaid')
        return res
