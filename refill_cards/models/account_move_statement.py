from functools import cache
from tempfile import TemporaryFile

from odoo import models
from odoo.tools import SQL, format_amount, format_date

from .. import table
from ..printing import statement

BATCH = 5_000
DESCRIPTION = 'refill_cards.statement'  # how the files of a settlement are known


class AccountMove(models.Model):
    """Which cards a settlement bills, as files: serial number, day and face value."""

    _inherit = 'account.move'

    def _settle_refill_cards(self, company, day, partners=None):
        moves = super()._settle_refill_cards(company, day, partners)
        for move in moves:
            move._attach_refill_card_statement()
        return moves

    def _hand_out_refill_cards(self):
        res = super()._hand_out_refill_cards()
        for move in self.filtered(lambda move: move.is_sale_document()):
            is_settlement = move._get_settlement_lines() and not move._get_settlement_taken_back()
            if is_settlement and not move._get_refill_card_statements():
                move._attach_refill_card_statement()
        return res

    def _get_refill_card_statements(self):
        """Return the files that are attached.

        :rtype: ir.attachment
        """
        files_sudo = self.env['ir.attachment'].sudo()  # sudo: whoever changes the invoice
        return files_sudo.search(
            [
                ('res_model', '=', self._name),
                ('res_id', 'in', self.ids),
                ('description', '=', DESCRIPTION),
            ]
        )

    def _attach_refill_card_statement(self):
        """Attach the cards of the settlement as XLSX and as PDF, with flat memory."""
        self.ensure_one()
        move = self.with_context(lang=self.partner_id.lang or self.env.lang)
        env, currency = move.env, self.currency_id
        header = (env._("Serial Number"), env._("Day"), env._("Face Value"))
        title = self.ref or env._("Refill cards")
        subtitle = f'{self.partner_id.display_name} – {self.company_id.name}'
        amount = cache(lambda value: format_amount(env, value, currency))
        day = cache(lambda date: format_date(env, date))
        texts = ((name, day(on), amount(value)) for name, on, value in move._iterate_settled())
        files = []
        for extension in ('xlsx', 'pdf'):
            with TemporaryFile() as file:
                if extension == 'pdf':
                    statement.write(title, subtitle, header, texts, file)
                else:
                    rows, decimals = move._iterate_settled(), currency.decimal_places
                    table.write_statement(header, rows, decimals, file, title)
                file.seek(0)
                files.append((extension, file.read()))
        # sudo: whoever settles
        self.env['ir.attachment'].sudo().create(
            [
                {
                    'name': f'{env._("Statement of refill cards")}.{extension}',
                    'raw': content,
                    'res_model': self._name,
                    'res_id': self.id,
                    'description': DESCRIPTION,
                }
                for extension, content in files
            ]
        )

    def _iterate_settled(self):
        """Yield the cards that the settlement bills, in the order of their serial numbers.

        :return: of each the serial number, the day, and its face value, below zero for what was
            undone.
        :rtype: Iterator[tuple[str, datetime.date, float]]
        """
        lines = self._get_settlement_lines()
        sign = -1 if self.move_type == 'out_refund' else 1
        prices = {series.id: series.price for series in lines.refill_card_series_id}
        self.env.flush_all()
        name = SQL.identifier(f'refill_card_statement_{self.id}')
        # A cursor of the database, so that not all are in memory at once.
        self.env.cr.execute(SQL("DECLARE %s CURSOR FOR %s", name, lines._get_settled_sql()))
        try:
            while rows := self.env.execute_query(SQL("FETCH %s FROM %s", BATCH, name)):
                for serial, day, count, series_id in rows:
                    yield serial, day, float(sign * count) * prices[series_id]
        finally:
            self.env.cr.execute(SQL("CLOSE %s", name))


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    def unlink(self):
        # sudo: whoever deletes
        settled_sudo = self.sudo().filtered(lambda line: line._is_refill_card_settlement())
        moves_sudo = settled_sudo.move_id
        res = super().unlink()
        if moves_sudo:  # what they say is no longer so; confirmed, the settlement gets new ones
            moves_sudo._get_refill_card_statements().unlink()
        return res

    def _get_settled_sql(self):
        """Return the query for the cards that the lines bill.

        By the audit log, as a card that was given back knows nothing of its payment any more. What
        a bill of another company says is told by what that company billed.

        :return: serial number, day, 1 or -1, id of the series.
        :rtype: SQL
        """
        return SQL(
            """
            SELECT event.serial, line.date, SIGN(line.amount_currency), line.refill_card_series_id
              FROM account_move_line line
              JOIN account_move move ON move.id = line.move_id
              JOIN account_move entry ON entry.id = COALESCE(move.reversed_entry_id, move.id)
              JOIN refill_card_event event
                ON event.payment_id = entry.origin_payment_id AND event.new_state = 'used'
             WHERE line.refill_card_bill_line_id = ANY(%(ids)s)
            UNION ALL
            SELECT event.serial, there.date, SIGN(there.amount_currency), line.refill_card_series_id
              FROM account_move_line line
              JOIN account_move bill ON bill.id = line.move_id
              JOIN account_move_line billed
                ON billed.move_id = bill.refill_card_origin_id
               AND billed.refill_card_series_id = line.refill_card_series_id
              JOIN account_move_line there ON there.refill_card_bill_line_id = billed.id
              JOIN account_move move ON move.id = there.move_id
              JOIN account_move entry ON entry.id = COALESCE(move.reversed_entry_id, move.id)
              JOIN account_move_line redeemed ON redeemed.move_id = entry.id
               AND redeemed.refill_card_holder_id = line.refill_card_debtor_id
              JOIN refill_card_event event
                ON event.payment_id = entry.origin_payment_id AND event.new_state = 'used'
             WHERE line.refill_card_bill_line_id = ANY(%(ids)s)
            UNION ALL %(activated)s
             ORDER BY 1, 2
            """,
            ids=self.ids,
            activated=self.env['refill.card']._get_billed_sql(self),
        )
