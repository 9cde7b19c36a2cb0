import re
from base64 import b64decode
from binascii import Error
from collections.abc import Set
from io import BytesIO

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools.image import IMAGE_MAX_RESOLUTION
from PIL import Image, UnidentifiedImageError

# PostgreSQL stores neither, and would be an error of the program.
UNSTORABLE = re.compile('[\0\ud800-\udfff]')
LARGEST = 2**31 - 1
OTHERS = ('res.company', 'res.config.settings')


class Base(models.AbstractModel):
    """Refuses what no model of refill cards can store, through whatever door it comes.

    Here, because forms, imports, RPC, the portal and windows meet nowhere else.
    """

    _inherit = 'base'

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_storable(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._check_storable(vals)
        return super().write(vals)

    def onchange(self, values, field_names, fields_spec):
        self._check_storable(values)
        return super().onchange(values, field_names, fields_spec)

    @api.model
    def _search(self, domain, *args, **kwargs):
        if self._name.startswith('refill.card'):
            domain = Domain(domain)
            for condition in domain.iter_conditions():
                value = condition.value
                for text in value if isinstance(value, (list, tuple, Set)) else [value]:
                    self._check_text(condition.field_expr, text)
        return super()._search(domain, *args, **kwargs)

    def _would_change(self, vals):
        """Return whether writing these values would change the record: clients send others, too."""
        return any(
            self._fields[fname].convert_to_cache(value, self, validate=False)
            != self._fields[fname].convert_to_cache(self[fname], self)
            for fname, value in vals.items()
        )

    @api.model
    def _check_storable(self, vals):
        """:raise UserError: when a text, number or picture among the values cannot be stored."""
        if not (self._name.startswith('refill.card') or self._name in OTHERS):
            return
        for fname, value in vals.items():
            field = self._fields.get(fname)
            if isinstance(field, fields.Integer):
                self._check_number(field, value)
            elif isinstance(field, fields.Image) and field.store and field.model_name == self._name:
                self._check_picture(field, value)
            else:
                self._check_text(fname, value)

    @api.model
    def _check_text(self, fname, value):
        if isinstance(value, str) and UNSTORABLE.search(value):
            field = self._fields.get(fname)
            raise UserError(
                self.env._(
                    "“%(field)s” holds a character that is no text, such as NUL. Please type it"
                    " again.",
                    field=field._description_string(self.env) if field else fname,
                )
            )

    @api.model
    def _check_number(self, field, value):
        if isinstance(value, (int, float)) and abs(value) > LARGEST:
            raise UserError(
                self.env._(
                    "The number in “%(field)s” is too large. Please type it again.",
                    field=field._description_string(self.env),
                )
            )

    @api.model
    def _check_picture(self, field, value):
        """:raise UserError: when it is a picture that cannot be drawn, or only with much memory.

        What is no picture at all is left to Odoo, which says so.
        """
        try:
            content = b64decode(value or b'')
        except (Error, ValueError, TypeError):
            return
        if content[:1] in (b'', b'<'):  # none, or SVG
            return
        try:
            with Image.open(BytesIO(content)) as picture:
                width, height = picture.size
                is_drawable = width * height <= IMAGE_MAX_RESOLUTION
                if is_drawable:
                    picture.load()
        except UnidentifiedImageError:
            return
        except Exception:  # a picture may be broken in any way
            is_drawable = False
        if not is_drawable:
            raise UserError(
                self.env._(
                    "The picture in “%(field)s” is too large or damaged. Use one of up to"
                    " %(maximum)s million pixels.",
                    field=field._description_string(self.env),
                    maximum=round(IMAGE_MAX_RESOLUTION / 1e6),
                )
            )
