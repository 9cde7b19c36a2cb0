import re

from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.misc import get_lang

from .refill_card import STATES
from .refill_card_terms import TERMS
from .visible_fields import VisibleMany2one


class RefillCardReport(models.Model):
    """Each card with what it counts for, in number and in money, for pivots and graphs.

    One that was replaced counts as that and nothing else: the card in its place is what it was.
    """

    _name = 'refill.card.report'
    _inherit = ['refill.card.amounts.mixin', 'refill.card.lists.mixin']
    _description = "Refill Cards Analysis"
    _auto = False
    _depends = {
        'refill.card': [
            'name',
            'series_id',
            'state',
            'disable_reason',
            'terms',
            'holder_id',
            'handed_out_on',
            'partner_id',
            'used_on',
            'used_company_id',
            'payment_id',
            'valid_till',
        ],
        'refill.card.series': ['company_id', 'currency_id', 'price'],
        'refill.card.event': ['channel', 'new_state', 'payment_id'],
    }

    card_id = fields.Many2one(comodel_name='refill.card', readonly=True)
    name = fields.Char(string="Serial Number", readonly=True)
    series_id = fields.Many2one(comodel_name='refill.card.series', readonly=True)
    # Amounts are no groups, hence the text.
    face_value = fields.Char(readonly=True)
    currency_id = fields.Many2one(comodel_name='res.currency', readonly=True)
    company_id = fields.Many2one(comodel_name='res.company', string="Issued by", readonly=True)
    state = fields.Selection(selection=STATES, string="Status", readonly=True)
    disable_reason = fields.Selection(
        selection='_selection_disable_reason', string="Why Disabled", readonly=True
    )
    terms = fields.Selection(selection=TERMS, readonly=True)
    holder_id = VisibleMany2one(
        comodel_name='res.partner', companies=('company_id',), readonly=True
    )
    partner_id = VisibleMany2one(comodel_name='res.partner', string="Customer", readonly=True)
    used_company_id = VisibleMany2one(
        comodel_name='res.company', string="Redeemed in", readonly=True
    )
    channel = fields.Selection(
        selection='_selection_channel', string="Redeemed through", readonly=True
    )
    handed_out_on = fields.Date(string="Handed out on", readonly=True)
    used_on = fields.Datetime(string="Used on", readonly=True)
    valid_till = fields.Date(string="Valid till", readonly=True)

    card_count = fields.Integer(string="Cards (Number)", readonly=True)
    amount = fields.Monetary(string="Cards (Amount)", readonly=True)
    inactive_count = fields.Integer(string="Inactive (Number)", readonly=True)
    inactive_amount = fields.Monetary(string="Inactive (Amount)", readonly=True)
    active_count = fields.Integer(string="Active (Number)", readonly=True)
    active_amount = fields.Monetary(string="Active (Amount)", readonly=True)
    used_count = fields.Integer(string="Used (Number)", readonly=True)
    used_amount = fields.Monetary(string="Used (Amount)", readonly=True)
    expired_count = fields.Integer(string="Expired (Number)", readonly=True)
    expired_amount = fields.Monetary(string="Expired (Amount)", readonly=True)
    disabled_count = fields.Integer(string="Disabled (Number)", readonly=True)
    disabled_amount = fields.Monetary(string="Disabled (Amount)", readonly=True)
    replaced_count = fields.Integer(
        string="Replaced (Number)",
        readonly=True,
        help="Cards that others took the place of: they count nowhere else.",
    )
    used_share = fields.Float(
        string="Used (% of Cards)", aggregator='avg', digits=(5, 1), readonly=True
    )
    days_to_use = fields.Float(
        string="Days from Handing out to Use",
        aggregator='avg',
        digits=(16, 1),
        readonly=True,
        help="On average, of used cards that were sold, consigned or given away.",
    )

    @api.model
    def _selection_channel(self):
        return self.env['refill.card.event']._fields['channel']._description_selection(self.env)

    @api.model
    def _selection_disable_reason(self):
        return self.env['refill.card']._fields['disable_reason']._description_selection(self.env)

    @property
    def _table_query(self):
        """One row a card; of its columns PostgreSQL works out those that a query asks for."""
        return self._get_rows(SQL("refill_card"), self._get_columns())

    def _get_rows(self, cards, columns):
        """Return the query of the rows of cards.

        :param SQL cards: a table, or a query in parentheses.
        :param dict[str, SQL] columns: see :meth:`_get_columns`.
        :rtype: SQL
        """
        return SQL(
            "SELECT %s FROM %s card"
            " JOIN refill_card_series series ON series.id = card.series_id"
            " LEFT JOIN res_currency currency ON currency.id = series.currency_id",
            SQL(", ").join(
                SQL("%s AS %s", value, SQL.identifier(name)) for name, value in columns.items()
            ),
            cards,
        )

    def _get_columns(self):
        """Return the SQL of each column, of a ``card``, its ``series`` and ``currency``.

        :rtype: dict[str, SQL]
        """
        replaced = SQL("(card.disable_reason IS NOT DISTINCT FROM 'replaced')")
        columns = {
            'id': SQL("card.id"),
            'card_id': SQL("card.id"),
            'name': SQL("card.name"),
            'series_id': SQL("card.series_id"),
            'face_value': self._get_face_value(),
            'currency_id': SQL("series.currency_id"),
            'company_id': SQL("series.company_id"),
            'state': SQL("card.state"),
            'disable_reason': SQL("card.disable_reason"),
            'terms': SQL("card.terms"),
            'holder_id': SQL("card.holder_id"),
            'partner_id': SQL("card.partner_id"),
            'used_company_id': SQL("card.used_company_id"),
            'channel': SQL(
                "CASE WHEN card.payment_id IS NOT NULL THEN"
                " (SELECT event.channel FROM refill_card_event event"
                " WHERE event.payment_id = card.payment_id AND event.new_state = 'used' LIMIT 1)"
                " END"
            ),
            'handed_out_on': SQL("card.handed_out_on"),
            'used_on': SQL("card.used_on"),
            'valid_till': SQL("card.valid_till"),
            'card_count': SQL("(NOT %s)::integer", replaced),
            'amount': SQL("CASE WHEN %s THEN 0 ELSE series.price END", replaced),
            'replaced_count': SQL("%s::integer", replaced),
            'used_share': SQL(
                "CASE WHEN card.state = 'used' THEN 100.0 WHEN NOT %s THEN 0.0 END", replaced
            ),
            'days_to_use': SQL(
                "CASE WHEN card.state = 'used' AND card.handed_out_on IS NOT NULL THEN GREATEST("
                "(card.used_on AT TIME ZONE 'UTC' AT TIME ZONE %s)::date - card.handed_out_on, 0)"
                " END",
                self.env.tz.zone,
            ),
        }
        for state, _label in STATES:
            counts = SQL("card.state = %s", state)
            if state == 'disabled':
                counts = SQL("%s AND NOT %s", counts, replaced)
            columns[f'{state}_count'] = SQL("(%s)::integer", counts)
            columns[f'{state}_amount'] = SQL("CASE WHEN %s THEN series.price ELSE 0 END", counts)
        return columns

    def _get_face_value(self):
        """Return the face value as text, in the user's way to write numbers, with its currency.

        :rtype: SQL
        """
        lang = get_lang(self.env)
        return SQL(
            "translate(to_char(series.price, 'FM999,999,999,990' || CASE"
            " WHEN currency.decimal_places > 0"
            " THEN '.' || repeat('0', currency.decimal_places) ELSE '' END), '.,', %s)"
            " || ' ' || currency.name",
            lang.decimal_point + (lang.thousands_sep or ''),
        )

    @api.model
    def _read_group_orderby(self, order, groupby_terms, query):
        """Order face values by what they are worth."""
        order = order or ','.join(groupby_terms)
        order = re.sub(r'\bface_value\b', 'amount:max', order)
        return super()._read_group_orderby(order, groupby_terms, query)

    def action_open_card(self):
        """Open the card."""
        self.ensure_one()
        return self.card_id._get_records_action(view_mode='form')
