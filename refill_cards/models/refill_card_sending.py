from markupsafe import escape
from odoo import api, fields, models
from odoo.exceptions import LockError, UserError
from odoo.tools import formataddr

from .erasure import filter_erased
from .visible_fields import VisibleMany2one

STATES = [('queued', "Queued"), ('sent', "Sent"), ('failed', "Failed")]


class RefillCardSending(models.Model):
    """Cards that go to one customer by one e-mail of Odoo's queue.

    The e-mail waits without the cards. Their PDF is made in memory when the e-mail is handed to the
    mail server, so that codes are never in a table or on a disk. Before that it is written down
    that the e-mail is going out: after a crash nobody knows whether it did, and it does not go
    again by itself.
    """

    _name = 'refill.card.sending'
    _description = "Refill Cards Sent by E-mail"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _mail_post_access = 'read'
    _order = 'id desc'

    name = fields.Char(string="File Name", required=True, readonly=True)
    partner_id = VisibleMany2one(
        comodel_name='res.partner', string="Customer", readonly=True, index='btree_not_null'
    )
    email = fields.Char(string="E-mail", readonly=True, help="Empty once the customer was erased.")
    company_id = fields.Many2one(
        comodel_name='res.company', string="Issued by", required=True, readonly=True, index=True
    )
    layout_id = fields.Many2one(
        comodel_name='refill.card.layout', required=True, readonly=True, ondelete='restrict'
    )
    card_ids = fields.One2many(
        comodel_name='refill.card',
        inverse_name='sending_id',
        string="Cards",
        readonly=True,
        help="Those that no later e-mail took.",
    )
    card_count = fields.Integer(string="Number of Cards", readonly=True)
    state = fields.Selection(
        selection=STATES,
        string="Status",
        required=True,
        readonly=True,
        default='queued',
        help="Sent means that the mail server took the e-mail.",
    )
    problem = fields.Char(readonly=True, help="What the mail server said.")
    sent_on = fields.Datetime(string="Sent on", readonly=True)
    # It stays when no answer of the mail server is known: the e-mail may have arrived.
    is_started = fields.Boolean(readonly=True)
    mail_id = fields.Many2one(
        comodel_name='mail.mail', readonly=True, index='btree_not_null', ondelete='set null'
    )
    email_formatted = fields.Char(compute='_compute_email_formatted')
    text_direction = fields.Char(compute='_compute_text_direction')

    @api.depends('email', 'partner_id.name')
    def _compute_email_formatted(self):
        for sending in self:
            sending.email_formatted = formataddr((sending.partner_id.name, sending.email))

    @api.depends('partner_id.lang')
    def _compute_text_direction(self):
        """Follow the customer's language, as far as the text of the e-mail is in it."""
        template_sudo = self._get_template_sudo()
        english = template_sudo.with_context(lang='en_US').body_html
        for sending in self:
            lang = sending.partner_id.lang
            is_translated = template_sudo.with_context(lang=lang).body_html != english
            language = self.env['res.lang']._lang_get(lang)
            sending.text_direction = is_translated and language.direction or 'ltr'

    @api.model
    def _get_template_sudo(self):
        # sudo: what the template may show is decided by who may send
        return self.env.ref('refill_cards.mail_template_refill_card_sending').sudo()

    def unlink(self):
        """Let a person be erased, who is then not named any more; nothing else is deleted.

        :raise UserError: in every other case.
        """
        erased = filter_erased(self)
        erased.mail_id.unlink()
        erased.activity_unlink(['mail.mail_activity_data_warning'])
        erased.write({'partner_id': False, 'email': False, 'message': False, 'problem': False})
        return super(RefillCardSending, self - erased).unlink()

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("What was sent by e-mail cannot be deleted."))

    # -------------------------------------------------------------------------
    # QUEUEING
    # -------------------------------------------------------------------------

    def _prepare_values(self, cards, partner, layout):
        """Return the values of the e-mail with these cards.

        :param refill.card cards: of one issuer.
        :param res.partner partner: the customer.
        :param refill.card.layout layout: the face of the cards.
        """
        numbers = cards.mapped('number')
        exports = self.env['refill.card.export']
        name = exports._get_file_name(cards.series_id, min(numbers), max(numbers))
        return {
            'name': f'{name}.pdf',
            'partner_id': partner.id,
            'email': partner.email_normalized,
            'company_id': cards.series_id.company_id.id,
            'layout_id': layout.id,
            'card_count': len(cards),
        }

    def _queue(self):
        """Put the e-mails into Odoo's queue, without the cards.

        :raise UserError: when a card does not fit on the layout.
        """
        for sending in self:
            sending._draw()  # to refuse now what cannot be printed
        mails = self._get_template_sudo().send_mail_batch(
            self.ids,
            email_values={
                # Nobody shall be shown the message as one of a document that they see.
                'model': False,
                'res_id': False,
                # Codes go to the customer alone, whatever the template says.
                'recipient_ids': False,
                'email_cc': False,
                'auto_delete': True,
            },
        )
        for sending_sudo, mail in zip(self.sudo(), mails, strict=True):
            mail.email_to = sending_sudo.email_formatted
            sending_sudo.mail_id = mail
        self._log(self.env._("Queued to be sent by e-mail"))
        self._trigger_queue()

    @api.model
    def _trigger_queue(self):
        # sudo: anybody may have e-mails sent
        self.env.ref('mail.ir_cron_mail_scheduler_action').sudo()._trigger()

    def _replace(self):
        """Take back e-mails all of whose cards are in later ones.

        :raise UserError: when one of them is just going out.
        """
        sendings_sudo = self.sudo()  # sudo: nobody writes what was sent by hand
        try:
            sendings_sudo.lock_for_update()
        except LockError:
            raise UserError(
                self.env._(
                    "An e-mail with one of these cards is just going out. Please try again in a"
                    " minute."
                )
            ) from None
        empty = sendings_sudo.filtered(lambda sending: not sending.card_ids)
        empty.filtered(lambda sending: sending.state == 'queued').write(
            {'state': 'failed', 'problem': self.env._("Another e-mail took its place.")}
        )
        empty.activity_unlink(['mail.mail_activity_data_warning'])
        empty.mail_id.unlink()

    # -------------------------------------------------------------------------
    # HANDING OVER TO THE MAIL SERVER
    # -------------------------------------------------------------------------

    def _start(self, commit):
        """Write down that the e-mail is going out, and return whether it may.

        :param bool commit: whether a crash must find that written down.
        """
        self.ensure_one()
        if not self.try_lock_for_update():
            return False  # it is going out elsewhere
        if self.is_started and self.state == 'queued':
            self._fail(
                self.env._(
                    "The server stopped while the e-mail went out: it may have arrived. Ask the"
                    " customer before you send it again."
                )
            )
            return False
        self.write({'is_started': True, 'state': 'queued', 'problem': False})
        if commit:
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.invalidate_recordset()
            return bool(self.try_lock_for_update()) and self.state == 'queued'
        return True

    def _prepare_attachment(self, addresses):
        """Return the cards as the attachment of the e-mail that is going out.

        :param list[str] addresses: where the e-mail goes.
        :rtype: tuple[str, bytes, str]
        :raise UserError: when they may not be sent any more.
        """
        self.ensure_one()
        cards = self.create_uid._take_over(self.card_ids, self.company_id)
        cards.series_id._check_may_export()
        if addresses != [self.email]:
            raise UserError(cards.env._("The e-mail address was changed in the meantime."))
        if len(cards) != self.card_count:
            raise UserError(
                cards.env._(
                    "Some of the cards were deleted or sent by another e-mail in the meantime."
                )
            )
        cards._check_sendable()
        return (self.name, self._draw(), 'application/pdf')

    def _draw(self):
        """Return the cards as PDF, each on a page of its own size.

        :rtype: bytes
        :raise UserError: when a card does not fit on the layout.
        """
        lang = self.partner_id.lang or self.env.lang
        return self.card_ids._draw(self.layout_id.with_context(lang=lang))

    def _finish(self):
        """Note that the mail server took the e-mail."""
        self.write({'state': 'sent', 'sent_on': fields.Datetime.now(), 'problem': False})
        self.activity_unlink(['mail.mail_activity_data_warning'])
        self._log(self.env._("Sent by e-mail"))

    def _fail(self, problem, is_started=True):
        """Note that an e-mail was not sent, and tell whoever sent it.

        :param str problem: why, in the words of the mail server if it said anything.
        :param bool is_started: whether it may have arrived all the same.
        """
        for sending in self:
            responsible = sending._get_responsible()
            sending = sending.with_context(lang=responsible.lang, mail_activity_quick_update=True)
            sending.write({'state': 'failed', 'problem': problem, 'is_started': is_started})
            if sending.mail_id.state == 'outgoing':
                sending.mail_id.write({'state': 'exception', 'failure_reason': problem})
            sending._log(sending.env._("Not sent by e-mail"))
            sending.activity_unlink(['mail.mail_activity_data_warning'])
            sending.activity_schedule(
                'mail.mail_activity_data_warning',
                user_id=responsible.id,
                summary=sending.env._("The e-mail with refill cards was not sent"),
                note=escape(problem),
            )

    def _get_responsible(self):
        return self.create_uid

    def _log(self, note):
        """Write into the audit log of the cards what became of their e-mail."""
        for sending in self:
            cards = sending.card_ids.with_user(sending.create_uid)
            cards._log_sending(note, sending.partner_id)

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_send_again(self):
        """Open the window that sends the cards again."""
        return self.card_ids.action_send()
