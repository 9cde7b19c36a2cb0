"""Indexes of more columns have taken their place; Odoo keeps those that it no longer knows."""


def migrate(cr, version):
    cr.execute(
        """
        DROP INDEX IF EXISTS refill_card__used_company_id_index,
                             refill_card_event__company_id_index,
                             refill_card_event__series_id_index
        """
    )
