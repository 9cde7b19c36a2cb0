import base64

from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import LockError, UserError

from .. import photo
from ..codes import TYPED_LENGTH
from .refill_card import STATES as CARD_STATES
from .visible_fields import VisibleMany2one

STATES = [('open', "Waiting"), ('replaced', "Replaced"), ('refused', "Refused")]
# Of one customer, before somebody has decided on them.
MAX_OPEN = 3
MAX_PLACE = 200
# Of the file with the photo.
MAX_MEGABYTES = 10
ACTIVITY = 'mail.mail_activity_data_todo'


class RefillCardReplacementRequest(models.Model):
    """A customer asks for another card in the portal, and managers decide.

    Nothing but canaries is looked up meanwhile: the customer gets the same answer whatever was
    typed.
    """

    _name = 'refill.card.replacement.request'
    _description = "Request for Another Refill Card"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _mail_post_access = 'read'
    _order = 'id desc'

    name = fields.Char(string="Request", required=True, readonly=True)
    partner_id = VisibleMany2one(
        comodel_name='res.partner',
        string="Customer",
        required=True,
        readonly=True,
        index=True,
        ondelete='cascade',
    )
    company_id = fields.Many2one(
        comodel_name='res.company', required=True, readonly=True, index=True, ondelete='cascade'
    )
    state = fields.Selection(
        selection=STATES, string="Status", required=True, readonly=True, default='open'
    )
    serial = fields.Char(
        string="Serial Number", readonly=True, help="As the customer read it; maybe not a card's."
    )
    # A part of a code does not reach a table in clear.
    characters_sealed = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    has_characters = fields.Boolean(
        string="Part of the Code", compute='_compute_has_characters', compute_sudo=True
    )
    bought_at = fields.Char(string="Bought at", readonly=True)
    bought_on = fields.Date(string="Bought on", readonly=True)
    receipt = fields.Image(string="Photo of the Receipt", readonly=True)
    found_id = fields.Many2one(
        comodel_name='refill.card',
        string="Card",
        compute='_compute_found_id',
        help="The card with this serial number, or the one that was replaced.",
    )
    found_state = fields.Selection(
        selection=CARD_STATES, string="Status of the Card", compute='_compute_found_id'
    )
    found_holder_id = fields.Many2one(
        comodel_name='res.partner', string="Holder", compute='_compute_found_id'
    )
    is_of_another = fields.Boolean(
        compute='_compute_found_id', help="Whether the card was sold to somebody else."
    )
    card_id = VisibleMany2one(
        comodel_name='refill.card', string="Replaced Card", readonly=True, ondelete='set null'
    )
    new_card_id = fields.Many2one(
        related='card_id.replaced_by_id', related_sudo=False, string="New Card"
    )
    answer = fields.Text(readonly=True, help="Why it was refused, as the customer was told.")
    decided_by_id = fields.Many2one(comodel_name='res.users', readonly=True)
    decided_on = fields.Datetime(readonly=True)

    @api.depends('characters_sealed')
    def _compute_has_characters(self):
        for request in self:
            request.has_characters = bool(request.characters_sealed)

    @api.depends('serial', 'card_id')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_found_id(self):
        cards = self.env['refill.card']
        for request in self:
            found = request.card_id or cards._find_by_serial(request.serial or '')
            request.found_id = found
            request.found_state = found.state
            request.found_holder_id = found.holder_id
            request.is_of_another = found.terms == 'sold' and (
                bool(found.holder_id - request.partner_id.commercial_partner_id)
            )

    # -------------------------------------------------------------------------
    # ASKING
    # -------------------------------------------------------------------------

    @api.model
    def _ask(self, partner, company, typed, place, day, content):
        """Note that a customer asks for another card, and tell the managers.

        :param res.partner partner: the customer.
        :param res.company company: which is asked.
        :param str typed: a serial number, or what can be read of a code.
        :param str place: where the card was bought.
        :param str day: when, as the browser sends it.
        :param bytes content: the file with a photo of the receipt; may be empty.
        :rtype: refill.card.replacement.request
        :raise UserError: when something is missing or wrong, or too many are open.
        """
        self._check_open(partner)
        request = self.create(
            {
                **self._prepare_values(typed, place, day, company._get_refill_card_day(partner)),
                'receipt': self._read_receipt(content),
                'name': self.env['ir.sequence'].next_by_code(self._name),
                'partner_id': partner.id,
                'company_id': company.id,
            }
        )
        request._tell_managers()
        return request

    @api.model_create_multi
    def create(self, vals_list):
        # Whoever asks does not follow what staff say about it.
        quiet = {'mail_create_nosubscribe': True, 'mail_create_nolog': True}
        return super(RefillCardReplacementRequest, self.with_context(**quiet)).create(vals_list)

    @api.model
    def _check_open(self, partner):
        """:raise UserError: when a customer waits for too many answers."""
        customer = partner.commercial_partner_id
        waiting = [('partner_id.commercial_partner_id', '=', customer.id), ('state', '=', 'open')]
        if self.search_count(waiting, limit=MAX_OPEN) >= MAX_OPEN:
            raise UserError(
                self.env._(
                    "You have asked for %(count)s cards already. Please wait until we have"
                    " answered, or call us.",
                    count=MAX_OPEN,
                )
            )

    @api.model
    def _prepare_values(self, typed, place, day, today):
        """Return the values of a request from what somebody typed.

        :param datetime.date today: where the customer is.
        """
        # PostgreSQL takes no NUL, which no keyboard types.
        typed, place = (text.replace('\0', '').strip() for text in (typed, place))
        if not typed or len(typed) > TYPED_LENGTH:
            raise UserError(
                self.env._(
                    "Please type the serial number of the card, or what can still be read of its"
                    " code."
                )
            )
        if not place or len(place) > MAX_PLACE:
            raise UserError(self.env._("Please say in a few words where you bought the card."))
        try:
            bought_on = fields.Date.to_date(day)
        except ValueError:
            bought_on = None
        if not bought_on or bought_on > today:
            raise UserError(self.env._("Please say on which day you bought the card."))
        values = {'bought_at': place, 'bought_on': bought_on}
        if self.env['refill.card']._is_serial(typed):
            return {**values, 'serial': typed}
        self.env['refill.card.canary']._catch(typed, 'portal')
        sealer = self.env['refill.card.key']._get_sealer()
        return {**values, 'characters_sealed': sealer.seal(typed)}

    @api.model
    def _read_receipt(self, content):
        """Return the photo that a customer sent, made anew, as a field takes it.

        :param bytes content: the file; may be empty.
        """
        if not content:
            return False
        try:
            if len(content) > MAX_MEGABYTES * 1024**2:
                raise photo.NoPhoto
            return base64.b64encode(photo.remake(content))
        except photo.NoPhoto:
            raise UserError(
                self.env._(
                    "The photo of the receipt cannot be read. Please choose a JPEG or PNG picture"
                    " of up to %(megabytes)s MB.",
                    megabytes=MAX_MEGABYTES,
                )
            ) from None

    def _tell_managers(self):
        """Give the managers of the company's cards an activity each."""
        for manager in self.company_id._get_refill_card_managers():
            # Without an e-mail, as customers could send many.
            request = self.with_context(lang=manager.lang, mail_activity_quick_update=True)
            request.activity_schedule(
                ACTIVITY,
                user_id=manager.id,
                summary=request.env._("A customer asks for another refill card"),
            )

    # -------------------------------------------------------------------------
    # DECIDING
    # -------------------------------------------------------------------------

    def _decide(self, state, **values):
        """Answer the request, once, and tell the customer.

        :param str state: ``replaced`` or ``refused``.
        :raise UserError: when somebody else decides, or has decided.
        """
        self.ensure_one()
        self.check_access('read')
        request_sudo = self.sudo()  # sudo: requests are changed by no hand
        try:
            request_sudo.lock_for_update(allow_referencing=True)
        except LockError:
            request_sudo = request_sudo.browse()
        request_sudo.invalidate_recordset(['state'])
        if request_sudo.state != 'open':
            raise UserError(
                self.env._("Somebody else has just answered this request. Please look at it again.")
            )
        request_sudo.write(
            {
                'state': state,
                'characters_sealed': False,
                'decided_by_id': self.env.uid,
                'decided_on': fields.Datetime.now(),
                **values,
            }
        )
        request_sudo.activity_unlink([ACTIVITY])
        request_sudo._tell_customer()

    def _tell_customer(self):
        """Send the customer the answer, which is in the portal, too."""
        if self.partner_id.email_normalized:
            template = self.env.ref('refill_cards.mail_template_refill_card_replacement')
            template.send_mail(self.id)

    def _accept(self, card):
        """Note that a card was replaced for the customer.

        :param refill.card card: the old one.
        """
        self._decide('replaced', card_id=card.id)

    def _refuse(self, answer):
        """Refuse the request.

        :param str answer: why, for the customer.
        """
        self._decide('refused', answer=answer)

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_replace(self):
        """Open the window that replaces the card."""
        self.ensure_one()
        if not self.found_id:
            raise UserError(
                self.env._(
                    "No card has this serial number. Find the card, and replace it from the list."
                )
            )
        return self.found_id.with_context(**self._get_window_context()).action_replace()

    def _get_window_context(self):
        """Return the context in which a window opens that replaces a card for the customer."""
        if not self:
            return {}
        return {'default_request_id': self.id, 'default_then': 'send'}

    def _open_characters(self):
        """Return what the customer could read of the code, which the server alone gets to know.

        :rtype: str
        """
        sealed = self.sudo().characters_sealed  # sudo: the caller does not show it
        return self.env['refill.card.key']._get_sealer().open(sealed) if sealed else ''

    @check_identity
    def action_find(self):
        """Open the window that finds a card by what can be read of its code."""
        self.ensure_one()
        self.check_access('read')
        context = {'default_request_id': self.id, 'default_series_id': self.found_id.series_id.id}
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_find_action'
        )
        return {**action, 'context': context}

    def action_refuse(self):
        """Open the window in which the reason is told."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_refuse_action'
        )
        return {**action, 'context': {'default_request_id': self.id}}
