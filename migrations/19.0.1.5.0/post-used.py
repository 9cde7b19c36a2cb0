"""Cards tell that they were used before and given back since."""


def migrate(cr, version):
    cr.execute(
        """
        UPDATE refill_card SET was_used = TRUE
         WHERE id IN (SELECT card_id FROM refill_card_event WHERE old_state = 'used')
        """
    )
