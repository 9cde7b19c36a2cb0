from odoo import api, fields, models
from odoo.fields import Command

JOURNAL_CODE = 'RFC'
# By chart of accounts, the account (its external id in the chart) beside which an accountant of
# that country looks for what customers have paid in advance.
CUSTOMER_ADVANCES = {
    'br': 'account_template_201010501',  # 2.01.01.05 Adiantamentos de Clientes
    'de_skr03': 'account_1710',  # Erhaltene Anzahlungen auf Bestellungen
    'de_skr04': 'chart_skr04_3250',  # Erhaltene Anzahlungen auf Bestellungen
    'es_common': 'account_common_438',  # 438 Anticipos de clientes
    'fr': 'pcg_4191',  # 4191 Clients - Avances et acomptes reçus
    'generic_coa': 'deferred_revenue',
    'in': 'p10085',  # Deferred Income
    'it': '2530',  # Acconti dei clienti
    'mx': 'cuenta206_01',  # 206 Anticipo de cliente
    'sa': 'sa_account_201018',  # Deferred income
}


class ResCompany(models.Model):
    _inherit = 'res.company'

    refill_card_portal = fields.Boolean(
        string="Refill Cards in the Portal",
        help="Customers of this company redeem refill cards in the portal.",
    )
    refill_card_portal_help = fields.Html(
        string="Help for Refill Cards",
        translate=True,
        help="What customers read in the portal where they redeem a card.",
    )
    refill_card_reseller_portal = fields.Boolean(
        string="Page for Resellers in the Portal",
        help="Resellers of this company's cards see in the portal which ones they have, and"
        " activate them there.",
    )
    refill_card_pay_invoices = fields.Boolean(
        string="Refill Cards Pay Invoices",
        default=True,
        help="Prepaid credit from refill cards pays the customer's invoices, oldest due first: open"
        " ones when a card is redeemed, later ones when they are confirmed. What is left, or all of"
        " it when this is off, stays on the customer's account.",
    )

    # Stored, as each redemption needs it.
    refill_card_zone = fields.Char(
        compute='_compute_refill_card_zone',
        store=True,
        help="Where the company's days begin: the time zone of its address, else of its working"
        " hours, else UTC.",
    )

    @api.depends('partner_id.tz', 'resource_calendar_id.tz')
    def _compute_refill_card_zone(self):
        for company in self:
            company.refill_card_zone = (
                company.partner_id.tz or company.resource_calendar_id.tz or 'UTC'
            )

    def _get_refill_card_day(self, partner=None):
        """Return today's date where the customer is, else where the company is.

        :param res.partner partner: the customer; payments are dated without.
        :rtype: datetime.date
        """
        # sudo: partner users and customers read neither companies nor each other's contacts
        zone = partner and partner.sudo().tz or self.sudo().refill_card_zone
        return fields.Date.context_today(self.with_context(tz=zone))

    def _get_refill_card_accountants(self):
        """Return who keeps the company's books and manages its cards.

        :rtype: res.users
        """
        groups = ('account.group_account_invoice', 'refill_cards.group_refill_card_manager')
        return self.env['res.users'].search(
            [
                ('company_ids', 'in', self.ids),
                *(('all_group_ids', 'in', self.env.ref(group).ids) for group in groups),
            ]
        )

    def _get_refill_card_managers(self):
        """Return who manages the cards of each of these companies, as superuser.

        :rtype: res.users
        """
        # sudo: whoever asks
        managers_sudo = self.env.ref('refill_cards.group_refill_card_manager').sudo().all_user_ids
        return managers_sudo.filtered(
            lambda user: user.active and not user.share and self <= user.company_ids
        )

    def _setup_refill_cards(self):
        """Give each root company that has accounts the journal that redemption books in.

        Running it again changes nothing. Branches use their root company's journal; a company
        without a chart of accounts is left alone until it gets one.
        """
        for company in self.sudo().root_id:  # sudo: runs while a chart of accounts is loaded
            company = company.with_company(company)
            if company._has_accounts() and not company._get_refill_card_method_line():
                company._create_refill_card_journal()

    def _has_accounts(self):
        domain = [
            *self.env['account.account']._check_company_domain(self),
            ('account_type', '=', 'asset_receivable'),
        ]
        return bool(self.env['account.account'].search_count(domain, limit=1))

    def _create_refill_card_journal(self):
        """Create the journal, or take up the one that an earlier installation left."""
        journals = self.env['account.journal'].with_context(active_test=False)
        journals = journals.search([('company_id', '=', self.id)])
        journal = journals.filtered(lambda j: j.code == JOURNAL_CODE and j.type == 'cash')
        account = journal.default_account_id
        if not journal or account.account_type != 'liability_current' or account.reconcile:
            account = self.env['account.account'].create(self._prepare_refill_card_account_values())
            journal = journals.create(
                self._prepare_refill_card_journal_values(account, set(journals.mapped('code')))
            )
        journal.write({'active': True, **self._prepare_refill_card_method_values(account)})

    def _prepare_refill_card_account_values(self):
        """Return the values of the liability account: money received for cards not yet used.

        The code is a free one beside the chart's account for what customers have paid in advance,
        where that is known, else beside its other current liabilities.
        """
        accounts = self.env['account.account']
        domain = accounts._check_company_domain(self)
        neighbour = (
            self._get_customer_advances_account()
            or accounts.search([*domain, ('account_type', '=', 'liability_current')], limit=1)
            or accounts.search(domain, limit=1)
        )
        return {
            'name': self.env._("Prepaid refill cards"),
            'code': accounts._search_new_account_code(neighbour.code),
            'account_type': 'liability_current',
            # On a reconcilable account Odoo never lets the payments become paid.
            'reconcile': False,
            'company_ids': [Command.set(self.ids)],
        }

    def _get_customer_advances_account(self):
        charts = self.env['account.chart.template']
        for template in charts._get_parent_template(self.chart_template):
            if xmlid := CUSTOMER_ADVANCES.get(template):
                return charts.ref(xmlid, raise_if_not_found=False)
        return None

    def _prepare_refill_card_journal_values(self, account, taken_codes):
        """Return the values of the journal.

        A cash journal, because payment providers grab the first bank journal and a general one has
        no payment methods. Far down in the sequence, because the first is the default of Register
        Payment.
        """
        candidates = [JOURNAL_CODE, *(f'{JOURNAL_CODE}{number}' for number in range(1, 100))]
        return {
            'name': self.env._("Refill Cards"),
            'type': 'cash',
            'code': next(code for code in candidates if code not in taken_codes),
            'sequence': 100,
            'show_on_dashboard': False,
            'default_account_id': account.id,
            'company_id': self.id,
        }

    def _prepare_refill_card_method_values(self, account):
        """Return the values of a journal that let only refill cards pay into it."""
        method = self.env.ref('refill_cards.account_payment_method_refill_card')
        line = {
            'payment_method_id': method.id,
            'name': method.name,
            'payment_account_id': account.id,
        }
        return {
            'outbound_payment_method_line_ids': [Command.clear()],
            'inbound_payment_method_line_ids': [Command.clear(), Command.create(line)],
        }
