"""An index that also names the series has taken its place; Odoo keeps what it no longer knows."""


def migrate(cr, version):
    cr.execute("DROP INDEX IF EXISTS refill_card__used_company_id_index")
