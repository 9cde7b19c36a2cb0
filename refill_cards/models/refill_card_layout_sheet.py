from base64 import b64decode
from dataclasses import replace
from datetime import date
from functools import cache

from odoo import api, models
from odoo.tools import format_amount, format_date

from ..printing import preview, sheet, typesetting
from .res_company_address import PATH

# What a layout must have room for to be saved, whatever the company is called today.
COMPANY = "Northern Telecom Services Ltd"
ADDRESS = 'mycompany-1234567.dev.odoo.com' + PATH


class RefillCardLayout(models.Model):
    """Cards on the sheets of a layout, in its words."""

    _inherit = 'refill.card.layout'

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
            return preview.draw_logo()
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
