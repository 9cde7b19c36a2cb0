"""Fields are called what they hold, also where users have written their names down."""

from odoo.tools import SQL
from odoo.tools.sql import column_exists, rename_column

RENAMED = [
    ('refill.card', 'available_to', 'company_names'),
    ('refill.card', 'company_id', 'used_company_id'),
    ('refill.card.lockout', 'address', 'origin'),
    ('refill.card.series', 'available_to', 'company_names'),
]


def migrate(cr, version):
    for model, old, new in RENAMED:
        table = model.replace('.', '_')
        if column_exists(cr, table, old):
            rename_column(cr, table, old, new)
            rename_index(cr, f'{table}__{old}_index', f'{table}__{new}_index')
        rename_in_exports(cr, model, old, new)
        rename_in_filters(cr, model, old, new)


def rename_index(cr, old, new):
    names = SQL.identifier(old), SQL.identifier(new)
    cr.execute(SQL("ALTER INDEX IF EXISTS %s RENAME TO %s", *names))


def rename_in_exports(cr, model, old, new):
    """Rename a field in the lists of columns that users keep for Odoo's own export."""
    cr.execute(
        """
        UPDATE ir_exports_line line
           SET name = regexp_replace(line.name, '^' || %(old)s || '(?=/|$)', %(new)s)
          FROM ir_exports export
         WHERE export.id = line.export_id AND export.resource = %(model)s
        """,
        {'model': model, 'old': old, 'new': new},
    )


def rename_in_filters(cr, model, old, new):
    """Rename a field in the searches that users keep."""
    cr.execute(
        r"""
        UPDATE ir_filters
           SET domain = regexp_replace(domain, %(old)s, %(new)s, 'g'),
               context = regexp_replace(context, %(old)s, %(new)s, 'g'),
               sort = regexp_replace(sort, %(old)s, %(new)s, 'g')
         WHERE model_id = %(model)s
        """,
        # A name in quotes, alone or before a dot, a colon or a direction.
        {'model': model, 'old': rf'''(["']){old}(?=["'.: ])''', 'new': rf'\1{new}'},
    )
