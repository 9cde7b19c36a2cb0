import logging
from contextlib import contextmanager
from dataclasses import replace

from odoo import api, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.fields import Domain
from psycopg2 import OperationalError

_logger = logging.getLogger(__name__)


class AccountMoveLine(models.Model):
    """Prepaid credit pays debts, as planned."""

    _inherit = 'account.move.line'

    @api.model
    def _use_refill_card_credit(self, credits, debts):
        """Let credits pay debts, each customer's in each tree of companies.

        What cannot be reconciled stays credit and blocks nothing; the chatter says why.

        :param account.move.line credits: oldest first.
        :param account.move.line debts: oldest first.
        """
        owed = debts.grouped(lambda line: (line.partner_id, line.company_id.root_id))
        accounts = [
            (theirs, owed[key])
            for key, theirs in credits.grouped(
                lambda line: (line.partner_id, line.company_id.root_id)
            ).items()
            if key in owed
        ]
        self._tell_what_credit_paid(self._pay_all(accounts))

    @api.model
    def _pay_all(self, accounts):
        """Pay in one go, which is many times faster; where that fails, half by half.

        :param list[tuple] accounts: credits and debts of each customer.
        :return: what was done.
        :rtype: list[CreditPlan]
        """
        plans = [credits._plan_refill_card_credit(debts) for credits, debts in accounts]
        uses = [use for plan in plans for use in plan.uses]
        if not uses:
            return plans
        try:
            with self._all_or_nothing():
                self._carry_out(uses)
            return plans
        except OperationalError:
            raise
        except Exception:
            if len(accounts) == 1:
                return [self._pay_pair_by_pair(*accounts[0])]
        middle = len(accounts) // 2
        return [*self._pay_all(accounts[:middle]), *self._pay_all(accounts[middle:])]

    @api.model
    def _pay_pair_by_pair(self, credits, debts):
        """Pay what can be paid, where something cannot.

        :return: what was done.
        :rtype: CreditPlan
        """
        done, plan = [], credits._plan_refill_card_credit(debts)
        while plan.uses:
            use = plan.uses[0]
            try:
                with self._all_or_nothing():
                    self._carry_out([use])
                done.append(use)
            except OperationalError:
                raise
            except Exception as error:
                plan.troubles[use.credit, use.debt] = self._get_trouble_sentence(error)
            open_debts = debts.filtered(lambda line: not line.reconciled)
            open_credits = credits.filtered(lambda line: not line.reconciled)
            plan = open_credits._plan_refill_card_credit(open_debts, plan.troubles)
        return replace(plan, uses=done)

    @api.model
    def _get_trouble_sentence(self, error):
        if isinstance(error, UserError | RedirectWarning):
            return str(error.args[0])
        _logger.error("Prepaid credit could not be reconciled", exc_info=error)
        return self.env._("An error: see the server's log.")

    @contextmanager
    def _all_or_nothing(self):
        """Take back what is written inside when it fails.

        Odoo's own savepoint would also write each invoice's chatter now, and once more when its
        payment state has changed.
        """
        self.env.flush_all()
        try:
            with self.env.cr.savepoint(flush=False):
                yield
                self.env.flush_all()
        except Exception:
            self.env.transaction.clear()
            # Numbers that were taken inside are free again: Odoo would go on after them.
            self.env['account.move']._get_sequence_cache().clear()
            raise

    @api.model
    def _carry_out(self, uses):
        """Reconcile as planned, in one go.

        :param list[CreditUse] uses: in this order.
        """
        values = [entry for use in uses for entry in (use.discount, use.transfer) if entry]
        # As for payments: the lines are complete, taxes and all.
        entries = self.env['account.move'].with_context(skip_invoice_sync=True).create(values)
        entries = entries.with_context(skip_invoice_sync=False)
        if entries:
            entries._post(soft=False)
        made, pairs = iter(entries), []
        for use in uses:
            if use.discount:
                pairs.append(next(made).line_ids[-1] + use.debt)
            if use.transfer:
                taken, given = next(made).line_ids
                pairs += [use.credit + taken, given + use.debt]
            else:
                pairs.append(use.credit + use.debt)
        self._reconcile_plan(pairs)
        for entry in entries:
            lines = entry.line_ids
            (lines.matched_debit_ids + lines.matched_credit_ids).refill_card_move_id = entry

    @api.model
    def _tell_what_credit_paid(self, plans):
        """Write into the chatters what was paid, and why something was not.

        :param list[CreditPlan] plans: which were carried out.
        """
        invoices = self.env['account.move'].union(
            *(use.debt.move_id for plan in plans for use in plan.uses)
        )
        invoices._message_log_batch(
            {move.id: move._get_refill_card_sentence() for move in invoices}
        )
        troubled = {}
        troubles = [trouble for plan in plans for trouble in plan.troubles.items()]
        for (credit, debt), reason in troubles:
            sentence = self.env._(
                "Prepaid credit does not pay %(debt)s: %(reason)s",
                debt=debt.move_id.name,
                reason=reason,
            )
            troubled.setdefault(credit.payment_id, []).append(sentence)
            troubled.setdefault(debt.move_id, []).append(sentence)
        for record, sentences in troubled.items():
            record._message_log(body=' '.join(dict.fromkeys(sentences)))

    @api.model
    def _use_open_refill_card_credit(self, partners):
        """Let what customers have paid in advance pay what they owe.

        :param res.partner partners: commercial partners.
        """
        theirs = Domain('partner_id', 'in', partners.ids)
        # In one query, as mostly there is only one of both, before or after it was looked at.
        debts = self._search(self._get_refill_card_debts_domain() & theirs)
        owing = debts.select(self._field_to_sql(self._table, 'partner_id', debts))
        domain = self._get_refill_card_credits_domain() & theirs
        if found := self.search(domain & Domain('partner_id', 'in', owing), order='date, id'):
            self._use_refill_card_credit(found, self._find_refill_card_debts(found.partner_id))

    @api.model
    def _use_refill_card_credit_on_commit(self, partners):
        """Look again once this transaction is certain.

        Somebody who redeems a card and somebody who confirms an invoice at the same time do not see
        what the other one does. Whoever ends last sees both.

        :param res.partner partners: commercial partners.
        """
        postcommit = self.env.cr.postcommit
        waiting = postcommit.data.setdefault('refill_card_credit', set())
        if not waiting:
            postcommit.add(lambda: self._use_refill_card_credit_now(waiting))
        waiting.update(partners.ids)

    @api.model
    def _use_refill_card_credit_now(self, partner_ids):
        """Use credit in a transaction of its own, whose failure takes nothing back."""
        for tries_left in (2, 1, 0):
            try:
                with self.env.registry.cursor() as cr:
                    lines = self.with_env(self.env(cr=cr))
                    partners = lines.env['res.partner'].browse(partner_ids)
                    lines._use_open_refill_card_credit(partners)
                break
            except OperationalError:
                if not tries_left:
                    _logger.info("Somebody else uses the prepaid credit of %s", partner_ids)
            except Exception:
                # What was committed would look as if it had failed.
                _logger.exception("Prepaid credit of partners %s was not used", partner_ids)
                break
        partner_ids.clear()
