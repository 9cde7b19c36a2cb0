from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from .. import codes, foreign
from ..refusals import RefillCardRefused, describe
from .visible_fields import VisibleMany2one

STATES = [
    ('inactive', "Inactive"),
    ('active', "Active"),
    ('used', "Used"),
    ('expired', "Expired"),
    ('disabled', "Disabled"),
]
DISABLE_REASONS = [
    ('lost', "Lost"),
    ('stolen', "Stolen"),
    ('damaged', "Damaged"),
    ('misprinted', "Misprinted"),
    ('cancelled', "Cancelled"),
    ('other', "Other"),
]


class RefillCard(models.Model):
    _name = 'refill.card'
    _description = "Refill Card"

    series_id = fields.Many2one(
        comodel_name='refill.card.series', required=True, readonly=True, ondelete='cascade'
    )
    number = fields.Integer(required=True, readonly=True, aggregator=None)
    name = fields.Char(string="Serial Number", required=True, readonly=True)
    code = fields.Char(compute='_compute_code')
    key_problem = fields.Char(compute='_compute_key_problem')
    state = fields.Selection(selection=STATES, string="Status", required=True, readonly=True)
    valid_till = fields.Date(string="Valid till", help="Last day on which the card is accepted.")
    partner_id = VisibleMany2one(
        comodel_name='res.partner',
        string="Customer",
        readonly=True,
        index='btree_not_null',
        ondelete='restrict',
    )
    used_on = fields.Datetime(string="Used on", readonly=True)
    used_by_id = VisibleMany2one(comodel_name='res.users', string="Used by", readonly=True)
    used_company_id = VisibleMany2one(
        comodel_name='res.company', string="Redeemed in", readonly=True
    )
    payment_id = VisibleMany2one(
        comodel_name='account.payment', readonly=True, index='btree_not_null', ondelete='restrict'
    )
    disable_reason = fields.Selection(
        selection=[
            *DISABLE_REASONS,
            ('payment', "Payment taken back"),
            ('returned', "Returned"),
            ('unpaid', "Not paid"),
            ('replaced', "Replaced"),
        ],
        readonly=True,
    )
    # Of a disabled or expired card, which may become again what it was.
    was_inactive = fields.Boolean(readonly=True)
    # And given back since, by an undo or by the books.
    was_used = fields.Boolean(readonly=True, groups=fields.NO_ACCESS)
    can_manage = fields.Boolean(
        compute='_compute_can_manage', help="Whether the user manages cards of the issuing company."
    )
    can_change = fields.Boolean(
        compute='_compute_can_manage', help="Whether the user may, and the card was not used."
    )
    price = fields.Monetary(related='series_id.price', string="Face Value", aggregator='sum')
    currency_id = fields.Many2one(related='series_id.currency_id')
    company_ids = fields.Many2many(related='series_id.company_ids')
    company_names = fields.Char(related='series_id.company_names')
    event_ids = fields.One2many(
        comodel_name='refill.card.event', inverse_name='card_id', string="Audit Log"
    )

    _name_unique = models.UniqueIndex('(name)', "Two cards cannot have the same serial number.")
    _series_idx = models.Index('(series_id, id)')
    _series_state_idx = models.Index('(series_id, state, id)')
    _used_company_idx = models.Index(
        '(used_company_id, state, series_id, id) WHERE used_company_id IS NOT NULL'
    )
    _expiring_idx = models.Index(
        "(valid_till, series_id, state) WHERE state IN ('active', 'inactive')"
    )
    _ever_used_idx = models.Index(
        "(series_id) WHERE (used_on IS NOT NULL OR was_used)"
        " AND (state <> 'used' OR payment_id IS NOT NULL)"
    )
    _used_idx = models.Index("(used_on, series_id, used_company_id) WHERE state = 'used'")

    def init(self):
        """Let PostgreSQL count millions of cards by several processes.

        It judges by the pages of the table that it would read, and an index alone reads none.
        """
        self.env.cr.execute(SQL("ALTER TABLE refill_card SET (parallel_workers = 2)"))

    @api.depends('used_on')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_can_manage(self):
        writable = self._filtered_access('write')
        for card in self:
            card.can_manage = card in writable
            card.can_change = card.can_manage and not card.used_on

    # -------------------------------------------------------------------------
    # CODES
    # -------------------------------------------------------------------------

    @api.depends('series_id.prefix')
    @api.depends_context('uid')
    def _compute_code(self):
        """Mask the codes for everybody but the superuser: who looks at one is written down."""
        key = self.env['refill.card.key']
        sealer = key._get_display_sealer()
        sealed = self.env['refill.card.code']._get_sealed(self)
        for card in self:
            if card._origin.id not in sealed:
                card.code = False
                continue
            # sudo: the prefix and the alphabet, whoever looks
            fmt = card.sudo().series_id._get_format()
            if self.env.su:
                card.code = fmt.display(sealer.open(sealed[card._origin.id]))
            else:
                body = key._open(sealer, sealed[card._origin.id], card.name)
                card.code = fmt.mask(body or fmt.nothing())

    def _compute_key_problem(self):
        self.key_problem = self.env['refill.card.key']._get_problem()

    @api.model
    def _seal(self, text):
        """Return the seals that a typed code can have; empty when it is not a code.

        :rtype: list[str]
        """
        [sealed] = self._seal_each([text])
        return sealed

    @api.model
    def _seal_each(self, texts):
        """Return for each typed code the seals that it can have; what is no text has none.

        :rtype: list[list[str]]
        """
        series = self.env['refill.card.series']
        sealer = self.env['refill.card.key']._get_sealer()

        def seal(text, formats):
            try:
                bodies = codes.read(text, formats)
            except codes.Typo:
                return []
            # Of two cards whose codes differ by case only, the one that was typed comes first.
            typed = foreign.strip(codes.unwrap(text))
            return list(
                map(
                    sealer.seal,
                    sorted(bodies, key=lambda each: (foreign.strip(each) != typed, each)),
                )
            )

        texts = [text if isinstance(text, str) else '' for text in texts]
        formats = series._get_formats()
        sealed = [seal(text, formats) for text in texts]
        if not all(sealed):
            # What is remembered can be older than a series that another thread just made.
            formats = series._read_formats()
            sealed = [
                found or seal(text, formats) for found, text in zip(sealed, texts, strict=True)
            ]
        return sealed

    @api.model
    def _iterate_codes(self, domain, size, columns=()):
        """Yield the opened codes of cards, in batches and in the order of their ids.

        The caller checks the right to see the codes. The ORM would take four times as long, and
        remember all of them.

        :param odoo.fields.Domain domain: which cards.
        :param int size: of a batch.
        :param tuple[str, ...] columns: what else is read.
        :return: of each batch the ids, the bodies of the codes, and the columns, a list each.
        :rtype: Iterator[list[Sequence]]
        :raise UserError: when the code of one is lost.
        """
        # sudo: no one reads sealed codes; who may see those of a series may see all of them
        cards_sudo = self.sudo()
        sealer = self.env['refill.card.key']._get_sealer()
        self.flush_model(columns)
        last = 0
        while True:
            after = domain & Domain('id', '>', last)
            query = cards_sudo._search(after, order='id', limit=size)
            code = query.left_join(query.table, 'id', 'refill_card_code', 'id', 'code')
            rows = self.env.execute_query(
                query.select(
                    SQL.identifier(query.table, 'id'),
                    SQL.identifier(code, 'sealed'),
                    *(SQL.identifier(query.table, column) for column in columns),
                )
            )
            if not rows:
                return
            last = rows[-1][0]
            ids, sealed, *others = zip(*rows, strict=True)
            if None in sealed:
                raise UserError(
                    self.env._(
                        "Refill card %(serial)s has no code. Delete it, or restore its code from a"
                        " backup.",
                        serial=cards_sudo.browse(ids[sealed.index(None)]).name,
                    )
                )
            yield [ids, list(map(sealer.open, sealed)), *others]

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    @api.model
    def _get_condition(self, domain, limit=None):
        """Return which cards are meant, as a condition on the table of the cards.

        :param odoo.fields.Domain domain: which ones, of those that the user sees; None for the
            cards of this recordset.
        :param int limit: so many at the most, those first that end first, and none that another
            transaction holds.
        :rtype: SQL
        """
        if domain is None:
            return SQL("id = ANY(%s)", list(self.ids))
        query = self._search(domain, limit=limit, order=limit and 'valid_till')
        if limit:
            # Chosen once: PostgreSQL may look for the rows of IN again and again.
            return SQL("id = ANY(ARRAY(%s FOR NO KEY UPDATE SKIP LOCKED))", query.select())
        return SQL("id IN (%s)", query.select())

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        self._check_not_used()
        # sudo: the history counts, wherever the user looks
        undone = self.env['refill.card.event'].sudo()
        domain = [('card_id', 'in', self.ids), ('old_state', '=', 'used')]
        if event := undone.search(domain, limit=1):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was used before and is part of the books: it cannot be"
                    " deleted. Disable it instead.",
                    serial=event.serial,
                )
            )

    def _check_not_used(self):
        """:raise UserError: when a card is used, or was and its payment taken back in the books."""
        if used := self.filtered('used_on'):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was used and is part of the books: it can neither be"
                    " changed nor deleted. A manager can undo its redemption.",
                    serial=used[0].name,
                )
            )

    def _refusal(self, reason, sentence=None, *, context=None, **values):
        """Return the error for a refusal, with a sentence that helps whoever tried.

        :param str reason: see ``refusals.REASONS``.
        :param str sentence: see ``refusals.SENTENCES``; the reason when left out.
        :param dict context: what else JSON-2 answers.
        :param str values: what the sentence names.
        :rtype: RefillCardRefused
        """
        message = describe(self.env, sentence or reason, **values)
        return RefillCardRefused(message, reason, card_id=self.id, **(context or {}))

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_edit(self):
        """Open the card's form."""
        self.ensure_one()
        return self._get_records_action(view_mode='form')

    def action_open_payment(self):
        """Open the payment that the card was turned into."""
        self.ensure_one()
        return self.payment_id._get_records_action()
