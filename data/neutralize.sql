-- A copy of a database tells other systems nothing.
UPDATE refill_card_webhook
   SET active = false;
