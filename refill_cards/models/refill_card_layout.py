import re
from base64 import b64decode, b64encode
from contextlib import closing
from functools import cache
from io import BytesIO
from threading import Lock

import pypdfium2
from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_amount, format_date

from .. import code as codes
from .. import sheet, typesetting

_rendering = Lock()  # PDFium is not made for several threads
COLOR = re.compile(r'#[0-9a-fA-F]{6}')
PREVIEW_DPI = 150
PRINTED = (
    'paper',
    'columns',
    'rows',
    'margin_x',
    'margin_y',
    'gap',
    'background',
    'logo',
    'show_logo',
    'background_color',
    'accent_color',
    'text_color',
    'title',
    'text',
    'instructions',
    'show_qr',
    'show_barcode',
    'show_serial',
    'show_valid_till',
    'lang',
)
# What the check and the preview fill in; the longest a card can have.
LONGEST_PRICE = 1_234_567.89
# The most characters, and the widest bar code: Code 128 packs digits two by two.
LONGEST_FORMATS = [
    codes.Format(alphabet, lengths[-1], 'M' * codes.PREFIX_LENGTH)
    for alphabet, lengths in codes.LENGTHS.items()
]


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
    background = fields.Image(help="Fills the card, in place of the coloured header.")
    logo = fields.Image(help="Leave empty for the company's logo.")
    show_logo = fields.Boolean(string="Print the Logo", default=True)
    background_color = fields.Char(default='#ffffff', required=True)
    accent_color = fields.Char(default='#714b67', required=True)
    text_color = fields.Char(default='#1b1b1b', required=True)
    title = fields.Char(default='{company}', translate=True)
    text = fields.Char(translate=True)
    instructions = fields.Text(translate=True)
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
    preview = fields.Image(compute='_compute_preview', max_width=0, max_height=0)
    problem = fields.Char(compute='_compute_preview')

    @api.model
    def _selection_lang(self):
        return self.env['res.lang'].get_installed()

    @api.depends(*PRINTED)
    @api.depends_context('company')
    def _compute_preview(self):
        """Draw the first card of the real PDF, or say why that cannot be printed."""
        for layout in self:
            layout.preview = False
            layout.problem = layout._get_problem()
            if not layout.problem:
                company = self.env.company
                card = layout._prepare_sheet_card(
                    company, codes.Format('base32', 12, 'QUICK'), 25, "2026-0001-000001"
                )
                pdf = sheet.preview(layout._prepare_sheet_layout(company), card)
                layout.preview = layout._render(pdf)

    @api.constrains(*PRINTED)
    def _check_printable(self):
        for layout in self:
            if problem := layout._get_problem():
                raise ValidationError(problem)

    def _get_problem(self):
        """Return why the longest card cannot be printed, as a sentence, None when it can.

        :rtype: str | None
        """
        if not self.paper:
            return self.env._("Choose the paper.")
        colors = (self.background_color, self.accent_color, self.text_color)
        if not all(COLOR.fullmatch(color or '') for color in colors):
            return self.env._("Colours are written as # and six hexadecimal digits.")
        if not (1 <= self.columns <= 20 and 1 <= self.rows <= 50):
            return self.env._("A sheet has 1 to 20 columns and 1 to 50 rows.")
        if min(self.margin_x, self.margin_y, self.gap) < 0:
            return self.env._("Margins and gaps cannot be negative.")
        company = self.env.company
        try:
            layout = self._prepare_sheet_layout(company)
            for fmt in LONGEST_FORMATS:
                card = self._prepare_sheet_card(company, fmt, LONGEST_PRICE, "2026-0001-1000000")
                sheet.check(layout, card)
        except typesetting.Unprintable as error:
            return self._explain(error)
        return None

    def _explain(self, error):
        """Return why something cannot be printed, as a sentence.

        :param typesetting.Unprintable error: what ``sheet`` raised.
        :rtype: str
        """
        match error:
            case typesetting.MissingCharacters():
                return self.env._(
                    "The fonts have no %(characters)s: these characters cannot be printed.",
                    characters=' '.join(error.what),
                )
            case sheet.UnknownPlaceholder():
                return self.env._(
                    "{%(name)s} stands for nothing. Use {price}, {code}, {serial}, {valid_till},"
                    " {company} or {address}.",
                    name=error.what,
                )
            case sheet.UnreadablePicture():
                return self.env._(
                    "The logo or the background is not a picture that can be printed."
                )
            case _:
                return self.env._(
                    "The longest code and price do not fit on a card of this size. Print fewer"
                    " cards on a sheet, or less on a card."
                )

    def _with_lang(self):
        """Return the layout in its language, or the user's when its own is not active any more."""
        active = self.lang in dict(self._selection_lang())
        return self.with_context(lang=self.lang if active else self.env.lang)

    def _write_pdf(self, rows, company, currency, file, single=False):
        """Write cards as PDF.

        :param Iterable[table.Row] rows: the cards with their codes.
        :param res.company company: whose name, logo and address are printed.
        :param res.currency currency: of all cards.
        :param file: a binary file.
        :param bool single: one card a page of the card's size, without cut marks, instead of the
            layout's sheets: to send or to look at.
        :raise UserError: when a card does not fit.
        """
        try:
            cards = self._prepare_sheet_cards(rows, company, currency)
            sheet.write(self._prepare_sheet_layout(company), cards, file, single=single)
        except typesetting.Unprintable as error:
            raise UserError(self._explain(error)) from None

    def _prepare_sheet_layout(self, company):
        """Return the layout as ``sheet`` knows it, in the layout's language.

        :param res.company company: whose name and logo are printed.
        :rtype: sheet.Layout
        """
        self.ensure_one()
        # A form asks for the sizes of pictures instead of the pictures.
        layout = self._with_lang().with_context(bin_size=False)
        company = company.with_context(bin_size=False)
        logo = (layout.logo or company.sudo().logo) if layout.show_logo else None
        texts = ('title', 'text', 'instructions')
        shared = sheet.Layout.__dataclass_fields__.keys() & layout._fields.keys()
        language = self.env['res.lang']._lang_get(layout.env.lang)
        values = {
            **{fname: layout[fname] for fname in shared},
            **{fname: layout[fname] or '' for fname in texts},
            'background': b64decode(layout.background) if layout.background else None,
            'logo': b64decode(logo) if logo else None,
            'company': company.sudo().name,
            'address': company._get_refill_card_address().removeprefix('https://'),
            'serial_label': layout.env._("Serial number"),
            'valid_till_label': layout.env._("Valid till"),
            'right_to_left': language.direction == 'rtl',
        }
        return sheet.Layout(**values)

    def _prepare_sheet_card(self, company, fmt, price, serial):
        """Return a card that only shows how cards look."""
        layout = self._with_lang()
        code = fmt.display(fmt.generate(1)[0])
        return sheet.Card(
            code=code,
            serial=serial,
            price=format_amount(layout.env, price, company.currency_id),
            valid_till=format_date(layout.env, fields.Date.today()),
            url=self._get_url(company._get_refill_card_address(), code),
        )

    def _prepare_sheet_cards(self, rows, company, currency):
        """Yield cards as ``sheet`` knows them, in the layout's language.

        :param Iterable[table.Row] rows: the cards with their codes.
        :param res.company company: whose address is in the QR codes.
        :param res.currency currency: of all of them.
        """
        env = self._with_lang().env
        address = company._get_refill_card_address()
        price = cache(lambda amount: format_amount(env, amount, currency))
        day = cache(lambda day: format_date(env, day) if day else '')
        for row in rows:
            yield sheet.Card(
                code=row.code,
                serial=row.serial,
                price=price(row.price),
                valid_till=day(row.valid_till),
                url=self._get_url(address, row.code),
            )

    @api.model
    def _get_address(self):
        """Return the company's address, for mail templates that were made before it had one."""
        return self.env.company._get_refill_card_address()

    @api.model
    def _get_url(self, address, code):
        """Return what the QR opens: the code is in the fragment, which no server ever sees."""
        return f'{address}#{code}'

    @api.model
    def _render(self, pdf):
        """Return the first page of a PDF as a picture."""
        buffer = BytesIO()
        with _rendering, closing(pypdfium2.PdfDocument(pdf)) as document:
            document[0].render(scale=PREVIEW_DPI / 72).to_pil().save(buffer, 'PNG')
        return b64encode(buffer.getvalue())
