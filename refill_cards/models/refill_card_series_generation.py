import logging
from datetime import timedelta

from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ..wording import format_count
from .refill_card_generation import MAX_QUANTITY

_logger = logging.getLogger(__name__)

# Up to here the user waits, for about a second; more are generated in the background.
IMMEDIATE_QUANTITY = 20_000
BATCH = 20_000


class RefillCardSeries(models.Model):
    """Making the cards of a series."""

    _inherit = 'refill.card.series'

    state = fields.Selection(
        selection=[('generating', "Generating"), ('ready', "Ready")],
        string="Status",
        required=True,
        readonly=True,
        default='generating',
        copy=False,
    )
    generated = fields.Integer(
        readonly=True, copy=False, aggregator=None, help="Cards made so far."
    )
    progress = fields.Float(compute='_compute_progress', help="Percentage of the cards made.")

    @api.depends('generated', 'quantity')
    def _compute_progress(self):
        for series in self:
            series.progress = 100 * series.generated / (series.quantity or 1)

    @api.constrains('quantity')
    def _check_quantity(self):
        for series in self:
            if not 1 <= series._count_usable() <= MAX_QUANTITY:
                raise ValidationError(
                    self.env._(
                        "A series has between 1 and %(maximum)s cards.",
                        maximum=format_count(self.env, MAX_QUANTITY),
                    )
                )

    @api.model
    def _make(self, values):
        """Generate a series for a user who manages cards: where windows and programs come in.

        :param dict values: of the series.
        :return: the series, as the user sees it.
        :rtype: refill.card.series
        :raise AccessError: when the user does not manage cards.
        """
        self.env['refill.card'].browse().check_access('write')
        # sudo: no one creates a series or a card any other way
        series = self.sudo().create(values)
        series._generate()
        return series.sudo(False)

    def _generate(self):
        """Generate all cards: a small series at once, a large one in the background."""
        self.ensure_one()
        if self.quantity <= IMMEDIATE_QUANTITY:
            self._generate_cards(self.quantity)
        else:
            self.env.ref('refill_cards.ir_cron_generate')._trigger()

    def _generate_cards(self, count):
        """Generate the next cards, set-based; numbers and codes are unique whoever else generates.

        :param int count: how many; no more than the series still lacks are made.
        """
        self.ensure_one()
        last = min(self.generated + count, self.quantity)
        self._draw_cards(list(range(self.generated + 1, last + 1)))
        self.generated = last
        self.state = 'ready' if last == self.quantity else 'generating'
        self.invalidate_recordset(['card_ids'])

    def _draw_cards(self, numbers, like=None):
        """Make cards with these numbers.

        :param list[int] numbers: ascending.
        :param str like: a serial number whose form theirs have, see ``refill.card._insert``.
        """
        cards = self.env['refill.card']
        self.flush_recordset()
        sealer = self.env['refill.card.key']._get_generating_sealer()
        while numbers:
            bodies = self._get_format().generate(len(numbers))
            # In order, so that neighbours in the index of the codes are written together.
            sealed = sorted(sealer.seal(body) for body in bodies)
            if cards._insert(self, numbers, sealed, like) == len(numbers):
                break
            # Another card has one of the codes, which is very rare: draw again for these numbers.
            numbers = cards._get_missing_numbers(self, numbers)

    @api.model
    def _cron_generate(self):
        """Generate the cards of large series, a batch a transaction."""
        # Cards that are imported have codes: see `refill.card.import`.
        waiting = Domain('state', '=', 'generating') & Domain('is_foreign', '=', False)
        time_left = True
        while time_left and (
            # One by one: locking several at once does not keep their order.
            series := next(
                (
                    s
                    for s in self.search(waiting, order='id')
                    if s.try_lock_for_update(allow_referencing=True)
                ),
                None,
            )
        ):
            before = series.generated
            try:
                series._generate_cards(BATCH)
            except UserError as problem:
                self.env.cr.rollback()
                series._note_problem(str(problem))
                return
            made = series.generated - before
            series.create_uid._bus_send(
                'refill_cards/progress', {'model': series._name, 'id': series.id}
            )
            if series.state == 'ready':
                series._tell_maker()
            [[quantity, generated]] = self._read_group(
                waiting, [], ['quantity:sum', 'generated:sum']
            )
            time_left = self.env['ir.cron']._commit_progress(
                made, remaining=(quantity or 0) - (generated or 0)
            )
        if time_left and self.search_count(waiting, limit=1):
            # Somebody is just editing the series that are left.
            soon = fields.Datetime.now() + timedelta(minutes=1)
            self.env.ref('refill_cards.ir_cron_generate')._trigger(soon)

    def _tell_maker(self):
        """Tell whoever generated the series in the background that its cards are there."""
        maker = self.create_uid
        series = self.with_user(maker).with_context(lang=maker.lang)
        message = series.env._(
            "The %(quantity)s cards of series %(series)s are generated",
            quantity=format_count(series.env, self.quantity),
            series=self.name,
        )
        maker._tell_refill_cards_done(message, series.env._("Open"), series.action_open_cards())

    def _note_problem(self, problem):
        """Say in the chatter, once, why the cards are not made yet; the job tries again later."""
        _logger.warning("The cards of series %s are not made: %s", self.name, problem)
        if problem not in (self.message_ids[:1].body or ''):
            self.message_post(body=problem)

    def _get_progress_help(self):
        """Return what an empty list of cards says while they are generated, as HTML."""
        progress = self.env._(
            "The cards are being generated: %(made)s of %(quantity)s are made.",
            made=format_count(self.env, self.generated),
            quantity=format_count(self.env, self.quantity),
        )
        promise = self.env._(
            "They appear here as they are made. You are told when the series is ready."
        )
        html = Markup('<p class="o_view_nocontent_smiling_face">%s</p><p>%s</p>')
        return html % (progress, promise)

    def action_open_cards(self):
        """Say in the empty list how many cards were made so far."""
        action = super().action_open_cards()
        if self.state == 'generating':
            action['help'] = self._get_progress_help()
            action['context']['generating_series_id'] = self.id
        return action
