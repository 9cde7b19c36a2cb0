import re

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL

LIABILITY_TYPES = ('liability_current', 'liability_non_current')


class ResCompany(models.Model):
    """The journals in which redemptions are booked: one, or several that are used side by side.

    Whoever takes the next number of a journal keeps it until their transaction ends, so that no
    number is missing, and everybody else waits. So a company may have several journals, with
    numbers of their own and the same account, and a redemption takes one that nobody uses.
    """

    _inherit = 'res.company'

    def _get_refill_card_method_line(self):
        """Return the payment method line of the first journal, empty when there is none.

        It tells the account and what a redemption would do; a redemption itself takes one by
        :meth:`_take_refill_card_method_line`.

        :rtype: account.payment.method.line
        """
        return self._get_refill_card_method_lines(limit=1)

    def _get_refill_card_method_lines(self, limit=None):
        """Return the payment method lines of the journals that redemptions may use.

        :rtype: account.payment.method.line
        """
        self.ensure_one()
        # sudo: a partner user and a customer redeem without any right on the accounting set-up
        lines_sudo = self.env['account.payment.method.line'].sudo()
        return lines_sudo.search_fetch(self._get_refill_card_method_lines_domain(), limit=limit)

    def _get_refill_card_method_lines_domain(self):
        return Domain(
            [
                ('payment_method_id.code', '=', 'refill_card'),
                ('journal_id.company_id', '=', self.root_id.id),
                ('journal_id.active', '=', True),
                # On a reconcilable account the payments would never become paid.
                ('payment_account_id.reconcile', '=', False),
                ('payment_account_id.account_type', 'in', LIABILITY_TYPES),
            ]
        )

    def _take_refill_card_method_line(self):
        """Return the payment method line of a journal that nobody else uses until we commit.

        It is the first that is free, so that the others stay empty where little happens; any one
        when none is free, for then we wait for its number at the end. Whoever redeems again in the
        same transaction stays where they are, as two that take numbers of two journals in turn
        would wait for each other. In one query, whose lock the ORM does not have.

        :return: empty when the company has no journal for refill cards.
        :rtype: account.payment.method.line
        """
        self.ensure_one()
        # sudo: as above
        lines_sudo = self.env['account.payment.method.line'].sudo()
        taken = self.env.cr.precommit.data.setdefault('refill_card_journals', {})
        query = lines_sudo._search(
            self._get_refill_card_method_lines_domain(), order=lines_sudo._order
        )
        one = SQL(
            """
            (WITH line AS MATERIALIZED (%(lines)s)
             SELECT COALESCE(
                 (SELECT id FROM line WHERE id = %(taken)s),
                 (SELECT id FROM line
                   WHERE pg_try_advisory_xact_lock(hashtext('refill_cards.journal'), journal_id)
                   LIMIT 1),
                 (SELECT id FROM line ORDER BY random() LIMIT 1)
             ))
            """,
            lines=query.select(
                *(lines_sudo._field_to_sql(query.table, f, query) for f in ('id', 'journal_id'))
            ),
            taken=taken.get(self.root_id.id),
        )
        line_sudo = lines_sudo.search_fetch(Domain('id', 'in', one))
        taken[self.root_id.id] = line_sudo.id
        return line_sudo

    def _add_refill_card_journal(self):
        """Add a journal beside the first one, named and set up like it.

        :rtype: account.journal
        :raise UserError: when there is no first one.
        """
        company = self.root_id
        company = company.with_company(company)
        first = self.env['refill.card']._find_method_line(company)
        journals = company.env['account.journal']
        return journals.create(company._prepare_further_refill_card_journal_values(first))

    def _prepare_further_refill_card_journal_values(self, first):
        """Return the values of a journal beside the first one.

        :param account.payment.method.line first: see :meth:`_get_refill_card_method_line`.
        """
        journal, account = first.journal_id, first.payment_account_id
        every = self.env['account.journal'].with_context(active_test=False)
        taken = set(every.search([('company_id', '=', self.id)]).mapped('code'))
        size = every._fields['code'].size
        stem = re.sub(r'\d+$', '', journal.code) or journal.code
        number, code = next(
            (number, code)
            for number in range(2, len(taken) + 3)
            if (code := f'{stem[: size - len(str(number))]}{number}') not in taken
        )
        return {
            **self._prepare_refill_card_journal_values(account, taken),
            'name': f'{journal.name} {number}',
            'code': code,
            'sequence': journal.sequence,
            'show_on_dashboard': journal.show_on_dashboard,
            'restrict_mode_hash_table': journal.restrict_mode_hash_table,
            **self._prepare_refill_card_method_values(account),
        }
