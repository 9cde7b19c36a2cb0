import re
from base64 import b64decode, b64encode

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import formatLang

from .. import codes
from ..printing import preview, sheet, typesetting
from .refill_card_layout_sheet import ADDRESS, COMPANY

COLOR = re.compile(r'#[0-9a-fA-F]{6}')
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
# What a layout must have room for to be saved.
LONGEST_PRICE, LONGEST_CURRENCY = 1_234_567.89, 'KWD'
LONGEST_SERIAL = "2026-0001-1000000"
# The longest code, the widest bar code (Code 128 packs digits two by two), and the shortest code.
EXTREME_FORMATS = [
    codes.Format(alphabet, lengths[-1], 'M' * codes.PREFIX_LENGTH)
    for alphabet, lengths in codes.LENGTHS.items()
] + [codes.Format('base32', codes.LENGTHS['base32'][0])]
# What the preview shows looks like a code and is none: its last character does not match.
EXAMPLE = codes.Format('base32', 12, 'QUICK')
EXAMPLE_BODY = '7K2M9XQ4R3TZ0'


class RefillCardLayout(models.Model):
    """Cards are printed with a layout, shown before, or it says why they cannot be."""

    _inherit = 'refill.card.layout'

    preview = fields.Image(compute='_compute_preview', max_width=0, max_height=0)
    problem = fields.Char(compute='_compute_preview')
    hint = fields.Char(compute='_compute_hint')

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
                layout.preview = b64encode(preview.render(pdf))

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
            'price': self.env._("The face value"),
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
