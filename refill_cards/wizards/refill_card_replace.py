from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from ..models.refill_card_replacement import REPLACE_REASONS


class RefillCardReplace(models.TransientModel):
    """New cards in the place of one, of some, of a range or of whole series."""

    _name = 'refill.card.replace'
    _inherit = 'refill.card.operation.mixin'
    _description = "Replace Refill Cards"

    operation = fields.Selection(selection_add=[('replace', "Replace")], default='replace')
    card_count = fields.Integer(string="Cards to Replace")
    reason = fields.Selection(selection=REPLACE_REASONS, string="Why")
    reason_text = fields.Char(string="Details", help="Goes into the audit log.")
    then = fields.Selection(
        selection=[
            ('print', "Print the new cards"),
            ('send', "Send the new cards by e-mail"),
            ('show', "Show the new cards"),
        ],
        string="Next",
        required=True,
        default='print',
        help="The new cards can be printed and sent later, too.",
    )
    request_id = fields.Many2one(
        comodel_name='refill.card.replacement.request', readonly=True, ondelete='cascade'
    )
    reference = fields.Char(readonly=True, help="What the audit log calls the operation.")

    def _check_complete(self):
        if not self.reason:
            raise UserError(self.env._("Choose why the cards are replaced."))
        if self.reason == 'other' and not (self.reason_text or '').strip():
            raise UserError(self.env._("Say in the details why the cards are replaced."))
        if problem := self._get_range_problem():
            raise UserError(problem)
        if self.request_id and len(self.card_ids) != 1:
            raise UserError(self.env._("A customer's request is about one card."))
        return super()._check_complete()

    def _get_kept_back(self):
        kept = self.env['refill.card']._get_kept_domain()
        return [
            *super()._get_kept_back(),
            (kept, self.env._("%(count)s kept for a draft, which names their serial numbers")),
        ]

    def action_confirm(self):
        """Replace the cards, and print, send or show the new ones.

        :raise UserError: when something is missing, or no card can be replaced.
        """
        done = super().action_confirm()
        done['params']['next'] = self._open_new()
        return done

    def _apply(self):
        cards = self.env['refill.card']
        self.reference = cards._next_reference()
        details = (self.reason_text or '').strip()
        domain = self._get_selection_domain()
        replaced = cards._replace(self.reason, details, domain, self.reference)
        if not replaced:
            raise UserError(
                self.env._(
                    "Somebody else has just changed, redeemed or replaced these cards. Please look"
                    " at them again."
                )
            )
        if self.request_id:
            self.request_id._accept(self.card_ids)
        return replaced

    def _open_new(self):
        """Return the action for the new cards."""
        made = [
            ('event_ids', 'any', [('reference', '=', self.reference)]),
            ('replaces_id', '!=', False),
            # Not those of before that were in the place of others themselves.
            ('replaced_by_id', '=', False),
        ]
        cards = self.env['refill.card']
        if self.then == 'show':
            action = cards.search(made, limit=2)._get_records_action(domain=made)
            return {**action, 'name': self.env._("New Cards")}
        if self.then == 'print':
            return self._open_print_window(made)
        cards = cards.search(made)
        customers = [Command.set(self.request_id.partner_id.ids)]
        return cards.with_context(default_partner_ids=customers).action_send()

    def _open_print_window(self, made):
        """Return the action that prints the new cards, those of one series as a range.

        Which they are: a selection of so many would take as long as replacing them.

        :param list made: the domain of the new cards.
        """
        cards = self.env['refill.card']
        measured = ['__count', 'number:min', 'number:max']
        [(series, count, first, last), *others] = cards._read_group(made, ['series_id'], measured)
        if others or count != last - first + 1:
            return cards.search(made)._open_export_window(file_format='pdf')
        of_series = Domain('series_id', '=', series.id)
        first, last = (cards.search(of_series & Domain('number', '=', n)) for n in (first, last))
        return series._open_export_window(file_format='pdf', first_id=first.id, last_id=last.id)

    def _get_window(self):
        """Return the action that opens this window."""
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_replace_action'
        )
        return {**action, 'res_id': self.id}
