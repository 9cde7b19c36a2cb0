from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from .visible_fields import VisibleMany2one

ACCOUNTING = 'account.group_account_readonly,account.group_account_invoice'


class RefillCard(models.Model):
    """Sold cards that expired, and the entries that release what is owed for them: set-based.

    An entry claims cards while it is a draft, and says which ones it released once it is posted.
    Called by the entry, as superuser.
    """

    _inherit = 'refill.card'

    released_line_id = VisibleMany2one(
        comodel_name='account.move.line',
        string="Released by",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        groups=ACCOUNTING,
        help="Of the entry that releases what is owed for the card once it expired.",
    )
    release_id = fields.Many2one(
        comodel_name='account.move',
        string="Value Released by",
        compute='_compute_release_id',
        groups=ACCOUNTING,
    )

    _releasable_idx = models.Index(
        "(valid_till) WHERE terms = 'sold' AND state IN ('expired', 'disabled')"
        " AND released_line_id IS NULL"
    )

    @api.depends('released_line_id')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_release_id(self):
        for card in self:
            card.release_id = card.released_line_id.move_id

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    @api.model
    def _get_expired_domain(self):
        """Return the domain of the sold cards that nobody can use any more, and nobody used.

        Also of disabled ones whose day is over. Those that were sold by activation and are not
        billed yet stay: nothing is owed for them in the books.

        :rtype: odoo.fields.Domain
        """
        return (
            Domain(
                [
                    ('terms', '=', 'sold'),
                    ('used_on', '=', False),
                    ('state', 'in', ['expired', 'disabled']),
                ]
            )
            & self._get_over_domain()
            & ~Domain([('holder_id', '!=', False), ('invoice_line_id', '=', False)])
        )

    @api.model
    def _get_releasable_domain(self, company, day):
        """Return the domain of the cards whose value can be released.

        :param res.company company: root company that issued them.
        :param datetime.date day: so many days before it they expired.
        :rtype: odoo.fields.Domain
        """
        last_day = day - timedelta(days=company.refill_card_release_days)
        return self._get_expired_domain() & Domain(
            [
                ('valid_till', '<', last_day),
                ('released_line_id', '=', False),
                ('reserved_line_id', '=', False),
                ('series_id.company_id', 'child_of', company.id),
            ]
        )

    @api.model
    def _get_released_domain(self, lines):
        return Domain('released_line_id', 'in', lines.ids)

    @api.model
    def _get_releasable_values(self, company, day):
        """Return how many such cards there are of each series, and what the books say of them.

        :rtype: list[tuple[refill.card.series, int, float]]
        """
        values = self._get_historical_values(self._get_releasable_domain(company, day))
        return sorted(
            ((series, count, balance) for series, (count, _value, balance) in values.items()),
            key=lambda each: each[0].id,
        )

    @api.model
    def _count_released(self, lines):
        """Return how many cards lines claim or have released.

        :rtype: dict[account.move.line, int]
        """
        domain = self._get_released_domain(lines)
        return dict(self._read_group(domain, ['released_line_id'], ['__count']))

    @api.model
    def _get_released_values(self, line):
        """Return how many cards of its series a line claims or has released, and their value.

        :return: in number, and in the company's currency.
        :rtype: tuple[int, float]
        """
        series = line.refill_card_series_id
        values = self._get_historical_values(
            self._get_released_domain(line) & Domain('series_id', '=', series.id)
        )
        count, _value, balance = values.get(series, (0, 0, 0))
        return count, balance

    @api.model
    def _get_owed_domain(self):
        """Nothing is owed for a card whose value was released."""
        released = Domain('released_line_id.parent_state', '=', 'posted')
        return super()._get_owed_domain() & ~released

    # -------------------------------------------------------------------------
    # CLAIMED, RELEASED, BROUGHT BACK
    # -------------------------------------------------------------------------

    @api.model
    def _claim_releasable(self, lines, company, day):
        """Keep for the lines of a draft the cards whose value it releases.

        Who claims the same at the same time waits, starts again, and finds none left.
        """
        for line in lines:
            of_series = Domain('series_id', '=', line.refill_card_series_id.id)
            domain = self._get_releasable_domain(company, day) & of_series
            self._set_terms(domain, released_line_id=line.id)

    @api.model
    def _free(self, lines):
        res = super()._free(lines)
        self._set_terms(self._get_released_domain(lines), released_line_id=None)
        return res

    @api.model
    def _release_claimed(self, lines):
        """Note which cards the lines released, once their entry is posted."""
        domain, move = self._get_released_domain(lines), lines.move_id
        note = self.env._("Expired value released by %(entry)s", entry=move.name)
        movement = self._get_movement('released', move.date, move)
        self._log(
            domain=domain,
            channel='accounting',
            note=note,
            reference=self._next_reference(),
            **movement,
        )
        self._touch_cards(domain)

    @api.model
    def _take_release_back(self, lines, move, **values):
        """Note that what is owed for cards is in the books again.

        :param account.move.line lines: which released the cards.
        :param account.move move: by which that is taken back.
        """
        domain = self._get_released_domain(lines)
        note = self.env._("Expired value brought back by %(entry)s", entry=move.name)
        movement = self._get_movement('brought_back', move.date, move)
        self._log(
            domain=domain,
            channel='accounting',
            note=note,
            reference=self._next_reference(),
            **movement,
        )
        self._set_terms(domain, **values)

    @api.model
    def _touch_cards(self, domain):
        """Write cards, so that whoever changes one meanwhile has to try again.

        PostgreSQL lets two transactions pass that only read what the other one writes.
        """
        self._set_terms(domain)

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_open_release(self):
        """Open the entry that released the card's value, or the draft that will."""
        self.ensure_one()
        return self.release_id._get_records_action()
