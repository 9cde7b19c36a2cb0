"""Cards are counted by a tally of their changes, which begins with a recount."""


def migrate(cr, version):
    cr.execute("DELETE FROM refill_card_tally")
    cr.execute(
        """
        INSERT INTO refill_card_tally (series_id, state, company_id, count)
        SELECT series_id, state, used_company_id, count(*) FROM refill_card
         GROUP BY series_id, state, used_company_id
        """
    )
