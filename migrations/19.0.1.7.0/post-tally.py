"""The tally tells why cards are disabled, too: it begins again with a recount."""


def migrate(cr, version):
    cr.execute("DELETE FROM refill_card_tally")
    cr.execute(
        """
        INSERT INTO refill_card_tally (series_id, state, disable_reason, company_id, count)
        SELECT series_id, state, disable_reason, used_company_id, count(*) FROM refill_card
         GROUP BY series_id, state, disable_reason, used_company_id
        """
    )
