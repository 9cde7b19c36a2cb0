from odoo import api, models
from odoo.tools import SQL, Query


class RefillCard(models.Model):
    """Resellers who settle by activation: their cards are sold once they are activated.

    Nothing is booked then: the settlement bills what was sold so.
    """

    _inherit = 'refill.card'

    def _change_state(self, state, *, note=None, event=None, **kwargs):
        """Sell cards on consignment as they are activated, or take that back with the activation.

        In the statement that changes them, so that no other transaction sees one without the other.
        """
        if state not in ('inactive', 'active') or 'terms' in kwargs:
            return super()._change_state(state, note=note, event=event, **kwargs)
        if state == 'active':
            terms, condition, movement = 'sold', self._get_sold_by_activation(), 'sold'
            told = self.env._("Sold by activation")
            kwargs['historical_value'] = self._get_value_sold_by_activation(condition)
        else:
            terms, condition, movement = 'consigned', self._get_sale_taken_back(), 'returned'
            told = self.env._("On consignment again")
        event, day = event or {}, self.env.company._get_refill_card_day()
        movement = self._get_movement(movement, day)
        changed = SQL("card.terms IS DISTINCT FROM card.old_terms")
        return super()._change_state(
            state,
            note=SQL("CASE WHEN %s THEN %s ELSE %s END", changed, told, note),
            event={
                **event,
                **{
                    column: SQL(
                        "CASE WHEN %s THEN %s ELSE %s END", changed, value, event.get(column)
                    )
                    for column, value in movement.items()
                    if value is not None
                },
                'partner_id': SQL(
                    "CASE WHEN %s THEN card.holder_id ELSE %s END", changed, event.get('partner_id')
                ),
            },
            terms=SQL("CASE WHEN %s THEN %s ELSE card.terms END", condition, terms),
            handed_out_on=SQL(
                "CASE WHEN %s THEN %s ELSE card.handed_out_on END",
                *(condition, day),
            ),
            **kwargs,
        )

    @api.model
    def _get_value_sold_by_activation(self, condition):
        """Return what cards are worth in the books from their activation on.

        :param SQL condition: under which that sells a card.
        :rtype: SQL
        """
        day = self.env.company._get_refill_card_day()
        value = self.env['refill.card.series']._get_face_value_sql(day)
        return SQL("CASE WHEN %s THEN %s ELSE card.historical_value END", condition, value)

    @api.model
    def _get_sold_by_activation(self):
        """Return the condition under which the activation of a card sells it.

        :return: it names the table ``before``: the card as it was.
        :rtype: SQL
        """
        # sudo: whoever activates a card, the agreement with its reseller is the same
        cards_sudo = self.sudo()
        domain = self.env['refill.card.agreement']._get_owed_once_activated_domain()
        owed = Query(self.env, 'owed', SQL.identifier(self._table))
        owed.add_where(SQL("owed.id = before.id"))  # one by one: there may be a million others
        owed.add_where(domain.optimize_full(cards_sudo)._to_sql(cards_sudo, 'owed', owed))
        return SQL(
            "before.state = 'inactive' AND before.terms = 'consigned' AND EXISTS (%s)",
            owed.select(SQL("1")),
        )

    @api.model
    def _get_sale_taken_back(self):
        """Return the condition under which a card is on consignment again as it is deactivated.

        :return: it names the table ``before``: the card as it was.
        :rtype: SQL
        """
        return SQL(
            "before.state = 'active' AND before.terms = 'sold' AND before.holder_id IS NOT NULL"
            " AND before.invoice_line_id IS NULL AND before.reserved_line_id IS NULL"
        )
