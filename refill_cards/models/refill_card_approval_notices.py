from odoo import models
from odoo.fields import Command


class RefillCardApproval(models.Model):
    """Who is told: those who may approve it, who asked for it, and the audit log."""

    _inherit = 'refill.card.approval'

    def _tell_asked(self):
        """Give each who may approve it an activity and an e-mail."""
        self._log(self.env._("Approval asked for"))
        template = self.env.ref('refill_cards.mail_template_approval_asked')
        for user in self._get_approvers():
            # Without Odoo's own e-mail about a new activity, which would be the second one.
            approval = self.with_context(lang=user.lang, mail_activity_quick_update=True)
            approval.activity_schedule(
                'mail.mail_activity_data_todo',
                user_id=user.id,
                summary=approval.env._("Approve or refuse: %(summary)s", summary=self.summary),
            )
            approval._mail(template, user)

    def _tell_decided(self):
        """Tell who asked what was decided, in Odoo and by e-mail."""
        user = self.requester_id
        approval = self.with_context(lang=user.lang)
        labels = dict(self._fields['state']._description_selection(approval.env))
        user._tell_refill_cards_done(
            f'{labels[self.state]}: {self.summary}',
            approval.env._("Open"),
            approval._get_window_action(),
            success=self.state in ('approved', 'done'),
        )
        approval._mail(self.env.ref('refill_cards.mail_template_approval_decided'), user)

    def _mail(self, template, user):
        """:param res.users user: to whom."""
        template.sudo().with_context(approval_lang=user.lang, approval_user=user.name).send_mail(
            self.id, email_values={'recipient_ids': [Command.link(user.partner_id.id)]}
        )

    # -------------------------------------------------------------------------
    # AUDIT LOG
    # -------------------------------------------------------------------------

    def _log_decision(self):
        labels = dict(self._fields['state']._description_selection(self.env))
        self._log(self.env._("Approval: %(decision)s", decision=labels[self.state].lower()))

    def _log(self, what):
        """Write into the audit log what happened, by the user.

        :param str what: without anybody's name.
        """
        about = self.res_model == 'refill.card.series' and self.res_id
        self.env['refill.card.event']._write_down(
            self.company_id,
            self.name,
            f'{what}: {self.summary}',
            series_id=about or None,
            reference=self.name,
            amount=self.amount,
            currency_id=self.currency_id.id,
        )
