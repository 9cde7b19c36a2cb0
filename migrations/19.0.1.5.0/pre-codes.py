"""Sealed codes have a table of their own.

PostgreSQL gives the space that they took in the table of the cards to the rows that change next.
"""

from odoo.exceptions import UserError
from odoo.tools.sql import column_exists
from psycopg2.errors import ForeignKeyViolation, SerializationFailure


def migrate(cr, version):
    if not column_exists(cr, 'refill_card', 'code_sealed'):
        return
    # From here on no other server writes cards; what it wrote just before is perhaps not seen.
    cr.execute('LOCK TABLE refill_card IN ACCESS EXCLUSIVE MODE')
    cr.execute('CREATE TABLE refill_card_code (id SERIAL NOT NULL, sealed VARCHAR NOT NULL)')
    try:
        # Cards that changed are told by FOR SHARE, and new ones by the foreign key.
        cr.execute(
            """
            INSERT INTO refill_card_code (id, sealed)
            SELECT id, code_sealed FROM refill_card FOR SHARE
            """
        )
        # The indexes come later, which is faster; Odoo makes the one of the codes.
        cr.execute(
            """
            ALTER TABLE refill_card_code ADD PRIMARY KEY (id);
            ALTER TABLE refill_card ADD CONSTRAINT refill_card_has_code
            FOREIGN KEY (id) REFERENCES refill_card_code;
            ALTER TABLE refill_card DROP CONSTRAINT refill_card_has_code
            """
        )
    except (ForeignKeyViolation, SerializationFailure) as error:
        raise UserError(  # pylint: disable=translation-required
            "Another Odoo server just changed refill cards. Stop every server of this database,"
            " then update again. Nothing was changed."
        ) from error
    cr.execute('ALTER TABLE refill_card DROP COLUMN code_sealed')
