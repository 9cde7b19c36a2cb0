from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError


class AccountJournal(models.Model):
    _inherit = 'account.journal'

    books_refill_cards = fields.Boolean(
        compute='_compute_books_refill_cards',
        inverse='_inverse_books_refill_cards',
        store=True,
        readonly=True,
    )

    @api.depends('inbound_payment_method_line_ids.code')
    def _compute_books_refill_cards(self):
        """A journal in which cards were booked stays theirs when it loses the payment method."""
        # sudo: whoever sets up journals need not see the payments
        payments_sudo = self.env['account.payment'].sudo()
        for journal in self:
            journal.books_refill_cards = (
                'refill_card' in journal.inbound_payment_method_line_ids.mapped('code')
                or payments_sudo.search_count(
                    [
                        ('journal_id', 'in', journal.ids),
                        ('payment_method_id.code', '=', 'refill_card'),
                    ],
                    limit=1,
                )
            )

    def _inverse_books_refill_cards(self):
        """Compute again what a client writes: the guards of cards' entries go by it."""
        self._compute_books_refill_cards()

    @api.constrains('default_account_id', 'inbound_payment_method_line_ids')
    def _check_refill_card_default_account(self):
        """:raise ValidationError: when Odoo would take the customer's line for the journal's."""
        for journal in self.filtered('books_refill_cards'):
            if journal.default_account_id.account_type in ('asset_receivable', 'liability_payable'):
                raise ValidationError(
                    self.env._(
                        "%(journal)s books the refill cards: its default account is not one of"
                        " customers or vendors. Take the account of prepaid refill cards.",
                        journal=journal.display_name,
                    )
                )

    @api.constrains('active', 'company_id')
    def _check_refill_card_journals(self):
        """Check that the journals of a company that book refill cards may stand for each other.

        :raise ValidationError: when they do not book on one account, or one would be used twice.
        """
        for company in self.filtered('books_refill_cards').company_id:
            lines = company._get_refill_card_method_lines()
            if len(lines.journal_id) < len(lines):
                raise ValidationError(
                    self.env._("A journal has the payment method “Refill Card” once only.")
                )
            if len(lines.payment_account_id) > 1:
                first = lines[0]
                raise ValidationError(
                    self.env._(
                        "What %(company)s owes for refill cards stands on one account. Take"
                        " %(account)s, as in %(journal)s, or archive the other journals first.",
                        company=company.name,
                        account=first.payment_account_id.display_name,
                        journal=first.journal_id.display_name,
                    )
                )

    def write(self, vals):
        """Keep the refill card journal's type and currency.

        Odoo recomputes a journal's payment method lines when one of them changes, and would drop
        ours.

        :raise UserError: when one of them changes.
        """
        for fname in {'type', 'currency_id'} & vals.keys():
            for journal in self:
                current = self._fields[fname].convert_to_write(journal[fname], journal)
                if journal.books_refill_cards and vals[fname] != current:
                    raise UserError(
                        self.env._(
                            "%(journal)s books the refill cards: its type and currency stay as"
                            " they are.",
                            journal=journal.display_name,
                        )
                    )
        return super().write(vals)

    def _without_refill_cards(self):
        """Return the journals in which somebody can register a payment by hand.

        :rtype: account.journal
        """
        return self.filtered(
            lambda journal: (
                set(journal.inbound_payment_method_line_ids.mapped('code')) != {'refill_card'}
            )
        )
