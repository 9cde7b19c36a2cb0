from odoo import api, fields, models
from odoo.tools import SQL

MOVEMENTS = [
    ('opening', "Sold before"),
    ('sold', "Sold"),
    ('redeemed', "Redeemed"),
    ('given_back', "Given back"),
    ('returned', "Returned"),
    ('released', "Expired value released"),
    ('brought_back', "Brought back"),
    ('moved_in', "Moved from another series"),
    ('moved_out', "Moved to another series"),
]
# What of it is owed to whoever has a card from then on, or no more.
SIGNS = {
    'opening': 1,
    'sold': 1,
    'redeemed': -1,
    'given_back': 1,
    'returned': -1,
    'released': -1,
    'brought_back': 1,
    'moved_in': 1,
    'moved_out': -1,
}


class RefillCardEvent(models.Model):
    """Movements: events by which what a company owes for a card changes, with their day."""

    _inherit = 'refill.card.event'

    movement = fields.Selection(
        selection=MOVEMENTS, help="How what the company owes for the card changed."
    )
    accounting_date = fields.Date(
        help="Day of the entry in the books; of a sale by activation, the day of that."
    )
    move_id = fields.Many2one(
        comodel_name='account.move',
        string="Journal Entry",
        index='btree_not_null',
        ondelete='set null',
        groups='account.group_account_readonly,account.group_account_invoice',
    )
    terms = fields.Selection(
        selection='_selection_terms',
        help="On which terms somebody had the card when it was redeemed.",
    )
    company_currency_id = fields.Many2one(related='company_id.currency_id')
    balance = fields.Monetary(
        currency_field='company_currency_id',
        help="What is owed for the card in the currency of the company that issued it; empty where"
        " that is the card's own.",
    )

    _movement_idx = models.Index(
        "(series_id, movement, accounting_date) INCLUDE (terms, used_company_id, balance)"
        " WHERE movement IS NOT NULL"
    )

    @api.model
    def _selection_terms(self):
        return self.env['refill.card']._fields['terms']._description_selection(self.env)

    @api.model
    def _date_movements(self, payment, movement, day):
        """Let the history tell on which day a payment, or what took it back, is in the books.

        In SQL: history is only added to, and that day may follow, and change while it is a draft.

        :param str movement: ``redeemed`` or ``given_back``.
        :param datetime.date day: the day.
        """
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card_event SET accounting_date = %s"
                " WHERE payment_id = ANY(%s) AND movement = %s",
                *(day, payment.ids, movement),
            )
        )
        self.invalidate_model(['accounting_date'], flush=False)
