import hashlib
import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain
from odoo.tools import SQL

from ..refusals import RefillCardWaits

# What has a limit of its own in the settings of a company.
LIMITED = [
    ('generation', "Generation"),
    ('activation', "Activation"),
    ('export', "Export with Codes"),
    ('undo', "Undoing a Redemption"),
    ('import', "Import"),
    ('sale_on_account', "Sale on Account"),
]
KINDS = [*LIMITED, ('limits', "Change of the Limits")]
STATES = [
    ('waiting', "Waiting"),
    ('approved', "Approved"),
    ('done', "Done"),
    ('refused', "Refused"),
    ('withdrawn', "Withdrawn"),
    ('lapsed', "Lapsed"),
]
OPEN = ('waiting', 'approved')
VALID = timedelta(days=1)


class RefillCardApproval(models.Model):
    """What one manager asked for, and another approves: the one place where operations wait.

    An approval is used up by exactly what was asked for: with the same arguments, and the same
    cards as they were.

    Whatever may wait calls :meth:`_require` before it does anything, and its doors, which people
    and programs come in by, call it by :meth:`_try`.
    """

    _name = 'refill.card.approval'
    _description = "Approval by a Second Manager"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _mail_post_access = 'read'
    _order = 'id desc'

    name = fields.Char(string="Reference", required=True, readonly=True)
    kind = fields.Selection(selection=KINDS, string="Operation", required=True, readonly=True)
    summary = fields.Char(string="What Happens", required=True, readonly=True)
    facts = fields.Text(groups=fields.NO_ACCESS, help="Lines that name nobody: see the details.")
    company_id = fields.Many2one(
        comodel_name='res.company', required=True, readonly=True, index=True
    )
    currency_id = fields.Many2one(related='company_id.currency_id')
    amount = fields.Monetary(string="Value", readonly=True)
    day_amount = fields.Monetary(
        string="Value within a Day",
        readonly=True,
        help="What the same person did within the 24 hours before, with this.",
    )
    card_count = fields.Integer(string="Cards", readonly=True)
    requester_id = fields.Many2one(
        comodel_name='res.users', string="Asked by", required=True, readonly=True
    )
    state = fields.Selection(
        selection=STATES, string="Status", required=True, readonly=True, default='waiting'
    )
    deadline = fields.Datetime(
        string="Lapses on",
        required=True,
        readonly=True,
        help="A day after it was asked for, or after it was approved and not done yet.",
    )
    decided_by_id = fields.Many2one(comodel_name='res.users', string="Decided by", readonly=True)
    decided_on = fields.Datetime(string="Decided on", readonly=True)
    done_on = fields.Datetime(string="Done on", readonly=True)
    res_model = fields.Char(readonly=True, help="The model of what it is about.")
    res_id = fields.Many2oneReference(model_field='res_model', string="About", readonly=True)
    guarding_company_ids = fields.Many2many(
        comodel_name='res.company',
        groups=fields.NO_ACCESS,
        help="Whose limits it reaches: whoever approves it manages the cards of each of them.",
    )
    person_ids = fields.Many2many(
        comodel_name='res.users',
        groups=fields.NO_ACCESS,
        help="All logins of who asked, as they were then.",
    )
    # What exactly is done, for the program alone.
    operation = fields.Char(string="Method", required=True, groups=fields.NO_ACCESS)
    arguments = fields.Json(groups=fields.NO_ACCESS)
    selection = fields.Json(
        groups=fields.NO_ACCESS, help="The cards: ranges of ids, and a digest of what they are."
    )
    digest = fields.Char(required=True, groups=fields.NO_ACCESS)
    asked_in = fields.Json(
        groups=fields.NO_ACCESS, help="Language, time zone and companies of who asked."
    )

    _waiting_idx = models.Index("(deadline) WHERE state IN ('waiting', 'approved')")

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("What was asked for and approved cannot be deleted."))

    # -------------------------------------------------------------------------
    # ASKING
    # -------------------------------------------------------------------------

    @api.model
    def _require(
        self,
        kind,
        operation,
        companies,
        amounts,
        arguments,
        summary,
        details=None,
        recipients=None,
        cards=None,
        record=None,
        always=False,
    ):
        """Let an operation go on that needs no approval, or has got it; else it waits.

        The caller has checked that the user may do it, and has changed nothing yet. Superusers ask
        nobody: code that another addon trusts with everything decides itself, and what it does for
        a customer, such as cards made for a web shop, cannot wait.

        :param str kind: a key of ``KINDS``.
        :param str operation: the method ``_run_<operation>`` does it once it is approved.
        :param res.company companies: whose limits count.
        :param dict[res.currency, float] amounts: what is at stake.
        :param dict arguments: for JSON: all that decides what happens, beside the cards.
        :param str summary: a sentence, without a code or anybody's name.
        :param str details: lines that whoever approves reads, without anybody's name.
        :param res.partner recipients: to whom codes go by e-mail, which they read, too.
        :param odoo.fields.Domain cards: of which cards; they must not change until it is done.
        :param record: what the approval opens.
        :param bool always: whatever the limits.
        :return: the approval by which it goes on, if it needs one.
        :rtype: refill.card.approval
        :raise RefillCardWaits: when another manager has to approve it first.
        """
        if self.env.su or not (always or self._concerns(companies, kind)):
            return self.browse()
        selection = cards if cards is None else self._freeze(cards)
        digest = self._get_digest(operation, arguments, selection)
        if approved := self._take_approved(digest):
            return approved
        totals = {
            company_sudo: None if always else self._count(kind, company_sudo, amounts)
            for company_sudo in self._get_one_a_root(companies)
        }
        guarding = [each for each, total in totals.items() if always or total is not None]
        if not guarding:
            return self.browse()
        raise RefillCardWaits(
            self.env._(
                "%(summary)s: this waits until another manager approves it. Ask for that by"
                " doing it by itself, in its own window.",
                summary=summary,
            ),
            {
                'kind': kind,
                'operation': operation,
                'company_id': guarding[0].id,
                'guarding_company_ids': [Command.set([each.id for each in guarding])],
                'amount': self._get_value(amounts, guarding[0])[0],
                'day_amount': totals[guarding[0]],
                'card_count': selection and selection['count'],
                'summary': summary,
                'facts': self._describe_guarding(details, guarding),
                'recipient_ids': self._prepare_recipients(recipients or self.env['res.partner']),
                'arguments': arguments,
                'selection': selection,
                'digest': digest,
                'res_model': record and record._name,
                'res_id': record and record.id,
            },
        )

    @api.model
    def _describe_guarding(self, details, guarding):
        """Return the details, and where whoever approves it manages cards, if in several companies.

        :param str details: lines.
        :param list[res.company] guarding: whose limits are reached.
        :rtype: str
        """
        if len(guarding) == 1:
            return details
        names = ', '.join(company.name for company in guarding)
        companies = self.env._("Needs a manager of: %(companies)s", companies=names)
        return '\n'.join(filter(None, [details, companies]))

    @api.model
    def _concerns(self, companies, *kinds):
        """Return whether something may have to wait, or was approved: looked at before all else.

        :param res.company companies: whose limits count.
        :param str kinds: keys of ``LIMITED``.
        """
        return not self.env.su and (
            # Only that it is looked at: what is done by an approval uses it up.
            bool(self.env.context.get('refill_card_approval'))
            or any(each._has_refill_card_limit(kind) for each in companies for kind in kinds)
        )

    @api.model
    def _take_approved(self, digest):
        """Use up the approval for exactly this, if the user has got it within the last day.

        :param str digest: see :meth:`_get_digest`.
        :rtype: refill.card.approval
        """
        # sudo: nobody writes approvals by hand
        approval_sudo = self.sudo().search(self._get_same_domain('approved', digest), limit=1)
        if approval_sudo:
            approval_sudo._begin('approved')
            approval_sudo.write({'state': 'done', 'done_on': fields.Datetime.now()})
        return approval_sudo.sudo(False)

    @api.model
    def _get_same_domain(self, state, digest):
        """Return the domain of the user's approvals for exactly the same that have not lapsed."""
        return Domain(
            [
                ('requester_id', '=', self.env.uid),
                ('digest', '=', digest),
                ('state', '=', state),
                ('deadline', '>', fields.Datetime.now()),
            ]
        )

    def _raise_changed(self):
        raise UserError(
            self.env._(
                "Something has changed since this was asked for, such as one of the cards or the"
                " invoice. Nothing was done: withdraw it, and ask again."
            )
        )

    @api.model
    def _get_digest(self, operation, arguments, selection):
        """Return a digest of exactly what is done.

        :rtype: str
        """
        told = [operation, arguments, selection]
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @api.model
    def _try(self, function):
        """Call a function that may have to wait, and ask for the approval where it has to.

        Nothing stays then of what the function did.

        :param function: called without arguments.
        :return: the approval, empty when nothing waits, and what the function returned.
        :rtype: tuple[refill.card.approval, object]
        :raise UserError: when there is nobody who could approve.
        """
        try:
            with self.env.cr.savepoint():
                return self.browse(), function()
        except RefillCardWaits as waits:
            return self._ask(waits.request), None

    @api.model
    def _ask(self, request):
        """Return the approval that is asked for: a new one, or the same that still waits.

        :param dict request: its values.
        :rtype: refill.card.approval
        :raise UserError: when there is nobody who could approve.
        """
        same = self._get_same_domain('waiting', request['digest'])
        # sudo: nobody writes approvals by hand
        approval_sudo = self.sudo().search(same, limit=1)
        if not approval_sudo:
            [(_set, _id, guarding_ids)] = request['guarding_company_ids']
            self._check_anybody_may_decide(self.env['res.company'].browse(guarding_ids))
            approval_sudo = self.sudo().create(self._prepare_values(request))
            approval_sudo._tell_asked()
        return approval_sudo.sudo(False)

    @api.model
    def _prepare_values(self, request):
        """Return the values of a new approval."""
        return {
            **request,
            'name': self.env['refill.card']._next_reference(),
            'requester_id': self.env.uid,
            'person_ids': [Command.set(self.env.user._get_same_person().ids)],
            'deadline': fields.Datetime.now() + VALID,
            'asked_in': {
                'lang': self.env.lang,
                'tz': self.env.tz,
                'allowed_company_ids': self.env.companies.ids,
            },
        }

    # -------------------------------------------------------------------------
    # LIMITS
    # -------------------------------------------------------------------------

    @api.model
    def _get_one_a_root(self, companies):
        """Return of each root company, which has the limits, the first of these companies.

        :param res.company companies: which may be branches of one another.
        :rtype: res.company
        """
        roots = companies.sudo().grouped('root_id')  # sudo: whoever asks
        return self.env['res.company'].sudo().union(*(each[:1] for each in roots.values()))

    @api.model
    def _count(self, kind, company, amounts):
        """Count what the user is about to do, unless it reaches the limit with all of the last day.

        :param res.company company: whose limit it is.
        :param dict[res.currency, float] amounts: what is at stake.
        :return: None when it may go on, else what it would be within the day.
        :rtype: float | None
        """
        if not company._has_refill_card_limit(kind):
            return None
        totals_sudo = self.env['refill.card.approval.total'].sudo()  # sudo: nobody has access
        company = company.sudo().root_id  # sudo: whose settings count for its branches
        amount, is_certain = self._get_value(amounts, company)
        total = totals_sudo._get(company, kind) + amount
        if is_certain and company._is_within_refill_card_limit(kind, total):
            totals_sudo._add(company, kind, amount)
            return None
        return total

    @api.model
    def _exceeds(self, kind, companies, amounts):
        """Return whether this would wait where nobody can ask for an approval; else it counts.

        :rtype: bool
        """
        if self.env.su:
            return False
        return any(
            self._count(kind, company_sudo, amounts) is not None
            for company_sudo in self._get_one_a_root(companies)
        )

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    @api.model
    def _freeze(self, domain):
        # sudo: the caller chose them among those of the user
        return self.env['refill.card'].sudo()._freeze(domain)

    def _get_frozen_domain(self):
        """Return the domain of the cards that were asked for, and of no others.

        :rtype: odoo.fields.Domain
        """
        ranges = json.dumps(self.sudo().selection['ranges'])  # sudo: for the program alone

        def is_frozen(_model, alias, _query):
            return SQL(
                "%s IN (SELECT generate_series((ends ->> 0)::int, (ends ->> 1)::int)"
                " FROM jsonb_array_elements(%s::jsonb) AS ends)",
                SQL.identifier(alias, 'id'),
                ranges,
            )

        return Domain.custom(to_sql=is_frozen)

    def _check_unchanged(self, domain):
        """Check that a domain still finds the cards that were approved, as they were.

        :raise UserError: when one of them changed, or there are others.
        """
        sudo = self.sudo()  # sudo: for the program alone
        selection = self._freeze(domain)
        if sudo.digest != self._get_digest(sudo.operation, sudo.arguments, selection):
            self._raise_changed()

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def _get_window_action(self):
        """Return the action that shows the approval."""
        return self._get_records_action(name=self.env._("Waits for Another Manager"))

    def _describe_waiting(self):
        return self.env._(
            "This waits until another manager approves it: see approval %(name)s.", name=self.name
        )

    def action_open(self):
        """Open what it is about.

        :raise UserError: when that is gone.
        """
        self.ensure_one()
        record = self.env[self.res_model].browse(self.res_id).exists()
        if not record:
            raise UserError(self.env._("It is not there any more."))
        return record._get_records_action()
