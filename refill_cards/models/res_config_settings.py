from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..wording import format_count
from .refill_card_export import FILE_HOURS
from .refill_card_lockout import DEFAULTS, HIGHEST_NUMBER

NUMBER_FIELDS = ['refill_card_export_file_hours', *(f'refill_card_{name}' for name in DEFAULTS)]


class ResConfigSettings(models.TransientModel):
    _inherit = 'res.config.settings'

    refill_card_portal = fields.Boolean(related='company_id.refill_card_portal', readonly=False)
    refill_card_portal_help = fields.Html(
        related='company_id.refill_card_portal_help', readonly=False
    )
    refill_card_reseller_portal = fields.Boolean(
        related='company_id.refill_card_reseller_portal', readonly=False
    )
    refill_card_address = fields.Char(related='company_id.refill_card_address', readonly=False)
    refill_card_address_default = fields.Char(compute='_compute_refill_card_address')
    refill_card_address_warning = fields.Char(compute='_compute_refill_card_address')
    refill_card_pay_invoices = fields.Boolean(
        related='company_id.refill_card_pay_invoices', readonly=False
    )
    refill_card_accept_all = fields.Boolean(
        related='company_id.refill_card_accept_all', readonly=False
    )
    refill_card_issuer_ids = fields.Many2many(
        related='company_id.refill_card_issuer_ids', readonly=False
    )
    refill_card_settlement_account_id = fields.Many2one(
        related='company_id.root_id.refill_card_settlement_account_id', readonly=False
    )
    refill_card_gift_account_id = fields.Many2one(
        related='company_id.root_id.refill_card_gift_account_id', readonly=False
    )
    refill_card_discount_account_id = fields.Many2one(
        related='company_id.root_id.refill_card_discount_account_id', readonly=False
    )
    refill_card_commission_account_id = fields.Many2one(
        related='company_id.root_id.refill_card_commission_account_id', readonly=False
    )
    refill_card_journal_ids = fields.Many2many(
        comodel_name='account.journal',
        string="Journals of Refill Cards",
        compute='_compute_refill_card_journal_ids',
    )
    refill_card_release = fields.Boolean(
        related='company_id.root_id.refill_card_release', readonly=False
    )
    refill_card_release_days = fields.Integer(
        related='company_id.root_id.refill_card_release_days', readonly=False
    )
    refill_card_expired_account_id = fields.Many2one(
        related='company_id.root_id.refill_card_expired_account_id', readonly=False
    )
    refill_card_expired_tax_id = fields.Many2one(
        related='company_id.root_id.refill_card_expired_tax_id', readonly=False
    )
    refill_card_tax_id = fields.Many2one(
        related='company_id.root_id.refill_card_tax_id', readonly=False
    )
    refill_card_single_purpose = fields.Boolean(
        related='company_id.refill_card_single_purpose', readonly=False
    )
    refill_card_only_paid = fields.Boolean(
        related='company_id.refill_card_only_paid', readonly=False
    )
    refill_card_freeze_guesses = fields.Integer(
        related='company_id.refill_card_freeze_guesses', readonly=False
    )
    refill_card_notices = fields.Boolean(related='company_id.refill_card_notices', readonly=False)
    refill_card_webhook_hosts = fields.Char(
        string="Hosts in private networks", config_parameter='refill_cards.webhook_hosts'
    )
    refill_card_export_file_hours = fields.Integer(
        string="Hours until Exported Files are Removed",
        config_parameter='refill_cards.export_file_hours',
        default=FILE_HOURS,
    )
    refill_card_key_in_database = fields.Boolean(compute='_compute_refill_card_key_in_database')
    refill_card_guesses = fields.Integer(
        string="Unknown codes before a lockout",
        config_parameter='refill_cards.guesses',
        default=DEFAULTS['guesses'],
        help="A customer with as many unknown codes is locked out, and again after as many more.",
    )
    refill_card_short_guesses = fields.Integer(
        string="Of imported short codes",
        config_parameter='refill_cards.short_guesses',
        default=DEFAULTS['short_guesses'],
        help="The same, of codes of another system that could be guessed: fewer are enough.",
    )
    refill_card_first_lock = fields.Integer(
        string="First lockout",
        config_parameter='refill_cards.first_lock',
        default=DEFAULTS['first_lock'],
        help="How long the customer is locked out the first time.",
    )
    refill_card_second_lock = fields.Integer(
        string="Second lockout",
        config_parameter='refill_cards.second_lock',
        default=DEFAULTS['second_lock'],
        help="How long the customer is locked out when they go on guessing.",
    )
    refill_card_further_lock = fields.Integer(
        string="Each further lockout",
        config_parameter='refill_cards.further_lock',
        default=DEFAULTS['further_lock'],
        help="How long the customer is locked out from the third time on.",
    )
    refill_card_address_guesses = fields.Integer(
        string="Unknown codes before a wait",
        config_parameter='refill_cards.address_guesses',
        default=DEFAULTS['address_guesses'],
        help="When as many unknown codes come from one IP address, all customers behind it"
        " must wait; when they come from one user of the backend or the API, that user.",
    )
    refill_card_address_window = fields.Integer(
        string="Counted within",
        config_parameter='refill_cards.address_window',
        default=DEFAULTS['address_window'],
        help="How long the unknown codes of an IP address are counted together.",
    )
    refill_card_address_wait = fields.Integer(
        string="Wait after each further code",
        config_parameter='refill_cards.address_wait',
        default=DEFAULTS['address_wait'],
        help="How long an IP address waits before the next code.",
    )
    refill_card_typos = fields.Integer(
        string="Typing errors before a lockout",
        config_parameter='refill_cards.typos',
        default=DEFAULTS['typos'],
        help="A customer with as many typing errors within an hour is locked out for the"
        " rest of it; while no customer is named, the user.",
    )
    refill_card_alert = fields.Integer(
        string="Alert threshold: refused codes",
        config_parameter='refill_cards.alert',
        default=DEFAULTS['alert'],
        help="When as many codes are refused within an hour, managers are alerted: somebody may be"
        " guessing.",
    )
    refill_card_person_alert = fields.Integer(
        string="Alert threshold: codes seen by one user",
        config_parameter='refill_cards.person_alert',
        default=DEFAULTS['person_alert'],
        help="When one user looks at or guesses more codes within an hour, managers are alerted.",
    )
    refill_card_attempt_days = fields.Integer(
        string="Keep refused codes for",
        config_parameter='refill_cards.attempt_days',
        default=DEFAULTS['attempt_days'],
        help="Older lines of the list of refused codes are deleted.",
    )

    @api.depends('company_id')
    def _compute_refill_card_key_in_database(self):
        self.refill_card_key_in_database = not self.env['refill.card.key']._get_server_key()

    @api.depends('company_id')
    def _compute_refill_card_journal_ids(self):
        for settings in self:
            lines_sudo = settings.company_id._get_refill_card_method_lines()
            settings.refill_card_journal_ids = lines_sudo.journal_id.sudo(self.env.su)

    @api.depends('company_id', 'refill_card_address', 'refill_card_portal')
    def _compute_refill_card_address(self):
        for settings in self:
            company = settings.company_id
            settings.refill_card_address_default = company.sudo().get_base_url()
            settings.refill_card_address_warning = company._get_refill_card_address_warning()

    @api.constrains(*NUMBER_FIELDS)
    def _check_refill_card_numbers(self):
        for fname in NUMBER_FIELDS:
            if not all(0 < number <= HIGHEST_NUMBER for number in self.mapped(fname)):
                raise ValidationError(
                    self.env._(
                        "“%(setting)s” is a whole number between 1 and %(highest)s.",
                        setting=self._fields[fname]._description_string(self.env),
                        highest=format_count(self.env, HIGHEST_NUMBER),
                    )
                )

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_add_refill_card_journal(self):
        """Add a journal, so that one more redemption is booked at the same time."""
        self.company_id._add_refill_card_journal()
        return {'type': 'ir.actions.client', 'tag': 'soft_reload'}

    def action_open_refill_card_journals(self):
        """Open the journals of the company, also the archived ones."""
        journals = self.env['account.journal'].with_context(active_test=False)
        domain = [
            ('company_id', '=', self.company_id.root_id.id),
            ('books_refill_cards', '=', True),
        ]
        return journals.search(domain)._get_records_action(
            name=self.env._("Journals of Refill Cards"), context={'active_test': False}
        )
