"""What the addon wrote into the database says what is there, unless users changed it."""


def migrate(cr, version):
    # The link to the audit log led nowhere.
    cr.execute(
        """
        UPDATE mail_template
           SET body_html = replace(body_html::text, '/odoo/refill-card-events',
                                   '/odoo/refill-card-history')::jsonb
         WHERE body_html::text LIKE '%/odoo/refill-card-events%'
        """
    )
    # The plastic card's own instructions had no translation; the default ones have.
    cr.execute(
        """
        UPDATE refill_card_layout SET instructions = NULL
         WHERE instructions =
               '{"en_US": "Scan the QR code, or type the code at {address}."}'::jsonb
        """
    )
