from odoo import models
from odoo.exceptions import UserError


class AccountJournal(models.Model):
    _inherit = 'account.journal'

    def write(self, vals):
        """Keep the refill card journal's type and currency.

        Odoo recomputes a journal's payment method lines when one of them changes, and would drop
        ours.

        :raise UserError: when one of them changes.
        """
        for fname in {'type', 'currency_id'} & vals.keys():
            for journal in self:
                current = self._fields[fname].convert_to_write(journal[fname], journal)
                if journal._is_refill_card_journal() and vals[fname] != current:
                    raise UserError(
                        self.env._(
                            "%(journal)s books the refill cards: its type and currency stay as"
                            " they are.",
                            journal=journal.display_name,
                        )
                    )
        return super().write(vals)

    def _is_refill_card_journal(self):
        self.ensure_one()
        return 'refill_card' in self.inbound_payment_method_line_ids.mapped('code')

    def _without_refill_cards(self):
        """Return the journals in which somebody can register a payment by hand.

        :rtype: account.journal
        """
        return self.filtered(
            lambda journal: (
                set(journal.inbound_payment_method_line_ids.mapped('code')) != {'refill_card'}
            )
        )
