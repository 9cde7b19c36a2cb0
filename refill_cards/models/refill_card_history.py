from odoo import api, models
from odoo.tools import SQL


class Operation:
    """What is done to cards at once, in the context of the write that is a part of it.

    It is proof, too: no client can send an object.

    :param str reference: what its events share.
    """

    def __init__(self, reference=None):
        self.reference = reference
        self._is_taken = False

    @classmethod
    def take(cls, env):
        """Return the operation that a write is a part of, None without one.

        Once: what is written within that write, or after it by another addon, is no part of it.
        """
        operation = env.context.get('refill_card_operation')
        if not isinstance(operation, cls) or operation._is_taken:
            return None
        operation._is_taken = True
        return operation


class RefillCard(models.Model):
    """What cards write into the audit log: set-based, a method a kind of event."""

    _inherit = 'refill.card'

    def _operating(self):
        """Return the cards as an operation writes them, once, past the refusal in :meth:`write`."""
        return self.with_context(refill_card_operation=Operation())

    def _log(self, *, domain=None, channel='backend', **values):
        """Write into the audit log what was done with cards whose state stays.

        :param odoo.fields.Domain domain: which cards, when they are too many for a recordset.
        :param values: further columns of the events; a note must not hold a code, nor a name.
        """
        self.flush_model()
        cards = SQL(
            """
            (SELECT card.id, series_id, company_id, card.name, card.state AS old_state,
                    card.historical_value
               FROM (SELECT * FROM refill_card WHERE %s) AS card
               JOIN refill_card_series series ON series.id = series_id
                FOR KEY SHARE)
            """,
            self._get_condition(domain),
        )
        values = {'new_state': SQL("card.old_state"), 'channel': channel, **values}
        logged = self.env['refill.card.event']._get_insert(cards, **values)
        noticed = self.env['refill.card.outbox']._get_insert(SQL("logged"))
        self.env.cr.execute(SQL("WITH logged AS (%s) %s", logged, noticed))
        self.invalidate_model(['event_ids'])

    def _log_deleted(self, reference):
        self._log(new_state='deleted', reference=reference)

    def _log_shown(self, channel='backend'):
        self._log(note=self.env._("Code shown"), channel=channel)

    def _log_drawn(self, channel):
        self._log(note=self.env._("PDF with the code made"), channel=channel)

    def _log_sending(self, note, partner):
        """:param res.partner partner: the customer to whom the cards are sent."""
        self._log(note=note, partner_id=partner.id or None)

    @api.model
    def _next_reference(self):
        """Return the reference for the events of the next operation."""
        # sudo: the sequence is nobody's business
        return self.env['ir.sequence'].sudo().next_by_code('refill.card.event')

    def _prepare_use_values(self):
        """Return what the audit log tells about the use of the card, besides its change.

        :rtype: dict
        """
        return {
            'partner_id': self.partner_id.id or None,
            'payment_id': self.payment_id.id or None,
            'used_company_id': self.used_company_id.id or None,
            'amount': self.price,
            'currency_id': self.currency_id.id,
        }
