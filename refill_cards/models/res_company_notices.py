from odoo import fields, models


class ResCompany(models.Model):
    _inherit = 'res.company'

    refill_card_notices = fields.Boolean(
        string="Notices for Automation Rules",
        help="Write down what happens to cards where automation rules see it. Webhooks need no"
        " such setting.",
    )
