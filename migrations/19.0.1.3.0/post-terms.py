"""What a card of another company was debited for says on what terms somebody had it, too."""


def migrate(cr, version):
    cr.execute(
        """
        UPDATE account_move_line line
           SET refill_card_terms = card.terms,
               refill_card_holder_id = CASE WHEN card.terms = 'consigned' THEN card.holder_id END
          FROM refill_card card
          JOIN account_payment payment ON payment.id = card.payment_id
         WHERE line.move_id = payment.move_id AND card.terms IS NOT NULL
           AND line.refill_card_debtor_id IS NOT NULL
           -- Of its own cards, a company is owed by who has them.
           AND (card.terms != 'consigned' OR line.refill_card_debtor_id != card.holder_id)
        """
    )
