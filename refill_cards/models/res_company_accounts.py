from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command
from odoo.tools import format_list

# By field, the types that an account may have: first that of one that is made, and beside which it
# is numbered.
ACCOUNT_TYPES = {
    'refill_card_settlement_account_id': ('asset_current',),
    'refill_card_gift_account_id': ('expense',),
    'refill_card_discount_account_id': ('income',),
    'refill_card_commission_account_id': ('expense',),
    # A liability where the law gives unclaimed property to the state.
    'refill_card_expired_account_id': ('income_other', 'liability_current'),
}


class ResCompany(models.Model):
    """On which accounts redeemed cards are booked, beside the liability for those sold."""

    _inherit = 'res.company'

    refill_card_settlement_account_id = fields.Many2one(
        comodel_name='account.account',
        string="Refill Cards to be Settled",
        check_company=True,
        domain="[('account_type', '=', 'asset_current'), ('reconcile', '=', False)]",
        help="Debited when a card is redeemed that a reseller has on consignment, or that another"
        " company issued: whoever owes its value is billed later.",
    )
    refill_card_gift_account_id = fields.Many2one(
        comodel_name='account.account',
        string="Refill Cards Given Away",
        check_company=True,
        domain="[('account_type', '=', 'expense'), ('reconcile', '=', False)]",
        help="Debited when a card is redeemed that was given away.",
    )

    refill_card_discount_account_id = fields.Many2one(
        comodel_name='account.account',
        string="Refill Card Discounts",
        check_company=True,
        domain="[('account_type', '=', 'income'), ('reconcile', '=', False)]",
        help="Takes the difference between what a card is sold for and its face value.",
    )
    refill_card_commission_account_id = fields.Many2one(
        comodel_name='account.account',
        string="Reseller Commissions",
        check_company=True,
        domain="[('account_type', '=', 'expense'), ('reconcile', '=', False)]",
        help="Debited with the commission of resellers who sell cards as agents.",
    )
    refill_card_expired_account_id = fields.Many2one(
        comodel_name='account.account',
        string="Expired Refill Cards",
        check_company=True,
        domain="[('account_type', 'in', ['income_other', 'liability_current']),"
        " ('reconcile', '=', False)]",
        help="Credited with the value of sold cards that expired. Choose a liability where the law"
        " gives unclaimed property to the state.",
    )
    refill_card_tax_id = fields.Many2one(
        comodel_name='account.tax',
        string="Tax of Cards that are Sold",
        check_company=True,
        domain="[('type_tax_use', '=', 'sale'), ('amount', '=', 0)]",
        help="A tax of 0 %, where e-invoices need one on each line. No tax is due when a card is"
        " sold that pays for services of several rates: the invoice that it pays bears the tax.",
    )

    @api.constrains(*ACCOUNT_TYPES)
    def _check_refill_card_accounts(self):
        """:raise ValidationError: when payments on an account would never become paid."""
        for company in self:
            for fname, account_types in ACCOUNT_TYPES.items():
                account = company[fname]
                if account and (account.reconcile or account.account_type not in account_types):
                    types = dict(account._fields['account_type']._description_selection(self.env))
                    raise ValidationError(
                        self.env._(
                            "“%(field)s” takes an account of type %(type)s that is not reconciled.",
                            field=self._fields[fname]._description_string(self.env),
                            type=format_list(
                                self.env, [types[each] for each in account_types], 'or'
                            ),
                        )
                    )

    def write(self, vals):
        """:raise UserError: when an account is changed on which cards were booked."""
        for fname in ACCOUNT_TYPES.keys() & vals.keys():
            changed = self.filtered(lambda company, f=fname: company[f].id != (vals[f] or False))
            if account := changed[fname]._find_booked_by_refill_cards():
                raise UserError(
                    self.env._(
                        "Refill cards were booked on %(account)s: it stays the account for"
                        " “%(field)s”, where what is owed for them is settled.",
                        account=account.display_name,
                        field=self._fields[fname]._description_string(self.env),
                    )
                )
        return super().write(vals)

    def _setup_refill_cards(self):
        res = super()._setup_refill_cards()
        for company in self.sudo().root_id:  # sudo: runs while a chart of accounts is loaded
            company = company.with_company(company)
            if company._has_accounts():
                company._create_refill_card_accounts()
        return res

    def _create_refill_card_accounts(self):
        """Create the accounts that are not chosen yet; running it again changes nothing."""
        accounts = self.env['account.account']
        names = {
            'refill_card_settlement_account_id': self.env._("Refill cards to be settled"),
            'refill_card_gift_account_id': self.env._("Refill cards given away"),
            'refill_card_discount_account_id': self.env._("Refill card discounts"),
            'refill_card_commission_account_id': self.env._("Reseller commissions"),
            'refill_card_expired_account_id': self.env._("Expired refill cards"),
        }
        for fname, [account_type, *_others] in ACCOUNT_TYPES.items():
            if self[fname]:
                continue
            domain = accounts._check_company_domain(self)
            neighbour = accounts.search([*domain, ('account_type', '=', account_type)], limit=1)
            neighbour = neighbour or accounts.search(domain, limit=1)
            self[fname] = accounts.create(
                {
                    'name': names[fname],
                    'code': accounts._search_new_account_code(neighbour.code),
                    'account_type': account_type,
                    'reconcile': False,
                    'company_ids': [Command.set(self.ids)],
                }
            )

    def _get_refill_card_accounts(self):
        """Return the accounts that are chosen for cards, beside the liability.

        :rtype: account.account
        """
        root = self.root_id
        return self.env['account.account'].union(*(root[fname] for fname in ACCOUNT_TYPES))

    def _get_refill_card_liability_accounts(self):
        """Return the accounts on which the company ever owed something for cards.

        :rtype: account.account
        """
        # sudo: what is owed there does not depend on who looks
        lines = self.env['account.payment.method.line'].sudo().with_context(active_test=False)
        return lines.search(
            [
                ('payment_method_id.code', '=', 'refill_card'),
                ('journal_id.company_id', 'child_of', self.root_id.id),
            ]
        ).payment_account_id

    def _get_refill_card_branches(self):
        """Return the company and its branches, which share its books.

        :rtype: res.company
        """
        # sudo: whichever of them the user chose
        companies = self.sudo().with_context(active_test=False)
        return companies.search([('id', 'child_of', self.root_id.id)])

    def _get_refill_card_exchange_account(self, difference):
        """Return where a gain or a loss by exchange rates goes.

        :param float difference: what is debited on an account of cards beyond the day's rate.
        :rtype: account.account
        :raise UserError: when it is not chosen.
        """
        gain = difference > 0
        root = self.root_id
        account = (
            root.income_currency_exchange_account_id
            if gain
            else root.expense_currency_exchange_account_id
        )
        if not account:
            raise UserError(
                self.env._(
                    "%(company)s has no account for exchange gains and losses. Choose one in the"
                    " settings of Invoicing.",
                    company=root.name,
                )
            )
        return account

    def _get_refill_card_account(self, fname):
        """Return the account of the root company, which branches use too.

        :param str fname: a key of ``ACCOUNT_TYPES``.
        :rtype: account.account
        :raise UserError: when it is not chosen, archived, or was made one that is reconciled.
        """
        account = self.root_id[fname]
        if not account.active or account.reconcile:
            raise UserError(
                self.env._(
                    "%(company)s has no account for “%(field)s”, or one that is reconciled or"
                    " archived. Change that in the chart of accounts, or choose another in the"
                    " settings of Invoicing.",
                    company=self.root_id.name,
                    field=self._fields[fname]._description_string(self.env),
                )
            )
        return account
