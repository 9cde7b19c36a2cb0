-- What must be zero, or small: each line says what it counts. Run it on the primary, with a role that
-- reads all tables and has pg_monitor, every ten minutes: among ten million cards it takes seconds.
WITH
card_payment AS (
    SELECT payment.id, payment.state
      FROM account_payment payment
      JOIN account_payment_method method ON method.id = payment.payment_method_id
     WHERE method.code = 'refill_card'
),
-- Another one at each run: to count all again takes longest.
sampled AS (
    SELECT id FROM refill_card_series ORDER BY random() LIMIT 1
),
counted AS (
    SELECT series_id, state, disable_reason, used_company_id AS company_id, count(*)
      FROM refill_card WHERE series_id IN (SELECT id FROM sampled) GROUP BY 1, 2, 3, 4
),
tallied AS (
    SELECT series_id, state, disable_reason, company_id, sum(count) AS count
      FROM refill_card_tally WHERE series_id IN (SELECT id FROM sampled) GROUP BY 1, 2, 3, 4
    HAVING sum(count) <> 0
)
SELECT 'used cards without a posted payment' AS what, count(*)::numeric AS found, 0 AS allowed
  FROM refill_card card
  JOIN refill_card_series series ON series.id = card.series_id
  LEFT JOIN account_payment payment ON payment.id = card.payment_id
 WHERE card.state = 'used'
   -- Imported cards may have been used where they come from.
   AND (card.used_company_id IS NOT NULL OR series.is_foreign IS NOT TRUE)
   AND (payment.id IS NULL OR payment.state NOT IN ('in_process', 'paid'))
UNION ALL
SELECT 'posted payments by card without a used card', count(*), 0
  FROM card_payment payment
 WHERE payment.state IN ('in_process', 'paid')
   AND NOT EXISTS (SELECT FROM refill_card WHERE payment_id = payment.id AND state = 'used')
UNION ALL
SELECT 'payments that several cards name', count(*), 0
  FROM (SELECT FROM refill_card WHERE payment_id IS NOT NULL
         GROUP BY payment_id HAVING count(*) > 1) AS twice
UNION ALL
SELECT 'counters of a series, by chance, that differ from a recount', count(*), 0
  FROM counted FULL JOIN tallied
    ON counted.series_id = tallied.series_id AND counted.state = tallied.state
   AND counted.disable_reason IS NOT DISTINCT FROM tallied.disable_reason
   AND counted.company_id IS NOT DISTINCT FROM tallied.company_id
 WHERE counted.count IS DISTINCT FROM tallied.count
UNION ALL
SELECT 'cards past their last day by two days that still work', count(*), 0
  FROM refill_card
 WHERE state IN ('active', 'inactive') AND valid_till < current_date - 2
UNION ALL
SELECT 'jobs that failed, or are an hour late', count(*), 0
  FROM ir_cron
 WHERE active AND (failure_count > 0 OR nextcall < now() AT TIME ZONE 'UTC' - interval '1 hour')
UNION ALL
SELECT 'exports that failed', count(*), 0 FROM refill_card_export WHERE state = 'failed'
UNION ALL
SELECT 'e-mails with cards that failed', count(*), 0
  FROM mail_mail mail JOIN mail_message message ON message.id = mail.mail_message_id
 WHERE mail.state = 'exception' AND message.model LIKE 'refill.card%'
UNION ALL
SELECT 'seconds that the oldest transaction has been open', coalesce(max(round(extract(epoch FROM
       now() - xact_start))), 0), 600
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
UNION ALL
SELECT 'seconds that the oldest transaction has waited for a lock', coalesce(max(round(extract(
       epoch FROM now() - state_change))), 0), 10
  FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
UNION ALL
SELECT 'replicas that are missing', 1 - count(*), 0
  FROM pg_stat_replication WHERE state = 'streaming'
UNION ALL
SELECT 'seconds that the replica is behind', coalesce(max(round(extract(
       epoch FROM replay_lag), 1)), 0), 5
  FROM pg_stat_replication
UNION ALL
SELECT 'megabytes kept for replicas', coalesce(max(round(
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) / 1e6)), 0), 2000
  FROM pg_replication_slots
UNION ALL
SELECT 'dead rows of the cards'' table, percent', coalesce(max(round(
       100 * n_dead_tup / greatest(n_live_tup, 1000))), 0), 20
  FROM pg_stat_user_tables WHERE relname = 'refill_card'
