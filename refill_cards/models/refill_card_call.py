import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL
from odoo.tools.constants import GC_UNLINK_LIMIT

from ..refusals import RefillCardRefused, describe

REFERENCE_LENGTH = 64
# Nobody repeats a call later than this.
KEPT_DAYS = 90


class RefillCardCall(models.Model):
    """What was answered to a call with a reference, so that repeating it gets the same answer.

    Nobody has access. What callers sent is kept as keyed digests only: there may be codes in it.
    """

    _name = 'refill.card.call'
    _description = "Answered Call about Refill Cards"
    _log_access = False

    user_id = fields.Many2one(comodel_name='res.users', required=True, ondelete='cascade')
    reference = fields.Char(required=True, help="A digest of what the caller named the call.")
    arguments = fields.Char(required=True, help="A digest of what was called, and with what.")
    answer = fields.Text(help="As JSON, with all in its order.")
    date = fields.Datetime(required=True, index=True)

    _reference_unique = models.UniqueIndex('(user_id, reference)')

    @api.model
    def _answer(self, reference, method, arguments, function, wait=False):
        """Return what a function returns, or what it returned to the same call before.

        The answer is stored in the transaction of what was done, so that there are both or none.
        A refused call leaves nothing, and is judged anew when it is repeated.

        :param str reference: the caller's own name of the call; None for a call without one.
        :param str method: what is called.
        :param arguments: with what, as JSON; it may hold codes.
        :param function: called without arguments; returns what JSON can hold.
        :param bool wait: wait while the same call is under way, else it is refused.
        :raise RefillCardRefused: when the same call is just under way (``busy``), or there was
            another one with this reference (``reference``).
        :raise UserError: when the reference is not a short text.
        """
        if reference is None:
            return function()
        self._check_reference(reference)
        digest = self.env['refill.card.key']._digest
        named, told = digest([self.env.uid, reference]), digest([method, arguments])
        while not (call_id := self._begin(named, told)):
            if found := self._find(named) or wait and self._wait_for(named):
                return self._repeat(told, *found)
            if not wait:
                raise RefillCardRefused(describe(self.env, 'call_busy'), 'busy')
        try:
            answer = function()
        except UserError:
            # Whoever goes on after an error, such as the portal, commits.
            self.env.cr.execute(SQL("DELETE FROM refill_card_call WHERE id = %s", call_id))
            raise
        self.sudo().browse(call_id).answer = json.dumps(answer)  # sudo: nobody has access
        return answer

    @api.model
    def _check_reference(self, reference):
        """:raise UserError: when the reference is not a short text."""
        is_text = isinstance(reference, str) and reference.isprintable()
        if not is_text or not reference.strip() or len(reference) > REFERENCE_LENGTH:
            raise UserError(
                self.env._(
                    "The reference is given as text of up to %(maximum)s characters.",
                    maximum=REFERENCE_LENGTH,
                )
            )

    @api.model
    def _begin(self, reference, arguments):
        """Return the id of the new call, None when there is one already, or it is under way.

        Our transaction does not see what was committed since it began. Inserting finds it all the
        same: PostgreSQL then fails to serialize, and Odoo repeats the request, which sees it. So
        nothing is done twice, and the ORM has no such statement.
        """
        query = SQL(
            """
            INSERT INTO refill_card_call (user_id, reference, arguments, date)
            SELECT %s, %s, %s, %s WHERE pg_try_advisory_xact_lock(%s)
                ON CONFLICT (user_id, reference) DO NOTHING
         RETURNING id
            """,
            *(self.env.uid, reference, arguments, fields.Datetime.now()),
            self._get_lock(reference),
        )
        self.env.cr.execute(query, log_exceptions=False)
        row = self.env.cr.fetchone()
        return row and row[0]

    @api.model
    def _get_lock(self, reference):
        """Return the number of the lock that whoever answers the call holds."""
        return SQL("hashtextextended(%s, 0)", f'{self._name}-{reference}')

    @api.model
    def _find(self, reference):
        """Return with what the call came and what was answered, None as long as nothing was.

        :rtype: tuple[str, object] | None
        """
        domain = [('user_id', '=', self.env.uid), ('reference', '=', reference)]
        # sudo: nobody has access
        call_sudo = self.sudo().search_fetch(domain, ['arguments', 'answer'])
        if not call_sudo.answer:
            return None
        return call_sudo.arguments, json.loads(call_sudo.answer)

    @api.model
    def _wait_for(self, reference):
        """Wait for whoever answers the call, and return what :meth:`_find` does then.

        In a transaction of its own, because ours does not see what is committed meanwhile.
        """
        with self.env.registry.cursor() as cr:
            cr.execute(SQL("SELECT pg_advisory_xact_lock(%s)", self._get_lock(reference)))
            cr.commit()  # pylint: disable=invalid-commit
            return self.with_env(self.env(cr=cr))._find(reference)

    @api.model
    def _repeat(self, arguments, first_arguments, answer):
        """Return the answer to a call that was there before.

        :raise RefillCardRefused: when it came with something else (``reference``).
        """
        if arguments != first_arguments:
            raise RefillCardRefused(describe(self.env, 'reference'), 'reference')
        return answer

    @api.autovacuum
    def _gc_calls(self):
        oldest = fields.Datetime.now() - timedelta(days=KEPT_DAYS)
        calls = self.search([('date', '<', oldest)], limit=GC_UNLINK_LIMIT)
        calls.unlink()
        return len(calls), len(calls) == GC_UNLINK_LIMIT
