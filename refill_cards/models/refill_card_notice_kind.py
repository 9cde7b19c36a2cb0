from odoo import fields, models


class RefillCardNoticeKind(models.Model):
    _name = 'refill.card.notice.kind'
    _description = "Kind of Refill Card Notices"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True, help="As other systems read it.")
    sequence = fields.Integer(default=100)

    _code_unique = models.UniqueIndex('(code)')
