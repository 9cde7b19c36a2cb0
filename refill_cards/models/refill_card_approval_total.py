from datetime import datetime, timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .refill_card_approval import LIMITED

WINDOW = timedelta(days=1)


class RefillCardApprovalTotal(models.Model):
    """What a user did within a day without asking, so that many small operations count as one.

    Nobody has access. A row a user, company and kind: whoever writes it waits for whoever is just
    doing so, and is tried again then.
    """

    _name = 'refill.card.approval.total'
    _description = "What Needed No Approval"
    _log_access = False

    user_id = fields.Many2one(comodel_name='res.users', required=True, ondelete='cascade')
    company_id = fields.Many2one(comodel_name='res.company', required=True, ondelete='cascade')
    kind = fields.Selection(selection=LIMITED, required=True)
    entries = fields.Json(help="The minute and the amount of each, in the company's currency.")

    _user_unique = models.UniqueIndex('(user_id, company_id, kind)')

    @api.model
    def _get(self, company, kind):
        """Return what the user did within the last day, by whichever of their logins.

        Nobody changes it until this transaction ends. In SQL, because the ORM does not insert what
        may be there already.

        :rtype: float
        """
        rows = self.env.execute_query(
            SQL(
                """
                INSERT INTO refill_card_approval_total (user_id, company_id, kind)
                SELECT id, %s, %s FROM unnest(%s::int[]) AS person (id) ORDER BY id
                    ON CONFLICT (user_id, company_id, kind) DO UPDATE SET kind = EXCLUDED.kind
             RETURNING entries
                """,
                *(company.id, kind, self.env.user._get_same_person().ids),
            )
        )
        return sum(amount for [entries] in rows for _time, amount in self._get_recent(entries))

    @api.model
    def _add(self, company, kind, amount):
        """Note what the user does now; :meth:`_get` was called before."""
        domain = [('user_id', '=', self.env.uid), ('company_id', '=', company.id)]
        total = self.search([*domain, ('kind', '=', kind)])
        total.invalidate_recordset(['entries'])
        entries = self._get_recent(total.entries)
        minute = fields.Datetime.now().replace(second=0).isoformat()
        if entries and entries[-1][0] == minute:
            amount += entries.pop()[1]
        total.entries = [*entries, [minute, amount]]
        total.flush_recordset(['entries'])

    @api.model
    def _get_recent(self, entries):
        """Return those of the entries that are not older than a day.

        :rtype: list[list]
        """
        oldest = fields.Datetime.now() - WINDOW
        return [each for each in entries or [] if datetime.fromisoformat(each[0]) > oldest]
