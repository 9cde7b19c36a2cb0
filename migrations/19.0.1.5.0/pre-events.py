"""The audit log's columns have no foreign keys where these cost most; the addon sees to them."""


def migrate(cr, version):
    for column in ('card_id', 'series_id', 'company_id', 'user_id'):
        cr.execute(
            f'ALTER TABLE refill_card_event DROP CONSTRAINT IF EXISTS'
            f' refill_card_event_{column}_fkey'
        )
