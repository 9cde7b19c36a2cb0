"""Whether what the database holds is what was done."""

from pathlib import Path

from gateway import Call
from machines import Postgres

DATABASE = 'refill'
HEALTH = Path(__file__).with_name('health.sql')
# Of each journal the numbers that are missing between its first entry and its last.
GAPS = """
    SELECT journal.code, count(*), max(sequence_number) - min(sequence_number) + 1 - count(*)
      FROM account_move JOIN account_journal journal ON journal.id = journal_id
     WHERE account_move.state = 'posted' AND journal_id IN (
               SELECT line.journal_id FROM account_payment_method_line line
                 JOIN account_payment_method method ON method.id = payment_method_id
                WHERE method.code = 'refill_card')
     GROUP BY journal.code, sequence_prefix
    HAVING count(*) > 0
"""
USED = """
    SELECT count(*) FILTER (WHERE state = 'used'), count(DISTINCT payment_id)
      FROM refill_card WHERE series_id = {series}
"""
EVENTS = """
    SELECT count(*) FROM (
        SELECT card.id FROM refill_card card
          LEFT JOIN refill_card_event event ON event.card_id = card.id AND event.new_state = 'used'
         WHERE card.state = 'used' GROUP BY card.id HAVING count(event.id) <> 1) AS wrong
"""
PAYMENTS = "SELECT id, name, partner_id, amount FROM account_payment WHERE id IN ({ids})"


class Findings:
    """What was checked: printed as it comes, and counted."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, what: str, is_true: bool, found: object = '') -> None:
        self.failed += not is_true
        print(f"  {'ok' if is_true else 'NOT SO':7} {what}{found and f': {found}'}", flush=True)

    def tell(self, what: str) -> None:
        print(f"{what}", flush=True)


def check_books(findings: Findings, primary: Postgres, series: int, used: int) -> None:
    """Compare cards, payments, numbers and audit log with how many cards were used."""
    [[cards, payments]] = primary.query(USED.format(series=series), DATABASE)
    findings.check("every card is used once", (int(cards), int(payments)) == (used, used))
    for code, count, missing in primary.query(GAPS, DATABASE):
        findings.check(
            f"no number is missing in journal {code}", missing == '0', f"{count} entries"
        )
    [[wrong]] = primary.query(EVENTS, DATABASE)
    findings.check("each use is in the audit log once", wrong == '0')
    check_health(findings, primary)


def check_health(findings: Findings, primary: Postgres) -> None:
    for what, found, allowed in primary.query(HEALTH.read_text(), DATABASE):
        findings.check(what, float(found) <= float(allowed), found)


def check_answers(findings: Findings, primary: Postgres, calls: list[Call], price: float) -> None:
    """Compare what the gateway was told with the payments that there are."""
    told = {
        call.answer['payment_id']: [call.answer['payment'], call.partner_id, price]
        for call in calls
    }
    ids = ', '.join(map(str, told))
    rows = primary.query(PAYMENTS.format(ids=ids), DATABASE)
    booked = {
        int(id_): [name, int(partner_id), float(amount)] for id_, name, partner_id, amount in rows
    }
    findings.check("no two cards were told the same payment", len(told) == len(calls))
    findings.check("what was told is what is booked", told == booked)
