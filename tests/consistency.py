"""What must hold of cards, payments and books whatever happened to the server.

Each check takes an environment of the superuser and yields a sentence for each contradiction. They
are for databases whose cards were neither deleted singly nor moved to another series. Used by
tests, and by `python3 sandbox bench --faults` after each fault.
"""

from odoo.tools import SQL


def find_contradictions(env):
    """Return a sentence for each contradiction in the database, none when all is in order.

    :rtype: list[str]
    """
    env.invalidate_all()
    return [sentence for check in CHECKS for sentence in check(env)]


def _used_cards_are_posted_payments(env):
    for card, payment in env.execute_query(
        SQL(
            """
            WITH payment AS (
                SELECT payment.id, payment.name, payment.amount
                  FROM account_payment payment
                  JOIN account_move entry ON entry.id = payment.move_id AND entry.state = 'posted'
                  JOIN account_payment_method_line line ON line.id = payment.payment_method_line_id
                  JOIN account_payment_method method ON method.id = line.payment_method_id
                 WHERE method.code = 'refill_card' AND payment.state IN ('in_process', 'paid')
            ), used AS (
                SELECT card.name, card.payment_id, series.price
                  FROM refill_card card JOIN refill_card_series series ON series.id = series_id
                 -- Cards that were used before they were imported have none.
                 WHERE card.state = 'used'
                   AND (payment_id IS NOT NULL OR series.is_foreign IS NOT TRUE)
            )
            SELECT used.name, payment.name
              FROM used FULL JOIN payment ON payment.id = payment_id AND amount = price
             WHERE used.name IS NULL OR payment.id IS NULL
             UNION ALL
            SELECT min(name), 'payment ' || payment_id FROM used
             GROUP BY payment_id HAVING count(*) > 1
            """
        )
    ):
        yield f"used card {card} and posted payment {payment} do not belong together"


def _numbers_have_no_gap(env):
    for journal, prefix, count, first, last in env.execute_query(
        SQL(
            """
            SELECT journal_id, sequence_prefix, count(*), min(sequence_number), max(sequence_number)
              FROM account_move WHERE state <> 'draft' AND sequence_number > 0
             GROUP BY journal_id, sequence_prefix
            HAVING count(*) <> max(sequence_number) OR min(sequence_number) <> 1
            """
        )
    ):
        yield f"journal {journal}: {count} entries are numbered {prefix}{first} to {last}"


def _series_are_whole(env):
    for name, state, quantity, generated, count, first, last in env.execute_query(
        SQL(
            """
            SELECT series.name, series.state, quantity, generated, count(card.id),
                   coalesce(min(number), 1), coalesce(max(number), 0)
              FROM refill_card_series series LEFT JOIN refill_card card ON series_id = series.id
             GROUP BY series.id
            HAVING count(card.id) <> generated OR coalesce(max(number), 0) <> generated
                OR coalesce(min(number), 1) <> 1
                OR (series.state = 'ready') <> (generated = quantity)
            """
        )
    ):
        yield (
            f"series {name} is {state}: {count} cards from {first} to {last}, {generated} of"
            f" {quantity} are said to be made"
        )


def _files_are_whole(env):
    for export in env['refill.card.export'].search([('state', '!=', 'removed')]):
        attachment = export.env['ir.attachment'].search(
            [
                ('res_model', '=', export._name),
                ('res_id', '=', export.id),
                ('res_field', '=', 'file'),
            ]
        )
        ranges = env['refill.card.export.range'].search([('export_id', '=', export.id)])
        held = sum(each.last_card - each.first_card + 1 for each in ranges)
        if export.state != 'ready':
            if attachment or ranges:
                yield f"export {export.name} is {export.state} and has a file"
            continue
        content = attachment.raw if len(attachment) == 1 else b''
        if not content or len(content) != attachment.file_size:
            yield f"export {export.name} is ready without its whole file"
        if held != export.card_count:
            yield f"export {export.name} holds {held} of {export.card_count} cards"
        if export.name.endswith('.csv') and content.count(b'\n') != export.card_count + 1:
            yield f"export {export.name} has not a line for each of {export.card_count} cards"


def _counters_equal_a_recount(env):
    counted = {
        (series_id, state): count
        for series_id, state, count in env.execute_query(
            SQL(
                "SELECT series_id, CASE WHEN disable_reason = 'replaced' THEN disable_reason"
                " ELSE state END, count(*) FROM refill_card GROUP BY 1, 2"
            )
        )
    }
    states = [state for state, _label in env['refill.card']._fields['state'].selection]
    states.append('replaced')
    for series in env['refill.card.series'].with_context(active_test=False).search([]):
        for state in states:
            told, count = series[f'{state}_count'], counted.get((series.id, state), 0)
            if told != count:
                yield f"series {series.name} tells {told} {state} cards and has {count}"


def _tally_equals_a_recount(env):
    for series_id, state, company_id, told, count in env.execute_query(
        SQL(
            """
            SELECT series_id, state, company_id, coalesce(told, 0), coalesce(cards, 0)
              FROM (SELECT series_id, state, coalesce(disable_reason, '') AS reason,
                           coalesce(used_company_id, 0) AS company_id, count(*) AS cards
                      FROM refill_card GROUP BY 1, 2, 3, 4) AS counted
              FULL JOIN (SELECT series_id, state, coalesce(disable_reason, '') AS reason,
                                coalesce(company_id, 0) AS company_id, sum(count) AS told
                           FROM refill_card_tally GROUP BY 1, 2, 3, 4) AS tally
             USING (series_id, state, reason, company_id)
             WHERE coalesce(told, 0) <> coalesce(cards, 0)
            """
        )
    ):
        yield (
            f"the tally tells {told} {state} cards of series {series_id}, used in {company_id}, and"
            f" there are {count}"
        )


def _audit_log_is_complete(env):
    for card, state, logged, problem in env.execute_query(
        SQL(
            """
            WITH change AS (
                SELECT card_id, old_state, new_state,
                       lag(new_state) OVER (PARTITION BY card_id ORDER BY id) AS before,
                       lead(id) OVER (PARTITION BY card_id ORDER BY id) IS NULL AS is_last
                  FROM refill_card_event
                 WHERE card_id IS NOT NULL AND old_state <> new_state
            )
            SELECT card.name, card.state, new_state, 'the log ends otherwise'
              FROM refill_card card
              JOIN refill_card_series series ON series.id = series_id
              LEFT JOIN change ON card_id = card.id AND is_last
             WHERE card.state <> coalesce(
                       new_state,
                       CASE WHEN activation_required THEN 'inactive' ELSE 'active' END
                   )
             UNION ALL
            SELECT 'card ' || card_id, old_state, before, 'a change is missing'
              FROM change WHERE old_state <> before
             UNION ALL
            SELECT card.name, card.state, event.new_state, 'the log names another payment'
              FROM refill_card card
              JOIN refill_card_event event ON event.card_id = card.id AND new_state = 'used'
               AND old_state <> 'used'
             WHERE card.state = 'used' AND event.payment_id IS DISTINCT FROM card.payment_id
            """
        )
    ):
        yield f"card {card} is {state}, logged as {logged}: {problem}"


def _imports_are_whole(env):
    for name, state, lines, waiting, cards, left_out in env.execute_query(
        SQL(
            """
            SELECT name, state, line_count,
                   (SELECT count(*) FROM refill_card_import_row WHERE import_id = import.id),
                   (SELECT count(*) FROM refill_card card
                      JOIN refill_card_series series ON series.id = series_id
                     WHERE series.import_id = import.id),
                   (SELECT count(*) FROM refill_card_import_problem WHERE import_id = import.id)
              FROM refill_card_import import WHERE state IN ('checked', 'importing', 'done')
            """
        )
    ):
        if lines != waiting + cards + left_out or (waiting and state == 'done'):
            yield (
                f"import {name} is {state}: of {lines} lines {waiting} wait, {cards} are cards and"
                f" {left_out} are left out"
            )


CHECKS = (
    _used_cards_are_posted_payments,
    _numbers_have_no_gap,
    _series_are_whole,
    _files_are_whole,
    _imports_are_whole,
    _counters_equal_a_recount,
    _tally_equals_a_recount,
    _audit_log_is_complete,
)
