"""What cards say stays once somebody has one."""


def migrate(cr, version):
    cr.execute(
        """
        UPDATE refill_card_series SET codes_left_on = now() AT TIME ZONE 'UTC'
         WHERE codes_left_on IS NULL
           AND id IN (SELECT series_id FROM refill_card WHERE terms IS NOT NULL)
        """
    )
