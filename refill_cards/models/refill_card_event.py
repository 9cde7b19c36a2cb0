from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.tools import SQL, format_amount

from .erasure import filter_erased
from .visible_fields import (
    UncheckedMany2one,
    UncheckedVisibleMany2one,
    VisibleChar,
    VisibleMany2one,
)

# Of which PostgreSQL does not know what they name.
UNCHECKED = ('card_id', 'series_id', 'company_id', 'user_id')


class RefillCardEvent(models.Model):
    _name = 'refill.card.event'
    _description = "Refill Card Audit Log"
    _order = 'id desc'
    _log_access = False
    _rec_name = 'serial'

    # The history outlives a deleted card, hence the series and the serial number.
    card_id = UncheckedMany2one(comodel_name='refill.card', index=True, ondelete='set null')
    series_id = UncheckedMany2one(comodel_name='refill.card.series', ondelete='set null')
    company_id = UncheckedMany2one(
        comodel_name='res.company', string="Issued by", ondelete='restrict'
    )
    serial = fields.Char(string="Serial Number", required=True, index=True)
    date = fields.Datetime(required=True)
    user_id = UncheckedVisibleMany2one(
        comodel_name='res.users',
        ondelete='restrict',
        help="Empty once a customer's user was deleted.",
    )
    channel = fields.Selection(
        selection=[
            ('backend', "Backend"),
            ('portal', "Portal"),
            ('api', "API"),
            ('accounting', "Accounting"),
            ('automatic', "Automatic"),
        ],
        required=True,
    )
    old_state = fields.Selection(selection='_selection_state', string="From")
    new_state = fields.Selection(selection='_selection_state', string="To")
    # Of a use, or of taking it back: ids only, so that names are told to who may know them.
    partner_id = VisibleMany2one(
        comodel_name='res.partner',
        companies=('company_id', 'used_company_id'),
        string="Customer",
        index='btree_not_null',
    )
    payment_id = VisibleMany2one(comodel_name='account.payment', index='btree_not_null')
    used_company_id = fields.Many2one(
        comodel_name='res.company', string="Redeemed in", ondelete='restrict'
    )
    amount = fields.Monetary(string="Value")
    currency_id = fields.Many2one(comodel_name='res.currency')
    # It may be what somebody typed: a matter of the company that issued the card.
    note = VisibleChar(companies=('company_id',))
    reference = fields.Char(
        string="Operation", index='btree_not_null', help="The events of one operation share it."
    )
    summary = fields.Char(string="What Happened", compute='_compute_summary')

    _undone_idx = models.Index("(card_id) WHERE old_state = 'used'")

    @api.depends('old_state', 'new_state', 'partner_id', 'payment_id', 'amount', 'note', 'movement')
    @api.depends_context('lang', 'uid', 'allowed_company_ids')
    def _compute_summary(self):
        """Say in words what happened, as far as the reader may know it."""
        for event in self:
            change, note = event._describe_change(), event.note
            details = [
                event.amount and format_amount(self.env, event.amount, event.currency_id),
                # sudo: who sees which payment it was need not have a right on payments
                event.payment_id
                and self.env._("payment %(number)s", number=event.payment_id.sudo().name),
            ]
            if not change:
                change, note = note or event._describe_movement(), event.partner_id.display_name
            details = ', '.join(filter(None, [*details, note]))
            event.summary = ': '.join(filter(None, [change, details]))

    def _describe_movement(self):
        labels = dict(self._fields['movement']._description_selection(self.env))
        return labels.get(self.movement)

    def _describe_change(self):
        """Return what became of the card in words, False when its state stayed."""
        old, new = self.old_state, self.new_state
        if old == new:
            return False
        if new == 'used' and self.partner_id:
            return self.env._("Redeemed for %(customer)s", customer=self.partner_id.display_name)
        by_states = {
            ('inactive', 'active'): self.env._("Activated"),
            ('active', 'inactive'): self.env._("Deactivated"),
            ('used', 'active'): self.env._("Redemption undone"),
            ('used', 'expired'): self.env._("Redemption undone"),
            ('used', 'disabled'): self.env._("Disabled, as its payment was taken back"),
            # The note says how long.
            ('expired', 'active'): not self.note and self.env._("Valid again"),
            ('expired', 'inactive'): not self.note and self.env._("Valid again"),
        }
        by_new_state = {
            'used': self.env._("Redeemed"),
            'disabled': self.env._("Disabled"),
            'expired': self.env._("Expired"),
            'deleted': self.env._("Deleted"),
        }
        if (old, new) in by_states:
            return by_states[old, new]
        return self.env._("Enabled again") if old == 'disabled' else by_new_state.get(new)

    @api.model
    def _selection_state(self):
        return [
            *self.env['refill.card']._fields['state']._description_selection(self.env),
            ('deleted', self.env._("Deleted")),
        ]

    @api.model
    def _get_insert(self, cards, **values):
        """Return the statement that writes events of cards, all in one go.

        The ORM would write one at a time. It returns what :class:`RefillCardOutbox` needs, whose
        statement goes along with it.

        :param SQL cards: a query or a table of cards, with the columns ``id``, ``series_id``,
            ``company_id`` (their issuer), ``name`` and ``old_state``; a movement needs
            ``historical_value``, too.
        :param values: other columns of the events: what they are, or SQL that tells, where
            ``card`` is one of the cards.
        :rtype: SQL
        """
        columns = {
            'card_id': SQL("card.id"),
            'series_id': SQL("card.series_id"),
            'company_id': SQL("card.company_id"),
            'serial': SQL("card.name"),
            'old_state': SQL("card.old_state"),
            'date': fields.Datetime.now(),
            # Who does it is not deleted meanwhile.
            'user_id': SQL("(SELECT id FROM res_users WHERE id = %s FOR KEY SHARE)", self.env.uid),
            **values,
        }
        return SQL(
            "INSERT INTO refill_card_event (%s) SELECT %s FROM %s AS card RETURNING id, company_id,"
            " used_company_id, series_id, old_state, new_state, movement",
            SQL(", ").join(map(SQL.identifier, columns)),
            SQL(", ").join(SQL("%s", value) for value in columns.values()),
            cards,
        )

    @api.model
    def _write_down(self, company, serial, note, **values):
        """Write down what the user did to something else than single cards.

        :param res.company company: whose log it is.
        :param str serial: what it was done to.
        :param str note: must not hold a code, nor anybody's name.
        :param values: further ones of the event, or others.
        """
        # sudo: the log is only added to, and by nobody by hand
        self.sudo().create(
            {
                'company_id': company.id,
                'serial': serial,
                'date': fields.Datetime.now(),
                'user_id': self.env.uid,
                'channel': 'backend',
                'note': note,
                **values,
            }
        )

    @api.model
    def _name_payments(self, cards, payments):
        """Let the history of cards' use tell by which payment, and when that is in the books.

        In SQL: history is only added to, and a payment is made once its card is used.

        :param refill.card cards: the cards.
        :param account.payment payments: of each card, in their order.
        """
        self.env.cr.execute(
            SQL(
                """
                UPDATE refill_card_event SET payment_id = used.payment_id, accounting_date = day
                  FROM unnest(%s, %s, %s::date[]) AS used (card_id, payment_id, day)
                 WHERE refill_card_event.card_id = used.card_id
                   AND movement = 'redeemed' AND accounting_date IS NULL
                """,
                *(list(cards.ids), list(payments.ids), [each.move_id.date for each in payments]),
            )
        )
        self.invalidate_model(['payment_id', 'accounting_date'], flush=False)

    @api.model_create_multi
    def create(self, vals_list):
        """Keep what single events name until this transaction ends, as foreign keys would.

        Bulk statements keep the cards, which keep the rest.
        """
        for fname in UNCHECKED:
            if ids := [vals[fname] for vals in vals_list if vals.get(fname)]:
                table = SQL.identifier(self.env[self._fields[fname].comodel_name]._table)
                self.env.cr.execute(
                    SQL("SELECT FROM %s WHERE id = ANY(%s) FOR KEY SHARE", table, ids)
                )
        return super().create(vals_list)

    @api.model
    def _check_seen(self, fname, records):
        """Check that this transaction sees all events that name what is about to be deleted.

        A foreign key would look beyond its snapshot, too. The caller locks the records first.

        :param str fname: one of ``UNCHECKED``.
        :param records: what it names.
        :raise ConcurrencyError: when there are others; Odoo tries again, and sees them then.
        """
        query = SQL(
            "SELECT array_agg(id) FROM refill_card_event WHERE %s = ANY(%s)",
            *(SQL.identifier(fname), list(records.ids)),
        )
        [[seen]] = self.env.execute_query(query)
        with self.env.registry.cursor() as cr:
            cr.execute(query)
            [there] = cr.fetchone()
        if not set(there or ()) <= set(seen or ()):
            raise ConcurrencyError("The audit log of refill cards names what is to be deleted.")

    def write(self, vals):
        """:raise UserError: whatever is written; history is only added to."""
        if vals:
            raise UserError(self.env._("The audit log of refill cards cannot be changed."))
        return super().write(vals)

    def unlink(self):
        """Where a person is erased, history only forgets who it was.

        :raise UserError: in every other case.
        """
        erased = filter_erased(self)
        # In SQL: history is only added to.
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card_event SET partner_id = NULL WHERE id = ANY(%s)",
                list(erased.ids),
            )
        )
        erased.invalidate_recordset(['partner_id'], flush=False)
        return super(RefillCardEvent, self - erased).unlink()

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("The audit log of refill cards cannot be deleted."))
