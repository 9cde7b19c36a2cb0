from odoo import api, fields, models


class RefillCardLayout(models.Model):
    _name = 'refill.card.layout'
    _description = "Refill Card Layout"
    _order = 'sequence, id'

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    paper = fields.Selection(
        selection=[
            ('a4', "A4"),
            ('letter', "Letter"),
            ('cr80', "Plastic card (CR80), one a page"),
            ('roll80', "80 mm roll, one a cut"),
            ('roll58', "58 mm roll, one a cut"),
        ],
        required=True,
        default='a4',
    )
    columns = fields.Integer(default=2, required=True)
    rows = fields.Integer(default=5, required=True)
    margin_x = fields.Float(
        string="Side Margin", default=10, help="Left and right of the cards, in millimetres."
    )
    margin_y = fields.Float(
        string="Top Margin", default=10, help="Above and below the cards, in millimetres."
    )
    gap = fields.Float(help="Between cards, in millimetres.")
    cut_marks = fields.Boolean(default=True)
    bleed = fields.Boolean(
        string="Bleed and Crop Marks",
        help="For a print shop: 3 mm more on each side, and marks where to cut.",
    )
    back_picture = fields.Image(string="Picture on the Back", help="Fills the back of the card.")
    back_text = fields.Text(string="Text on the Back", translate=True)
    background = fields.Image(help="Fills the card, in place of the coloured header.")
    logo = fields.Image(help="Leave empty for the company's logo.")
    show_logo = fields.Boolean(string="Print the Logo", default=True)
    background_color = fields.Char(default='#ffffff', required=True)
    accent_color = fields.Char(default='#714b67', required=True)
    text_color = fields.Char(default='#1b1b1b', required=True)
    title = fields.Char(default='{company}', translate=True)
    text = fields.Char(translate=True)
    instructions = fields.Text(translate=True)
    serial_text = fields.Char(string="Serial Number Text", translate=True)
    valid_till_text = fields.Char(string="Validity Text", translate=True)
    accepted_text = fields.Char(
        string="Accepting Companies",
        translate=True,
        help="Printed on cards that not all of the issuer's companies accept.",
    )
    default_instructions = fields.Text(compute='_compute_default_words')
    default_serial_text = fields.Char(compute='_compute_default_words')
    default_valid_till_text = fields.Char(compute='_compute_default_words')
    default_accepted_text = fields.Char(compute='_compute_default_words')
    show_instructions = fields.Boolean(string="Print Instructions", default=True)
    show_qr = fields.Boolean(string="QR Code", default=True)
    show_barcode = fields.Boolean(string="Bar Code (Code 128)")
    show_serial = fields.Boolean(string="Serial Number", default=True)
    show_valid_till = fields.Boolean(string="Validity", default=True)
    lang = fields.Selection(
        selection='_selection_lang',
        string="Language",
        default=lambda self: self.env.lang,
        help="Leave empty for the language of whoever prints.",
    )

    @api.model
    def _selection_lang(self):
        return self.env['res.lang'].get_installed()

    @api.depends('lang')
    @api.depends_context('lang')
    def _compute_default_words(self):
        for layout in self:
            for fname, words in layout._with_lang()._get_default_words().items():
                layout[f'default_{fname}'] = words

    def _with_lang(self):
        """Return the layout in its language, or the user's when its own is not active any more."""
        active = self.lang in dict(self._selection_lang())
        return self.with_context(lang=self.lang if active else self.env.lang)

    @api.model
    def _get_default_words(self):
        """Return what is printed where the layout has no words of its own, in ``env.lang``.

        :return: texts by field.
        :rtype: dict[str, str]
        """
        return {
            'instructions': self.env._(
                "Scan the QR code or open {address}, type the code and press Redeem."
            ),
            'serial_text': self.env._("Serial number {serial}"),
            'valid_till_text': self.env._("Valid till {valid_till}"),
            'accepted_text': self.env._("Accepted by {companies}"),
        }
