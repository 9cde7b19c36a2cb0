"""The audit log of before does not tell by which events what is owed for cards changed.

Redemptions are told by their payments; sales by the cards that are sold now. What was sold and
returned before has no movement: it changes nothing of what is owed.
"""


def migrate(cr, version):
    cr.execute(
        """
        UPDATE refill_card_event event
           SET movement = CASE event.new_state WHEN 'used' THEN 'redeemed' ELSE 'given_back' END,
               accounting_date = CASE event.new_state WHEN 'used' THEN entry.date
                                 ELSE COALESCE(reversal.date, entry.date) END,
               terms = CASE debit.account_id
                       WHEN root.refill_card_settlement_account_id THEN 'consigned'
                       WHEN root.refill_card_gift_account_id THEN 'given' END
          FROM account_payment payment
          JOIN account_move entry ON entry.id = payment.move_id
          LEFT JOIN account_move reversal
            ON reversal.reversed_entry_id = entry.id AND reversal.state = 'posted'
          LEFT JOIN account_move_line debit ON debit.move_id = entry.id AND debit.balance > 0
          JOIN res_company company ON company.id = entry.company_id
          JOIN res_company root ON root.id = split_part(company.parent_path, '/', 1)::int
         WHERE payment.id = event.payment_id AND event.movement IS NULL
           AND event.old_state IS DISTINCT FROM event.new_state
           AND (event.new_state = 'used' OR event.old_state = 'used')
        """
    )
    # Of a card of another company its journal item tells the terms.
    cr.execute(
        """
        UPDATE refill_card_event event SET terms = debit.refill_card_terms
          FROM account_payment payment
          JOIN account_move_line debit ON debit.move_id = payment.move_id AND debit.balance > 0
          JOIN refill_card_series series ON series.id = debit.refill_card_series_id
          JOIN res_company issuer ON issuer.id = series.company_id
          JOIN res_company company ON company.id = debit.company_id
         WHERE payment.id = event.payment_id AND event.movement IN ('redeemed', 'given_back')
           AND split_part(issuer.parent_path, '/', 1) != split_part(company.parent_path, '/', 1)
        """
    )
    cr.execute(
        """
        INSERT INTO refill_card_event (card_id, series_id, company_id, serial, date, channel,
                                       old_state, new_state, movement, accounting_date, move_id)
        SELECT card.id, card.series_id, series.company_id, card.name,
               now() AT TIME ZONE 'UTC', 'automatic', card.state, card.state, 'sold',
               card.handed_out_on,
               CASE WHEN line.refill_card_role = 'sale' THEN line.move_id END
          FROM refill_card card
          JOIN refill_card_series series ON series.id = card.series_id
          LEFT JOIN account_move_line line ON line.id = card.invoice_line_id
         WHERE card.terms = 'sold'
        """
    )
