"""The audit log's columns have no foreign keys where these cost most; the addon sees to them."""


def migrate(cr, version):
    cr.execute(
        """
        ALTER TABLE refill_card_event
              DROP CONSTRAINT IF EXISTS refill_card_event_card_id_fkey,
              DROP CONSTRAINT IF EXISTS refill_card_event_series_id_fkey,
              DROP CONSTRAINT IF EXISTS refill_card_event_company_id_fkey,
              DROP CONSTRAINT IF EXISTS refill_card_event_user_id_fkey
        """
    )
