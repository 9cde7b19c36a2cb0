import json
import logging
from datetime import timedelta
from uuid import uuid4

from odoo import api, fields, models
from odoo.tools.constants import GC_UNLINK_LIMIT
from psycopg2.errors import SerializationFailure

_logger = logging.getLogger(__name__)

BATCH = 100
KEPT_DAYS = 30


class RefillCardNotice(models.Model):
    """What other systems are told about cards: webhooks get it, and automation rules see it.

    Cards and their history change in SQL, where no automation rule looks. Notices are created with
    the ORM, a minute later, by a job that takes them from the outbox.
    """

    _name = 'refill.card.notice'
    _description = "Refill Card Notice"
    _order = 'id desc'
    _rec_name = 'kind_id'
    _log_access = False

    uid = fields.Char(
        string="Message ID", required=True, help="Whoever gets a message twice knows it by this."
    )
    date = fields.Datetime(required=True, index=True)
    kind_id = fields.Many2one(
        comodel_name='refill.card.notice.kind', string="Event", required=True, ondelete='cascade'
    )
    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        index=True,
        ondelete='cascade',
        help="Which is told.",
    )
    series_id = fields.Many2one(comodel_name='refill.card.series', ondelete='set null')
    serials = fields.Json(string="Serial Numbers")
    card_count = fields.Integer(string="Cards")
    card_ids = fields.Many2many(
        comodel_name='refill.card', string="Which Cards", compute='_compute_card_ids'
    )
    body = fields.Text(string="Message", required=True, prefetch=False)
    delivery_ids = fields.One2many(
        comodel_name='refill.card.webhook.delivery', inverse_name='notice_id', string="Deliveries"
    )

    @api.depends('serials')
    def _compute_card_ids(self):
        for notice in self:
            notice.card_ids = self.env['refill.card'].search([('name', 'in', notice.serials or [])])

    # -------------------------------------------------------------------------
    # FROM THE OUTBOX
    # -------------------------------------------------------------------------

    @api.model
    def _cron_tell(self):
        """Make notices of what is in the outbox, and send what webhooks wait for."""
        self.env['refill.card.attempt']._tell_hours()
        while self._publish():
            if not self.env['ir.cron']._commit_progress():
                self.env['ir.cron']._commit_progress(remaining=1)
                return
        self.env['refill.card.webhook']._send_all()

    @api.model
    def _publish(self):
        """Make notices of the next rows of the outbox, and tell which webhooks want them.

        :return: whether there were any.
        :rtype: bool
        """
        try:
            rows = self.env['refill.card.outbox']._take(BATCH)
        except SerializationFailure:  # another job is at it
            self.env.cr.rollback()
            return False
        kinds = {kind.code: kind for kind in self.env['refill.card.notice.kind'].search([])}
        for code, *row in rows:
            if code in kinds:
                self._create_notice(self._prepare_values(kinds[code], *row))._address()
        return bool(rows)

    @api.model
    def _create_notice(self, values):
        """Create a notice whatever automation rules make of it."""
        try:
            with self.env.cr.savepoint():
                return self.create(values)
        except Exception:
            _logger.exception("What is done on notices of refill cards failed")
            # Past whatever extends it.
            return models.Model.create(self, [values])

    @api.model
    def _prepare_values(self, kind, company_id, series_id, date, event_ids, data):
        """Return the values of a notice from a row of the outbox; see there."""
        company = self.env['res.company'].browse(company_id)
        series = self.env['refill.card.series'].browse(series_id)
        data = {
            'company': company_id,
            **self._describe_series(series),
            **self._describe_events(self.env['refill.card.event'].browse(event_ids), company),
            **(data or {}),
        }
        serials = [card['serial'] for card in data.get('cards', [])]
        told = {
            'type': f'refill_card.{kind.code}',
            'timestamp': f'{date.isoformat(timespec="milliseconds")}Z',
            'data': data,
        }
        return {
            'uid': f'msg_{uuid4().hex}',
            'date': date.replace(microsecond=0),
            'kind_id': kind.id,
            'company_id': company_id,
            'series_id': series_id,
            'serials': serials,
            'card_count': len(serials) or data.get('count', 0),
            'body': json.dumps(told, separators=(',', ':')),
        }

    @api.model
    def _describe_series(self, series):
        if not series:
            return {}
        return {
            'series': {'id': series.id, 'name': series.name},
            'price': series.price,
            'currency': series.currency_id.name,
        }

    @api.model
    def _describe_events(self, events, company):
        """Return what events of one operation tell a company.

        :rtype: dict
        """
        if not events:
            return {}
        return {
            'channel': events[0].channel,
            'operation': events[0].reference or None,
            'cards': [self._describe_event(event, company) for event in events],
        }

    @api.model
    def _describe_event(self, event, company):
        """Return what became of a card, without what is none of the company's business."""
        partner, payment = event.partner_id, event.payment_id
        told = {
            'id': event.card_id.id or None,
            'serial': event.serial,
            'from': event.old_state or None,
            'to': event.new_state or None,
        }
        if event.used_company_id:
            told['redeemed_in'] = event.used_company_id.id
        if partner and (not partner.company_id or partner.company_id in company.parent_ids):
            told['customer'] = {'id': partner.id, 'ref': partner.ref or None}
        if payment and payment.company_id == company:
            told['payment'] = {'id': payment.id, 'name': payment.name}
        return told

    def _address(self):
        """Have the webhooks that want these notices get them."""
        webhooks = self.env['refill.card.webhook']
        self.env['refill.card.webhook.delivery'].create(
            [
                {'webhook_id': webhook.id, 'notice_id': notice.id}
                for notice in self
                for webhook in webhooks._get_listeners(notice)
            ]
        )

    @api.autovacuum
    def _gc_notices(self):
        oldest = fields.Datetime.now() - timedelta(days=KEPT_DAYS)
        notices = self.search([('date', '<', oldest)], limit=GC_UNLINK_LIMIT)
        notices.unlink()
        return len(notices), len(notices) == GC_UNLINK_LIMIT
