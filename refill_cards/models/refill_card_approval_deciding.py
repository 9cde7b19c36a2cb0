from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import AccessError, LockError, UserError

from ..refusals import RefillCardWaits
from .refill_card_approval import OPEN, VALID

# The codes go to who asked for them, who then proves who they are.
DONE_BY_REQUESTER = ('export',)


class RefillCardApproval(models.Model):
    """Who decides, and how what was approved is done: once, and exactly that."""

    _inherit = 'refill.card.approval'

    can_decide = fields.Boolean(compute='_compute_can_decide')
    is_own = fields.Boolean(compute='_compute_can_decide')

    @api.depends('requester_id', 'guarding_company_ids', 'person_ids')
    @api.depends_context('uid')
    def _compute_can_decide(self):
        for approval in self:
            # sudo: to compare
            approval.can_decide = self.env.user in approval.sudo()._get_approvers()
            approval.is_own = approval.requester_id == self.env.user

    def _get_approvers(self):
        """Return who may approve it: managers of the companies who are another person.

        Who asked was one person with others then, or is now: each changes the own e-mail address.

        :rtype: res.users
        """
        approvers = self._find_approvers(self.guarding_company_ids, self.requester_id)
        return approvers - self.person_ids

    @api.model
    def _find_approvers(self, companies, requester):
        return companies._get_refill_card_managers() - requester._get_same_person()

    @api.model
    def _check_anybody_may_decide(self, companies):
        """:raise UserError: when nobody could approve what the user asks for."""
        if not self._find_approvers(companies, self.env.user):
            raise UserError(
                self.env._(
                    "This needs the approval of another manager of %(company)s, and there is none."
                    " Have a second person given the right to manage refill cards.",
                    company=', '.join(companies.sudo().mapped('name')),  # sudo: to name them
                )
            )

    # -------------------------------------------------------------------------
    # DECIDING
    # -------------------------------------------------------------------------

    def action_approve(self):
        """Approve it, so that it is done; Odoo asks for the password first."""
        self.ensure_one()
        self._check_may_decide()
        known = self.env['refill.card']._is_identity_checked()
        return self._approve() if known else self._approve_once_known()

    @check_identity
    def _approve_once_known(self):
        return self._approve()

    def _approve(self):
        self._check_may_decide()
        approval_sudo = self._begin('waiting')
        approval_sudo._end('approved')
        if self.kind not in DONE_BY_REQUESTER:
            approval_sudo._run()
        approval_sudo._tell_decided()

    def action_refuse(self):
        """Refuse it: nothing happens."""
        self.ensure_one()
        self._check_may_decide()
        approval_sudo = self._begin('waiting')
        approval_sudo._end('refused')
        approval_sudo._tell_decided()

    def action_withdraw(self):
        """Take back what one asked for, as long as it was not done."""
        self.ensure_one()
        self._check_own()
        self._begin(*OPEN)._end('withdrawn')

    def _check_may_decide(self):
        """:raise AccessError: when the user is no other manager."""
        self.check_access('read')
        if self.env.user not in self.sudo()._get_approvers():  # sudo: to compare
            raise AccessError(
                self.env._(
                    "Another manager of %(company)s decides this: not who asked for it, nor the"
                    " same person with another login.",
                    # sudo: to name them
                    company=', '.join(self.sudo().guarding_company_ids.mapped('name')),
                )
            )

    def _check_own(self):
        """:raise AccessError: when another user asked for it."""
        self.check_access('read')
        if self.requester_id != self.env.user:
            raise AccessError(self.env._("Only who asked for it does this."))

    def _begin(self, *states):
        """Keep others from deciding it, and return it as superuser.

        :param str states: in which it must be.
        :raise UserError: when it was decided, has lapsed, or somebody else is just deciding it.
        """
        approval_sudo = self.sudo()  # sudo: nobody writes approvals by hand
        try:
            approval_sudo.lock_for_update(allow_referencing=True)
        except LockError:
            raise UserError(
                self.env._("Somebody else is just deciding this. Please try again in a moment.")
            ) from None
        if approval_sudo.state in OPEN and approval_sudo._is_over():
            raise UserError(self.env._("This has lapsed: a day has passed. Please ask again."))
        if approval_sudo.state not in states:
            labels = dict(self._fields['state']._description_selection(self.env))
            raise UserError(
                self.env._(
                    "This cannot be done any more. Its status is: %(status)s.",
                    status=labels[approval_sudo.state],
                )
            )
        return approval_sudo

    def _is_over(self):
        return self.deadline <= fields.Datetime.now()

    def _end(self, state):
        """Note what was decided, and that nobody needs to decide it any more.

        :param str state: a key of ``STATES``.
        """
        now = fields.Datetime.now()
        values = {'state': state}
        if state in ('approved', 'refused'):
            values.update(decided_by_id=self.env.uid, decided_on=now)
        if state == 'approved':
            values['deadline'] = now + VALID
        self.write(values)
        if state != 'approved':
            self._drop()
        self.activity_unlink(['mail.mail_activity_data_todo'])
        self._log_decision()

    @api.model
    def _cron_lapse(self):
        """Let lapse what was not approved, or not done, within a day."""
        over = [('state', 'in', OPEN), ('deadline', '<=', fields.Datetime.now())]
        for approval in self.search(over):
            locked = approval.try_lock_for_update()
            locked.invalidate_recordset(['state', 'deadline'])
            # It may have been decided while others lapsed.
            if locked.state in OPEN and locked._is_over():
                approval._end('lapsed')
                approval._tell_decided()
            if not self.env['ir.cron']._commit_progress(1):
                break

    # -------------------------------------------------------------------------
    # DOING IT
    # -------------------------------------------------------------------------

    def action_run(self):
        """Do what was approved; Odoo asks for the password first."""
        self.ensure_one()
        known = self.env['refill.card']._is_identity_checked()
        return self._run_own() if known else self._run_once_known()

    @check_identity
    def _run_once_known(self):
        return self._run_own()

    def _run_own(self):
        self._check_own()
        return self._begin('approved')._run()

    def _run(self):
        """Do it as who asked for it, with their rights of now, where and as they asked for it.

        :return: what the user sees next.
        :raise UserError: when it cannot be done any more, or something has changed.
        """
        if not self.requester_id.active:
            raise UserError(self.env._("Who asked for this works here no more."))
        context = {**self.asked_in, 'refill_card_approval': True}
        asked = self.with_env(self.env(user=self.requester_id, su=False, context=context))
        try:
            result = getattr(asked, f'_run_{self.operation}')()
        except RefillCardWaits:
            self._raise_changed()
        if self.state != 'done' and not self._waits_for_password():
            self._raise_changed()
        return result
