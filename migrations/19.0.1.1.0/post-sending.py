"""Cards that were sent by e-mail know their e-mail."""

from odoo.tools.sql import column_exists


def migrate(cr, version):
    if not column_exists(cr, 'refill_card', 'sent_on'):
        return
    cr.execute(
        """
        WITH sending AS (
            INSERT INTO refill_card_sending (name, partner_id, email, company_id, layout_id,
                                             card_count, state, sent_on, create_date, write_date)
            SELECT min(card.name) || '.pdf', card.sent_to_id, min(partner.email),
                   series.company_id,
                   COALESCE(min(series.layout_id), (SELECT min(id) FROM refill_card_layout)),
                   count(*), 'sent', card.sent_on, card.sent_on, card.sent_on
              FROM refill_card card
              JOIN refill_card_series series ON series.id = card.series_id
              JOIN res_partner partner ON partner.id = card.sent_to_id
             WHERE card.sent_on IS NOT NULL AND card.sending_id IS NULL
             GROUP BY card.sent_to_id, series.company_id, card.sent_on
         RETURNING id, partner_id, company_id, sent_on
        )
        UPDATE refill_card card SET sending_id = sending.id
          FROM sending JOIN refill_card_series series ON series.company_id = sending.company_id
         WHERE card.series_id = series.id AND card.sending_id IS NULL
           AND card.sent_to_id = sending.partner_id AND card.sent_on = sending.sent_on
        """
    )
