from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, split_every

from ..wording import format_count
from .refill_card_generation import NUMBER_DIGITS
from .refill_card_outbox import CARDS_A_MESSAGE

# A user waits for so many, half a minute on a busy machine. They fit into one PDF.
REPLACED_AT_ONCE = 100_000


class RefillCardSeries(models.Model):
    """New cards of a series that take the place of others."""

    _inherit = 'refill.card.series'

    def _count_usable(self):
        replaced = [('series_id', '=', self.id), ('disable_reason', '=', 'replaced')]
        # sudo: whoever makes cards
        return super()._count_usable() - self.env['refill.card'].sudo().search_count(replaced)

    @api.model
    def _count_guessable(self, alphabet, length):
        """No guess hits a card that was replaced."""
        replaced = [
            ('disable_reason', '=', 'replaced'),
            ('series_id.alphabet', '=', alphabet),
            ('series_id.code_length', '=', length),
        ]
        # sudo: whoever makes cards
        cards_sudo = self.env['refill.card'].sudo()
        return super()._count_guessable(alphabet, length) - cards_sudo.search_count(replaced)

    # -------------------------------------------------------------------------
    # NUMBERS
    # -------------------------------------------------------------------------

    def _keep_numbers(self):
        """Let nobody else number new cards of these series until this transaction ends.

        Also not in the series from which their cards come. Written, because two that only read what
        the other one writes would both pass: the second one is tried again.
        """
        stems = [series._get_last_serial().rpartition('-')[0] for series in self]
        self.flush_model()
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card_series SET write_date = %s"
                " WHERE id = ANY(%s) OR name = ANY(%s)",
                *(fields.Datetime.now(), self.ids, stems),
            )
        )

    def _get_last_serial(self):
        """Return the last serial number that was given to cards made together with these.

        Those that moved to other series count, too, and those that are not there any more: their
        numbers are in the audit log.

        :rtype: str
        """
        card = self.env['refill.card'].search([('series_id', '=', self.id)], limit=1)
        stem, _dash, number = card.name.rpartition('-')
        if not number.isdecimal() or int(number) != card.number:  # not given here
            stem, number = self.name, '0' * NUMBER_DIGITS
        highest = self.env['refill.card']._get_highest_number(stem, len(number))
        return f'{stem}-{max(highest, self.generated):0{len(number)}}'

    def _get_next_serials(self, count):
        """Return the first and the last of the next serial numbers.

        :param int count: how many.
        :rtype: tuple[str, str]
        :raise UserError: when they would be longer than the others, and sort among them.
        """
        stem, _dash, number = self._get_last_serial().rpartition('-')
        first, last = (f'{stem}-{int(number) + offset:0{len(number)}}' for offset in (1, count))
        if len(last) > len(f'{stem}-{number}'):
            raise UserError(
                self.env._(
                    "Series %(series)s has no serial numbers left for new cards. Disable the old"
                    " cards, and hand out cards of another series.",
                    series=self.name,
                )
            )
        return first, last

    # -------------------------------------------------------------------------
    # REPLACING
    # -------------------------------------------------------------------------

    @api.model
    def _check_replaced_at_once(self, count):
        """:raise UserError: when the user would wait too long for so many new cards."""
        if count > REPLACED_AT_ONCE:
            raise UserError(
                self.env._(
                    "Replace up to %(maximum)s cards at a time: choose a range of serial numbers.",
                    maximum=format_count(self.env, REPLACED_AT_ONCE),
                )
            )

    def _replace_cards(self, domain, note, history):
        """Replace cards of the series, as superuser; see ``refill.card._replace``.

        :param odoo.fields.Domain domain: which cards.
        :param str note: why, for the audit log.
        :param dict history: what all events of the operation tell.
        :return: how many were replaced.
        :rtype: int
        """
        self.ensure_one()
        if self.state != 'ready':
            raise UserError(self.env._("The cards are still being generated."))
        cards = self.env['refill.card']
        last = int(self._get_last_serial().rpartition('-')[2])
        old = domain & Domain('series_id', '=', self.id) & Domain('number', '<=', last)
        if not (count := cards._hold(old)):
            return 0
        first_serial, last_serial = self._get_next_serials(count)
        self._draw_cards(list(range(last + 1, last + count + 1)), like=first_serial)
        new = cards._get_range_domain(first_serial, last_serial)
        cards._hand_over(old, new, last)
        born = 'inactive' if self.activation_required else 'active'
        cards._log(domain=new, old_state=born, note=cards._get_note_of_new(note), **history)
        came_back = new & Domain('replaces_id.state', '=', 'disabled')
        cards._work_if_paid(came_back, history['reference'])
        cards._give_up(old, cards._get_note_of_replaced(note), history)
        self.write({'quantity': self.quantity + count, 'generated': self.generated + count})
        self._tell_replaced(new, history['reference'])
        if not self.active:
            cards._unarchive_series()
        return count

    def _tell_replaced(self, new, reference):
        """Tell other systems which cards were replaced by which.

        :param odoo.fields.Domain new: the cards that replace others.
        :param str reference: what the events of the operation share.
        """
        # sudo: whether or not that company is chosen
        if not self.env['refill.card.outbox']._is_listening(self.sudo().company_id):
            return
        cards = self.env['refill.card']._describe_replaced(new)
        for some in split_every(CARDS_A_MESSAGE, cards):
            self._tell('replaced', {'operation': reference, 'cards': list(some)})
