from smtplib import SMTPServerDisconnected

from odoo import models
from odoo.modules import module


class MailMail(models.Model):
    """E-mails with refill cards: they get their cards when they go out, and go out once."""

    _inherit = 'mail.mail'

    def _get_refill_card_sendings(self):
        # sudo: e-mails are sent by anybody and by the queue
        return self.env['refill.card.sending'].sudo().search([('mail_id', 'in', self.ids)])

    def write(self, vals):
        if vals.get('state') == 'cancel':
            self._give_up_refill_cards()
        return super().write(vals)

    def unlink(self):
        self._give_up_refill_cards()
        return super().unlink()

    def _give_up_refill_cards(self):
        waiting = self._get_refill_card_sendings().filtered(lambda s: s.state == 'queued')
        waiting._fail(
            self.env._("The e-mail was taken out of the queue before it was sent."),
            is_started=False,
        )

    def _send(self, auto_commit=False, **kwargs):
        """Send e-mails with refill cards one by one, and only from the queue.

        Elsewhere nothing may be committed, and after a crash the cards would be sent twice.
        """
        sendings = self._get_refill_card_sendings()
        if not sendings or self.env['ir.mail_server']._disable_send():
            return super()._send(auto_commit=auto_commit, **kwargs)
        others = self - sendings.mail_id
        if others:
            super(MailMail, others)._send(auto_commit=auto_commit, **kwargs)
        if not auto_commit and not module.current_test:
            sendings._trigger_queue()
            return True
        for sending in sendings.sorted('id'):
            mail = sending.mail_id
            if mail.state != 'outgoing' or not sending._start(commit=auto_commit):
                continue
            try:
                super(MailMail, mail)._send(auto_commit=auto_commit, **kwargs)
            except SMTPServerDisconnected as error:
                mail.write({'state': 'exception', 'failure_reason': str(error)})
                sending._fail(str(error))
                sendings._trigger_queue()  # for the others
                if auto_commit:
                    self.env.cr.commit()  # pylint: disable=invalid-commit
                raise
        return True

    def _prepare_outgoing_list(self, mail_server=False, doc_to_followers=None):
        """Attach the PDF with the cards, which is nowhere but in memory."""
        emails = super()._prepare_outgoing_list(
            mail_server=mail_server, doc_to_followers=doc_to_followers
        )
        for sending in self._get_refill_card_sendings():
            addresses = [address for email in emails for address in email['email_to_normalized']]
            attachment = sending._prepare_attachment(addresses)
            for email in emails:
                email['attachments'] = [*email['attachments'], attachment]
        return emails

    def _postprocess_sent_message(self, *args, **kwargs):
        """Have the cards say whether the mail server took them."""
        for sending in self._get_refill_card_sendings():
            mail = sending.mail_id
            if mail.state == 'sent':
                sending._finish()
            else:
                sending._fail(mail.failure_reason or self.env._("Unknown error"), is_started=False)
        return super()._postprocess_sent_message(*args, **kwargs)
