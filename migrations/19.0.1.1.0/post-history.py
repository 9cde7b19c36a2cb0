"""Names go from the notes of the history into columns, which are shown to whoever may see them."""

USES = """
    UPDATE refill_card_event event
       SET partner_id = card.partner_id, payment_id = card.payment_id,
           used_company_id = card.used_company_id, amount = series.price,
           currency_id = series.currency_id
      FROM refill_card card
      JOIN refill_card_series series ON series.id = card.series_id
     WHERE card.used_on IS NOT NULL
       AND event.id = (
               SELECT max(id) FROM refill_card_event WHERE card_id = card.id AND new_state = 'used'
           )
"""
# What is left of the note is what somebody typed.
TAKEN_BACK = """
    UPDATE refill_card_event event
       SET partner_id = payment.partner_id, payment_id = payment.id,
           used_company_id = payment.company_id, amount = payment.amount,
           currency_id = payment.currency_id,
           note = NULLIF(substr(event.note, length(payment.name) + 11), 'as taken back')
      FROM account_payment payment
     WHERE event.old_state = 'used' AND payment.memo = event.serial
       AND (event.note = 'Payment ' || payment.name || ' was taken back'
            OR starts_with(event.note, 'Payment ' || payment.name || ': '))
"""
SENT = """
    UPDATE refill_card_event event
       SET note = 'Sent by e-mail',
           partner_id = (
               SELECT min(id) FROM res_partner
                WHERE complete_name = substr(event.note, length('Sent by e-mail to ') + 1)
               HAVING count(*) = 1
           )
     WHERE starts_with(event.note, 'Sent by e-mail to ')
"""


def migrate(cr, version):
    for query in (USES, TAKEN_BACK, SENT):
        cr.execute(query)
