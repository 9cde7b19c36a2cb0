-- PostgreSQL's defaults wait until a fifth of a table has changed: of ten million cards, two million.
ALTER TABLE refill_card SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
-- Only added to: what counts is that pages are marked as visible to all, for index-only scans.
ALTER TABLE refill_card_event SET (
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
-- Small, and rewritten by each fold.
ALTER TABLE refill_card_tally SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000
);
