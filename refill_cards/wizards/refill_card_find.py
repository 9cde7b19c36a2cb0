from contextlib import suppress

from odoo import fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from .. import codes
from ..wording import format_count

MAX_CANDIDATES = 100
BATCH = 20_000


class RefillCardFind(models.TransientModel):
    _name = 'refill.card.find'
    _inherit = 'refill.card.window'
    _description = "Find a Damaged Refill Card"

    series_id = fields.Many2one(comodel_name='refill.card.series')
    # Never stored: a part of a code does not reach a table in clear.
    typed = fields.Char(
        string="Readable Part of the Code",
        compute='_compute_typed',
        inverse='_inverse_typed',
        help="With the question mark for each character that cannot be read.",
    )
    candidate_ids = fields.Many2many(comodel_name='refill.card')
    request_id = fields.Many2one(
        comodel_name='refill.card.replacement.request',
        readonly=True,
        ondelete='cascade',
        help="Of the customer who has the card.",
    )

    def _compute_typed(self):
        self.typed = False

    def _inverse_typed(self):
        for wizard in self:
            if texts := wizard._get_texts():
                wizard.candidate_ids = wizard._find_candidates(texts)

    def _get_texts(self):
        """Return what can be the readable part of the code: typed here, or else by the customer.

        What the customer typed may be a whole code: it stays on the server.

        :rtype: list[str]
        """
        if self.typed:
            return [self.typed]
        told = self.request_id._open_characters()
        return [told, *told.split()] if told else []

    def _find_candidates(self, texts):
        """Return the cards of the series whose code fits, and write the search down.

        :param list[str] texts: the first of them that looks like a code counts.
        :rtype: refill.card
        :raise AccessError: when the user may not get at the codes of the series.
        :raise UserError: when that is no part of a code of the series, or the user did not type
            their password just now.
        """
        series = self.series_id
        if not series:
            raise UserError(self.env._("Choose the series that is printed as serial number."))
        series.check_access('read')
        if not series._may_see_codes():
            raise AccessError(self.env._("You may not look for the codes of these refill cards."))
        # What fits a part of a code tells the code, a character at a time.
        cards = self.env['refill.card']
        cards._check_identity()
        for text in texts:
            self.env['refill.card.canary']._catch(text, cards._get_channel())
        found = self._search_codes(self._read_pattern(texts))
        # sudo: whether or not that company is chosen
        self.env['refill.card.lockout']._count_shown(series.sudo().company_id)
        note = self.env._(
            "Looked for a damaged card: %(count)s found.", count=format_count(self.env, len(found))
        )
        if len(found) > MAX_CANDIDATES:
            note = self.env._(
                "Looked for a damaged card: more than %(maximum)s found.", maximum=MAX_CANDIDATES
            )
        series.message_post(body=note)
        series._log(note)
        return found

    def _read_pattern(self, texts):
        # sudo: the prefix and the alphabet, whoever looks
        code_format = self.series_id.sudo()._get_format()
        for text in texts:
            with suppress(codes.Typo):
                return code_format.pattern(text)
        raise UserError(
            self.env._(
                "Codes of series %(series)s do not look like this. Type all characters after"
                " the prefix, “?” for each that cannot be read; at least %(minimum)s must be"
                " readable.",
                series=self.series_id.name,
                minimum=codes.READABLE,
            )
        )

    def _search_codes(self, pattern):
        """Open the codes of the series, a batch at a time, and return the cards that match.

        One more than the maximum tells that there are too many: an error here would undo the
        record of the search.

        :param re.Pattern pattern: of bodies.
        """
        cards = self.env['refill.card']
        found = []
        domain = Domain('series_id', '=', self.series_id.id)
        for ids, bodies in cards._iterate_codes(domain, BATCH):
            found += [id_ for id_, body in zip(ids, bodies, strict=True) if pattern.fullmatch(body)]
            if len(found) > MAX_CANDIDATES:
                break
        return cards.browse(found[: MAX_CANDIDATES + 1])

    @check_identity
    def action_open(self):
        """Open the window."""
        return self.env['ir.actions.act_window']._for_xml_id('refill_cards.refill_card_find_action')

    def action_find(self):
        """Open the list of the cards that it can be.

        :raise UserError: when there are none, or too many.
        """
        self.ensure_one()
        if not self.candidate_ids:
            raise UserError(self.env._("No card of this series has such a code."))
        if len(self.candidate_ids) > MAX_CANDIDATES:
            raise UserError(
                self.env._(
                    "More than %(maximum)s cards fit. Type more of the code.",
                    maximum=MAX_CANDIDATES,
                )
            )
        action = self.env['ir.actions.act_window']._for_xml_id('refill_cards.refill_card_action')
        return {
            **action,
            'display_name': self.env._("Candidates"),
            'domain': [('id', 'in', self.candidate_ids.ids)],
            'context': {'is_found': True, **self.request_id._get_window_context()},
        }
