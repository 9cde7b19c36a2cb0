import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.http import request
from odoo.tools.constants import GC_UNLINK_LIMIT

from ..refusals import REASONS
from ..wording import format_count
from .visible_fields import VisibleMany2one

_logger = logging.getLogger(__name__)


class RefillCardAttempt(models.Model):
    _name = 'refill.card.attempt'
    _description = "Refused Refill Card"
    _order = 'id desc'
    _log_access = False

    date = fields.Datetime(default=fields.Datetime.now, required=True, index=True)
    user_id = VisibleMany2one(
        comodel_name='res.users', required=True, index=True, ondelete='cascade'
    )
    company_id = fields.Many2one(comodel_name='res.company', required=True, ondelete='cascade')
    partner_id = VisibleMany2one(comodel_name='res.partner', string="Customer", index=True)
    card_id = VisibleMany2one(
        comodel_name='refill.card', index='btree_not_null', help="Whose code it was, if any."
    )
    ip_address = fields.Char(string="IP Address")
    channel = fields.Selection(selection='_selection_channel', required=True)
    reason = fields.Selection(
        selection=[*REASONS, ('unclear', "Unknown, or series frozen")], required=True
    )

    @api.model
    def _selection_channel(self):
        return self.env['refill.card.event']._fields['channel']._description_selection(self.env)

    @api.model
    def _record(self, refusals, partner, company, channel):
        """Write down refusals, each once, so that they survive the rollback that follows.

        They never hold the code. They are written through a connection of their own.

        :param list[RefillCardRefused] refusals: one is written as often as it is listed.
        :param res.partner partner: the customer; may be empty.
        :param res.company company: where the card was to be redeemed.
        :param str channel: where the card was refused, see ``refill.card.event``.
        """
        if not (unrecorded := [refused for refused in refusals if not refused.is_recorded]):
            return
        with self.env.registry.cursor() as cr:
            attempts = self.with_env(self.env(cr=cr))
            cards = attempts.env['refill.card']
            kept = cards.browse(refused.card_id for refused in unrecorded)._keep()
            values = {
                'user_id': self.env.uid,
                # What the transaction itself created is not there for this one.
                'partner_id': partner.with_env(attempts.env).exists().id,
                'company_id': company.id,
                'ip_address': request.httprequest.remote_addr if request else False,
                'channel': channel,
            }
            attempts.sudo().create(  # sudo: nobody may write attempts themselves
                [
                    {
                        **values,
                        'reason': refused.recorded_as,
                        'card_id': refused.card_id in kept and refused.card_id,
                    }
                    for refused in unrecorded
                ]
            )
        for refused in unrecorded:
            refused.is_recorded = True

    @api.autovacuum
    def _gc_attempts(self):
        days = self.env['refill.card.lockout']._get_number('attempt_days')
        oldest = fields.Datetime.now() - timedelta(days=days)
        attempts = self.search([('date', '<', oldest)], limit=GC_UNLINK_LIMIT)
        attempts.unlink()
        return len(attempts), len(attempts) == GC_UNLINK_LIMIT

    # -------------------------------------------------------------------------
    # ALERT
    # -------------------------------------------------------------------------

    @api.model
    def _cron_alert(self):
        """Tell the managers when many codes are refused within an hour.

        Once: not again until there were fewer for an hour. Who is locked out is dealt with, and
        codes of frozen series are typed by innocent customers.
        """
        try:
            self.env['refill.card.freeze']._tell()
        except Exception:
            # The other alerts do not wait for this one.
            _logger.exception("A frozen series is told of by the next run")
        self.env['refill.card.lockout']._alert_of_persons()
        now = fields.Datetime.now()
        hour_ago = now - timedelta(hours=1)
        count = self.search_count(self._get_flood_domain())
        if count < self.env['refill.card.lockout']._get_number('alert'):
            return
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: runs as a job
        last = parameters.get_param('refill_cards.last_flood')
        parameters.set_param('refill_cards.last_flood', fields.Datetime.to_string(now))
        if not last or fields.Datetime.to_datetime(last) < hour_ago:
            self._alert_managers(count)

    @api.model
    def _get_flood_domain(self):
        """Return the domain of the codes refused within the last hour, as many mean an alert."""
        hour_ago = fields.Datetime.now() - timedelta(hours=1)
        return [('date', '>', hour_ago), ('reason', 'not in', ('locked_out', 'unavailable'))]

    @api.model
    def _alert_managers(self, count, person=None):
        """Give each manager an activity, on the contact of their company, and an e-mail.

        :param int count: how many codes were refused within the last hour.
        :param res.users person: who alone looked at, or guessed, as many.
        """
        name = 'shown' if person else 'refused'
        template = self.env.ref(f'refill_cards.mail_template_{name}_codes')
        managers = self.env.ref('refill_cards.group_refill_card_manager').all_user_ids
        for manager in managers.filtered('active'):
            # Without Odoo's own e-mail about a new activity, which would be the second one.
            company = manager.company_id.with_context(
                lang=manager.lang, mail_activity_quick_update=True
            )
            summary, note = self._describe_alert(company.env, count, person)
            company.partner_id.activity_schedule(
                'mail.mail_activity_data_warning',
                user_id=manager.id,
                summary=summary,
                note=note,
            )
            template.with_context(
                refused_count=count, person_name=person and person.name
            ).send_mail(manager.id)

    @api.model
    def _describe_alert(self, env, count, person):
        """Return the title and the text of an alert, in the language of an environment."""
        if person:
            return (
                env._("Many refill card codes are looked at"),
                env._(
                    "%(person)s looked at or guessed %(count)s codes within an hour. Refill Cards >"
                    " Protection > Audit Log and Refused Codes say which.",
                    person=person.name,
                    count=format_count(env, count),
                ),
            )
        return (
            env._("Many refill card codes are refused"),
            env._(
                "%(count)s codes were refused within an hour: somebody may be guessing. Refill"
                " Cards > Protection > Refused Codes says who, and from where.",
                count=format_count(env, count),
            ),
        )
