import re
from base64 import b64decode, b64encode
from contextlib import closing
from dataclasses import replace
from datetime import date
from functools import cache
from io import BytesIO
from threading import Lock

import pypdfium2
from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_amount, format_date, formatLang
from PIL import Image

from .. import codes, sheet, typesetting
from .res_company_address import PATH

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
    'bleed',
    'background',
    'back_picture',
    'back_text',
    'logo',
    'show_logo',
    'background_color',
    'accent_color',
    'text_color',
    'title',
    'text',
    'instructions',
    'show_instructions',
    'serial_text',
    'valid_till_text',
    'accepted_text',
    'show_qr',
    'show_barcode',
    'show_serial',
    'show_valid_till',
    'lang',
)
# What a layout must have room for to be saved, whatever the company is called today.
COMPANY = "Northern Telecom Services Ltd"
ADDRESS = 'mycompany-1234567.dev.odoo.com' + PATH
LOGO_SIZE = (300, 100)
LONGEST_PRICE, LONGEST_CURRENCY = 1_234_567.89, 'KWD'
LONGEST_SERIAL = "2026-0001-1000000"
# What the preview shows looks like a code and is none: its last character does not match.
EXAMPLE = codes.Format('base32', 12, 'QUICK')
EXAMPLE_BODY = '7K2M9XQ4R3TZ0'
# The longest code, the widest bar code (Code 128 packs digits two by two), and the shortest code.
EXTREME_FORMATS = [
    codes.Format(alphabet, lengths[-1], 'M' * codes.PREFIX_LENGTH)
    for alphabet, lengths in codes.LENGTHS.items()
] + [codes.Format('base32', codes.LENGTHS['base32'][0])]


@cache
def _draw_logo():
    """Return a logo as wide as they usually are."""
    file = BytesIO()
    Image.new('RGB', LOGO_SIZE).save(file, 'PNG')
    return file.getvalue()


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
    preview = fields.Image(compute='_compute_preview', max_width=0, max_height=0)
    problem = fields.Char(compute='_compute_preview')
    hint = fields.Char(compute='_compute_hint')

    @api.model
    def _selection_lang(self):
        return self.env['res.lang'].get_installed()

    @api.depends('lang')
    @api.depends_context('lang')
    def _compute_default_words(self):
        for layout in self:
            for fname, words in layout._with_lang()._get_default_words().items():
                layout[f'default_{fname}'] = words

    @api.depends('show_logo', 'logo')
    @api.depends_context('company')
    def _compute_hint(self):
        """Say what is left out."""
        company = self.env.company.with_context(bin_size=False)
        logo = company.sudo().logo
        is_printed = not logo or sheet.is_picture(b64decode(logo))
        for layout in self:
            layout.hint = False
            if layout.show_logo and not layout.logo and not is_printed:
                layout.hint = self.env._(
                    "The logo of %(company)s cannot be printed and is left out. Choose a PNG or"
                    " JPEG picture here.",
                    company=company.sudo().name,
                )

    @api.depends(*PRINTED)
    @api.depends_context('company')
    def _compute_preview(self):
        """Draw the first card of the real PDF, or say why that cannot be printed."""
        for layout in self:
            layout.preview = False
            company = self.env.company
            layout.problem = layout._get_problem()
            if layout.problem:
                continue
            price = layout._format_price(25, company.currency_id)
            serial = "2026-0001-000001"
            card = layout._prepare_sheet_card(company, EXAMPLE, price, serial, EXAMPLE_BODY)
            try:
                pdf = sheet.preview(layout._prepare_sheet_layout(company), card)
            except typesetting.Unprintable as error:
                layout.problem = layout._explain(error, company, card)
            else:
                layout.preview = layout._render(pdf)

    # -------------------------------------------------------------------------
    # WHAT CANNOT BE PRINTED
    # -------------------------------------------------------------------------

    @api.constrains(*PRINTED)
    def _check_printable(self):
        for layout in self:
            if problem := layout._get_problem():
                raise ValidationError(problem)

    def _get_problem(self):
        """Return why not all cards could be printed, as a sentence, None when they can.

        That depends on nothing but the layout: what is saved stays possible, and the addon is
        installed whatever the company is called.

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
        nobody = self.env['res.company']
        number = formatLang(self._with_lang().env, LONGEST_PRICE, digits=3)
        price = f'{LONGEST_CURRENCY}\xa0{number}'
        samples = [
            self._prepare_sheet_card(nobody, fmt, price, LONGEST_SERIAL) for fmt in EXTREME_FORMATS
        ]
        return self._find_problem(nobody, samples)

    def _find_problem(self, company, cards):
        """Return why cards cannot be printed together, as a sentence, None when they can.

        :param res.company company: the issuer; empty for one that is only imagined.
        :param list[sheet.Card] cards: the cards.
        :rtype: str | None
        """
        layout = self._prepare_sheet_layout(company)
        for some in ([card] for card in cards):
            try:
                sheet.check(layout, some)
            except typesetting.Unprintable as error:
                return self._explain(error, company, some[0])
        try:
            sheet.check(layout, cards)
        except typesetting.Unprintable as error:
            return self._explain(error, company, cards[0])
        return None

    def _get_print_problem(self, series):
        """Return why the cards of some series cannot be printed together, None when they can.

        :param refill.card.series series: of one issuer and one currency.
        :rtype: str | None
        """
        self.ensure_one()
        company = series.company_id[:1]
        samples = self._prepare_samples(series)
        for each, cards in samples.items():
            if problem := self._find_problem(company, cards):
                if len(samples) == 1:
                    return problem
                return self.env._("Series %(series)s: %(problem)s", series=each, problem=problem)
        return self._find_problem(company, [card for cards in samples.values() for card in cards])

    def _explain(self, error, company, card):
        """Return why something cannot be printed, as a sentence.

        :param typesetting.Unprintable error: what ``sheet`` raised.
        :param res.company company: the issuer.
        :param sheet.Card card: the card that was to be printed.
        :rtype: str
        """
        element = error.element or error.what
        name = self._get_element_names().get(element) or self.env._("The text")
        match error:
            case typesetting.MissingCharacters():
                return self.env._(
                    "%(element)s cannot be printed: the fonts have no %(characters)s.",
                    element=name,
                    characters=' '.join(error.what),
                )
            case sheet.UnknownPlaceholder():
                return self.env._(
                    "{%(name)s} stands for nothing. Use {price}, {code}, {serial}, {valid_till},"
                    " {company}, {companies} or {address}.",
                    name=error.what,
                )
            case sheet.UnreadablePicture():
                return self.env._(
                    "The logo, the background or the back is not a picture that can be printed."
                    " Choose a PNG or JPEG picture."
                )
            case sheet.Illegible():
                return self.env._(
                    "%(element)s has about the colour of the background: choose colours that differ"
                    " more.",
                    element=name,
                )
        text = sheet.get_text(self._prepare_sheet_layout(company), card, element)
        if text and (company or not (COMPANY in text or ADDRESS in text)):
            name = self.env._("%(element)s “%(text)s”", element=name, text=text)
        return self.env._(
            "%(element)s does not fit on a card of this size. Print fewer cards on a sheet, or less"
            " on a card.",
            element=name,
        )

    def _get_element_names(self):
        """Return what the elements of a card are called at the beginning of a sentence."""
        return {
            'title': self.env._("The title"),
            'price': self.env._("The price"),
            'text': self.env._("The text"),
            'code': self.env._("The longest code"),
            'instructions': self.env._("The text of the instructions"),
            'accepted': self.env._("The text with the accepting companies"),
            'serial': self.env._("The serial number"),
            'valid_till': self.env._("The validity"),
            'qr': self.env._("The QR code"),
            'barcode': self.env._("The bar code of the longest code"),
            'back': self.env._("The text on the back"),
            'card': self.env._("All of it together"),
        }

    # -------------------------------------------------------------------------
    # PRINTING
    # -------------------------------------------------------------------------

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

    def _write_pdf(self, rows, series, file, single=False):
        """Write cards as PDF.

        :param Iterable[table.Row] rows: the cards with their codes.
        :param refill.card.series series: all those of the cards, of one issuer and one currency.
        :param file: a binary file.
        :param bool single: one card a page of the card's size, without cut marks, instead of the
            layout's sheets: to send or to look at.
        :raise UserError: when a card does not fit.
        """
        if problem := self._get_print_problem(series):
            raise UserError(problem)
        company = series.company_id[:1]
        samples = [card for cards in self._prepare_samples(series).values() for card in cards]
        cards = self._prepare_sheet_cards(rows, series)
        layout = self._prepare_sheet_layout(company)
        try:
            sheet.write(layout, cards, file, single=single, samples=samples)
        except typesetting.Unprintable as error:
            raise UserError(self._explain(error, company, samples[0])) from None

    def _prepare_sheet_layout(self, company):
        """Return the layout as ``sheet`` knows it, in the layout's language.

        :param res.company company: whose name and logo are printed; empty for one that is only
            imagined, with long ones.
        :rtype: sheet.Layout
        """
        self.ensure_one()
        # A form asks for the sizes of pictures instead of the pictures.
        layout = self._with_lang().with_context(bin_size=False)
        texts = ('title', 'text', 'back_text')
        pictures = ('background', 'back_picture')
        shared = sheet.Layout.__dataclass_fields__.keys() & layout._fields.keys()
        language = self.env['res.lang']._lang_get(layout.env.lang)
        words = layout._get_default_words()
        shown = {
            'instructions': layout.show_instructions,
            'serial_text': layout.show_serial,
            'valid_till_text': layout.show_valid_till,
            'accepted_text': True,
        }
        values = {
            **{fname: layout[fname] for fname in shared},
            **{fname: layout[fname] or '' for fname in texts},
            **{fname: shown[fname] and (layout[fname] or words[fname]) or '' for fname in words},
            **{fname: b64decode(layout[fname]) if layout[fname] else None for fname in pictures},
            'logo': layout._get_logo(company) if layout.show_logo else None,
            'company': company.sudo().name or COMPANY,
            'address': ADDRESS,
            'right_to_left': language.direction == 'rtl',
        }
        if company:
            values['address'] = company._get_refill_card_address().removeprefix('https://')
        return sheet.Layout(**values)

    def _get_logo(self, company):
        """Return the layout's logo, or else the company's if that can be printed."""
        if self.logo:
            return b64decode(self.logo)
        if not company:
            return _draw_logo()
        logo = company.with_context(bin_size=False).sudo().logo
        content = b64decode(logo) if logo else None
        return content if content and sheet.is_picture(content) else None

    @api.model
    def _format_price(self, amount, currency):
        """Return a price; the fonts have not the signs of all currencies."""
        text = format_amount(self.env, amount, currency)
        if typesetting.can_print(text):
            return text
        return text.replace(currency.symbol, currency.name)

    @api.model
    def _format_day(self, day):
        """Return a day; as ISO 8601 where the fonts lack the characters."""
        text = format_date(self.env, day)
        return text if typesetting.can_print(text) else day.isoformat()

    def _prepare_samples(self, series):
        """Return cards that take as much room as any of some series.

        :param refill.card.series series: the series.
        :return: cards by the name of the first series that has such.
        :rtype: dict[str, list[sheet.Card]]
        """
        env = self._with_lang().env
        samples, seen = {}, set()
        for each in series.sudo():  # sudo: whoever may print cards may see what is on them
            fmt = each._get_format()
            companies = each._get_companies_on_cards()
            key = (len(fmt.prefix), fmt.alphabet, fmt.length, each.price, companies)
            if key in seen:
                continue
            seen.add(key)
            price = self.with_env(env)._format_price(each.price, each.currency_id)
            serial = f'{each.name}-{max(999_999, each.quantity)}'
            card = self._prepare_sheet_card(each.company_id, fmt, price, serial)
            samples[each.name] = [replace(card, companies=companies)]
        return samples

    def _prepare_sheet_card(self, company, fmt, price, serial, body=None):
        """Return a card that only shows how much room cards of a format need."""
        layout = self._with_lang()
        body = body or ('W' if fmt.alphabet == 'base32' else '0') * (fmt.length + 1)
        days = [layout._format_day(date(2028, month, 28)) for month in range(1, 13)]
        address = company._get_refill_card_address() if company else f'https://{ADDRESS}'
        code = fmt.display(body)
        return sheet.Card(
            code=code,
            serial=serial,
            price=price,
            valid_till=max(days, key=len),
            url=self._get_url(address, code),
            body=body,
        )

    def _prepare_sheet_cards(self, rows, series):
        """Yield cards as ``sheet`` knows them, in the layout's language.

        :param Iterable[table.Row] rows: the cards with their codes.
        :param refill.card.series series: all those of the cards.
        """
        layout = self._with_lang()
        series = series.sudo()  # sudo: whoever may print cards may see what is on them
        address = series.company_id[:1]._get_refill_card_address()
        currency = series.currency_id[:1]
        price = cache(lambda amount: layout._format_price(amount, currency))
        day = cache(lambda day: layout._format_day(day) if day else '')
        for row, each in series._match_rows(rows):
            yield sheet.Card(
                code=row.code,
                serial=row.serial,
                price=price(row.price),
                valid_till=day(row.valid_till),
                url=self._get_url(address, row.code),
                body=row.code.removeprefix(f'{each.prefix}-').replace('-', ''),
                companies=each.companies,
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
