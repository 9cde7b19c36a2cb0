from odoo import fields, models

WORKS = [
    ('now', "As they are"),
    ('confirmed', "Once the invoice is confirmed"),
    ('paid', "Once the invoice is paid"),
]


class ProductTemplate(models.Model):
    """A product that is a refill card: whoever is invoiced for it gets cards."""

    _inherit = 'product.template'

    is_refill_card = fields.Boolean(
        string="Refill Card", help="Whoever is invoiced for this product gets refill cards."
    )
    refill_card_price = fields.Monetary(
        string="Face Value", currency_field='refill_card_currency_id'
    )
    refill_card_currency_id = fields.Many2one(
        comodel_name='res.currency',
        string="Currency of the Face Value",
        default=lambda self: self.env.company.currency_id,
    )
    refill_card_source = fields.Selection(
        selection=[('stock', "Cards in stock"), ('made', "Made to order")],
        string="Cards Come from",
        default='stock',
        help="In stock: the next cards of this face value that nobody has, those first whose last"
        " day comes first. Made to order: a new series each month.",
    )
    refill_card_series_id = fields.Many2one(
        comodel_name='refill.card.series',
        string="From Series",
        ondelete='restrict',
        help="Left empty, from any series that is for sale.",
    )
    refill_card_works = fields.Selection(
        selection=WORKS,
        string="Cards Work",
        default='confirmed',
        help="As they are: a card that was activated works before it is sold, too.",
    )
    refill_card_by_mail = fields.Boolean(
        string="Send by E-mail", help="The cards go to the customer by e-mail once they work."
    )
    refill_card_taxed = fields.Boolean(
        string="Taxed at Sale",
        help="For cards that pay only for services of one tax rate in one country: the tax is due"
        " when the card is sold. It comes on top of the price.",
    )
    # How cards are made to order.
    refill_card_maker_id = fields.Many2one(
        comodel_name='res.users',
        string="Made by",
        readonly=True,
        help="Who chose how cards are made to order. Other companies accept them where this user"
        " manages cards, too.",
    )
    refill_card_prefix = fields.Char(string="Prefix")
    refill_card_valid_months = fields.Integer(
        string="Months Valid",
        help="After the month of the sale. 0 for cards that stay valid.",
    )
    refill_card_alphabet = fields.Selection(
        selection=lambda self: (
            self.env['refill.card.series']._fields['alphabet']._description_selection(self.env)
        ),
        string="Characters of the Code",
        default='base32',
    )
    refill_card_company_ids = fields.Many2many(
        comodel_name='res.company',
        relation='refill_card_product_company_rel',
        string="Accepted in",
        help="The companies that the cards are meant for; empty for any company.",
    )
    refill_card_layout_id = fields.Many2one(
        comodel_name='refill.card.layout', string="Layout", ondelete='set null'
    )

    def get_product_accounts(self, fiscal_pos=None):
        """What a card is sold for is a liability, whatever the customer's fiscal position."""
        accounts = super().get_product_accounts(fiscal_pos)
        if self.is_refill_card:
            method_line = self.env.company._get_refill_card_method_line()
            accounts['income'] = method_line.payment_account_id or accounts['income']
        return accounts
