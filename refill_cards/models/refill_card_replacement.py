import re

from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from .visible_fields import UncheckedVisibleMany2one

REPLACE_REASONS = [
    ('lost', "Lost"),
    ('stolen', "Stolen"),
    ('damaged', "Damaged"),
    ('illegible', "Illegible"),
    ('tampered', "Tampered with"),
    ('misprinted', "Misprinted"),
    ('other', "Other"),
]
# Why a card was disabled that works again with another code. What was cancelled is worth nothing.
CURABLE = ('lost', 'stolen', 'damaged', 'misprinted', 'other', 'returned', 'unpaid')
# What goes from the replaced card to the new one, which is owed, billed and returned in its place.
HANDED_OVER = (
    'terms',
    'holder_id',
    'handed_out_on',
    'invoice_line_id',
    'reserved_line_id',
    'historical_value',
)


class Worth:
    """That the face value is added up, in the context; no client can send one."""


class RefillCard(models.Model):
    """Cards that take the place of others: set-based.

    Nothing is booked: what was owed for a card is owed for the new one, from its first moment on.
    """

    _inherit = 'refill.card'

    replaced_by_id = UncheckedVisibleMany2one(
        comodel_name='refill.card', readonly=True, index='btree_not_null', ondelete='set null'
    )
    replaces_id = UncheckedVisibleMany2one(
        comodel_name='refill.card', readonly=True, index='btree_not_null', ondelete='set null'
    )

    _replaced_is_dead = models.Constraint(
        "CHECK (state = 'disabled' OR disable_reason IS NULL OR disable_reason <> 'replaced')",
        "A card that was replaced never works again.",
    )

    @api.depends('disable_reason')
    def _compute_can_manage(self):
        res = super()._compute_can_manage()
        self.filtered(lambda card: card.disable_reason == 'replaced').can_change = False
        return res

    # -------------------------------------------------------------------------
    # WHAT CARDS ARE WORTH
    # -------------------------------------------------------------------------

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        """Add up what cards are worth: what one was that was replaced, the one in its place is."""
        worth = self
        if aggregate_spec in ('price:sum', 'price:sum_currency', 'price:avg'):
            worth = self.with_context(refill_cards_worth=Worth())
        return super(RefillCard, worth)._read_group_select(aggregate_spec, query)

    def _field_to_sql(self, alias, field_expr, query=None):
        value = super()._field_to_sql(alias, field_expr, query)
        if field_expr != 'price' or not isinstance(
            self.env.context.get('refill_cards_worth'), Worth
        ):
            return value
        reason = self._field_to_sql(alias, 'disable_reason', query)
        return SQL("CASE WHEN %s IS DISTINCT FROM 'replaced' THEN %s END", reason, value)

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    @api.model
    def _get_operation_states(self):
        return {**super()._get_operation_states(), 'replace': ('inactive', 'active', 'disabled')}

    @api.model
    def _get_operation_domain(self, operation):
        domain = super()._get_operation_domain(operation)
        if operation == 'enable':
            domain &= Domain('disable_reason', '!=', 'replaced')
        if operation == 'replace':
            domain &= Domain('disable_reason', 'in', [False, *CURABLE])
            domain &= ~self._get_kept_domain()
        return domain

    @api.model
    def _get_too_late_domain(self, operation):
        if operation == 'replace':
            return Domain('state', '!=', 'used') & self._get_over_domain()
        return super()._get_too_late_domain(operation)

    @api.model
    def _get_kept_domain(self):
        """Return the domain of the cards that are kept for a draft, which names their numbers.

        The draft of a settlement only says how many they are: it goes on with the new ones. In SQL,
        because who manages cards need not see drafts.

        :rtype: odoo.fields.Domain
        """

        def is_kept(model, alias, _query):
            model.env['account.move.line'].flush_model(['refill_card_role'])
            return SQL(
                "EXISTS (SELECT FROM account_move_line line WHERE line.id = %s"
                " AND line.refill_card_role IS DISTINCT FROM 'settlement')",
                SQL.identifier(
                    alias, 'reserved_line_id', to_flush=self._fields['reserved_line_id']
                ),
            )

        return Domain.custom(to_sql=is_kept)

    @api.model
    def _get_reasons_of_others(self, line):
        return [
            *super()._get_reasons_of_others(line),
            (
                Domain('disable_reason', '=', 'replaced'),
                self.env._("replaced. Choose the card in its place, which it names."),
            ),
        ]

    def _check_not_used(self):
        res = super()._check_not_used()
        if replaced := self.filtered(lambda card: card.disable_reason == 'replaced'):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was replaced by another one: it stays as it is, for the"
                    " audit log.",
                    serial=replaced[0].name,
                )
            )
        return res

    def _check_redeemable(self, partner, company):
        if self.disable_reason == 'replaced':
            raise self._refusal('disabled', 'replaced')
        return super()._check_redeemable(partner, company)

    # -------------------------------------------------------------------------
    # REPLACING
    # -------------------------------------------------------------------------

    def _replace(self, reason, details=None, domain=None, reference=None, channel='backend'):
        """Give cards a new serial number and a new code: new cards take the place of the old ones.

        :param str reason: a key of ``REPLACE_REASONS``.
        :param str details: for the audit log; must not hold a code, nor anybody's name.
        :return: how many were replaced.
        :rtype: int
        :raise UserError: when cards are still being generated, there are no numbers left, or the
            cards are more than the user can wait for.
        """
        note = dict(self._get_replace_reasons())[reason]
        if details:
            note = self.env._("%(reason)s: %(text)s", reason=note, text=details)
        cards_sudo, domain, reference = self._begin('replace', domain, reference)
        history = {'reference': reference, 'channel': channel}
        groups = cards_sudo._read_group(domain, ['series_id'], ['__count'])
        every = cards_sudo.series_id.union(*(series for series, _count in groups))
        every._check_replaced_at_once(sum(count for _series, count in groups))
        every._keep_numbers()
        return sum(series._replace_cards(domain, note, history) for series in every)

    @api.model
    def _get_replace_reasons(self):
        return self.env['refill.card.replace']._fields['reason']._description_selection(self.env)

    @api.model
    def _hold(self, domain):
        """Keep others from changing cards until this transaction ends; wait for who just does.

        In SQL, because the ORM does not wait.

        :return: how many cards.
        :rtype: int
        """
        self.flush_model()
        query = SQL(
            "SELECT count(*) FROM (SELECT FROM refill_card WHERE %s FOR NO KEY UPDATE) AS held",
            self._get_condition(domain),
        )
        [[count]] = self.env.execute_query(query)
        return count

    @api.model
    def _hand_over(self, old, new, last):
        """Let new cards be what the old ones were, each by its number.

        In SQL, because the ORM would load all of them.

        :param odoo.fields.Domain old: the cards that are replaced.
        :param odoo.fields.Domain new: as many cards of the same series.
        :param int last: the number before that of the first new card.
        """
        handed_over = [SQL.identifier(fname) for fname in HANDED_OVER]
        self.env.cr.execute(
            SQL(
                """
                UPDATE refill_card card
                   SET replaces_id = old.id, valid_till = old.valid_till,
                       replaces_sent = old.sending_id IS NOT NULL OR old.replaces_sent,
                       was_inactive = CASE old.disable_reason WHEN 'unpaid'
                                           THEN old.was_inactive END,
                       disable_reason = CASE old.disable_reason WHEN 'unpaid' THEN 'unpaid' END,
                       state = CASE WHEN old.state <> 'disabled' OR old.disable_reason = 'unpaid'
                                    THEN old.state
                                    WHEN old.was_inactive THEN 'inactive' ELSE 'active' END,
                       %(columns)s
                  FROM (SELECT *, %(last)s + row_number() OVER (ORDER BY number) AS next
                          FROM refill_card WHERE %(old)s) AS old
                 WHERE card.id IN (SELECT id FROM refill_card WHERE %(new)s)
                   AND card.number = old.next
                """,
                columns=SQL(", ").join(SQL("%s = old.%s", each, each) for each in handed_over),
                last=last,
                old=self._get_condition(old),
                new=self._get_condition(new),
            )
        )
        self.invalidate_model()

    @api.model
    def _give_up(self, domain, note, history):
        """Let cards be dead for good that others replace, and say so in the audit log.

        :param odoo.fields.Domain domain: the cards.
        :param SQL note: for the audit log.
        """
        given_up = {
            'disable_reason': 'replaced',
            **dict.fromkeys(HANDED_OVER),
        }
        successor = "(SELECT id FROM refill_card successor WHERE successor.replaces_id = %s)"
        disabled = domain & Domain('state', '=', 'disabled')
        self._log(domain=disabled, note=note, **history)
        replaced_by = SQL(successor, SQL("refill_card.id"))
        self._set_terms(disabled, replaced_by_id=replaced_by, **given_up)
        replaced_by = SQL(successor, SQL("card.id"))
        self._change_state(
            'disabled', domain=domain, note=note, replaced_by_id=replaced_by, **given_up, **history
        )

    @api.model
    def _get_note_of_replaced(self, note):
        """Return what the audit log says of a card that is replaced, as SQL.

        :param str note: why.
        """
        text = self.env._("Replaced by %(serial)s. %(why)s", serial='{serial}', why=note)
        return self._name_serial(text, "card.id = other.replaces_id")

    @api.model
    def _get_note_of_new(self, note):
        """Return what the audit log says of a card that replaces another one, as SQL.

        :param str note: why.
        """
        text = self.env._("Replaces %(serial)s. %(why)s", serial='{serial}', why=note)
        replaced = "other.id = (SELECT replaces_id FROM refill_card new WHERE new.id = card.id)"
        return self._name_serial(text, replaced)

    @api.model
    def _name_serial(self, text, condition):
        before, _mark, after = text.partition('{serial}')
        return SQL(
            "%s || (SELECT other.name FROM refill_card other WHERE %s) || %s",
            *(before, SQL(condition), after),
        )

    @api.model
    def _get_highest_number(self, stem, digits):
        """Return the highest number of serial numbers, also of those only in the audit log.

        In SQL, because a regular expression says more than the ORM's patterns.

        :param str stem: how the serial numbers begin.
        :param int digits: of the number.
        :rtype: int
        """
        query = SQL(
            """
            (SELECT name FROM refill_card
              WHERE name BETWEEN %(first)s AND %(last)s AND name ~ %(form)s
              ORDER BY name DESC LIMIT 1)
            UNION ALL
            (SELECT serial FROM refill_card_event
              WHERE serial BETWEEN %(first)s AND %(last)s AND serial ~ %(form)s
              ORDER BY serial DESC LIMIT 1)
            """,
            first=f'{stem}-{"0" * digits}',
            last=f'{stem}-{"9" * digits}',
            form=rf'^{re.escape(stem)}-\d{{{digits}}}$',
        )
        serials = self.env.execute_query(query)
        return max((int(serial[-digits:]) for [serial] in serials), default=0)

    @api.model
    def _describe_replaced(self, new):
        """Return what other systems are told of cards that were replaced.

        In SQL, because the ORM would load all of them.

        :param odoo.fields.Domain new: the cards that replace them.
        :rtype: list[dict]
        """
        rows = self.env.execute_query(
            SQL(
                "SELECT old.id, old.name, new.id, new.name"
                " FROM (SELECT * FROM refill_card WHERE %s) AS new"
                " JOIN refill_card old ON old.id = new.replaces_id ORDER BY new.number",
                self._get_condition(new),
            )
        )
        return [
            {'id': old_id, 'serial': old, 'replaced_by': {'id': new_id, 'serial': new}}
            for old_id, old, new_id, new in rows
        ]

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_replace(self):
        """Open the window that replaces these cards.

        :raise UserError: when the list may have handed over only a part of what was selected.
        """
        self.browse().check_access('write')
        self._check_whole_selection()
        return self.env['refill.card.replace'].create({'card_ids': self.ids})._get_window()
