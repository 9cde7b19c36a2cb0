from odoo import api, fields, models
from odoo.tools import SQL, format_amount


class RefillCard(models.Model):
    _inherit = 'refill.card'

    deletion_question = fields.Char(compute='_compute_deletion_question')

    def init(self):
        """Have PostgreSQL delete the codes of deleted cards, and forget them in the audit log.

        By whatever way the cards go, and all at once. Foreign keys would do so, too, but look the
        card up for each new code and event: generating would take half as long again, and writing
        events four times as long. The statements are planned anew each time: for one card or for a
        million.
        """
        self.env.cr.execute(
            SQL(
                """
                CREATE OR REPLACE FUNCTION refill_card_deleted() RETURNS trigger
                LANGUAGE plpgsql AS $$
                BEGIN
                    EXECUTE 'DELETE FROM refill_card_code WHERE id IN (SELECT id FROM deleted)';
                    EXECUTE 'UPDATE refill_card_event SET card_id = NULL'
                            ' WHERE card_id IN (SELECT id FROM deleted)';
                    -- By their indexes, which hold the few cards that name another one.
                    EXECUTE 'UPDATE refill_card SET replaced_by_id = NULL'
                            ' WHERE replaced_by_id IS NOT NULL'
                            ' AND replaced_by_id IN (SELECT id FROM deleted)';
                    EXECUTE 'UPDATE refill_card SET replaces_id = NULL'
                            ' WHERE replaces_id IS NOT NULL'
                            ' AND replaces_id IN (SELECT id FROM deleted)';
                    RETURN NULL;
                END $$;
                DROP TRIGGER IF EXISTS refill_card_deleted ON refill_card;
                CREATE TRIGGER refill_card_deleted
                 AFTER DELETE ON refill_card REFERENCING OLD TABLE AS deleted
                   FOR EACH STATEMENT EXECUTE FUNCTION refill_card_deleted()
                """
            )
        )
        return super().init()

    @api.depends('name', 'price', 'currency_id')
    @api.depends_context('lang')
    def _compute_deletion_question(self):
        for card in self:
            card.deletion_question = self.env._(
                "Delete card %(serial)s of series %(series)s, worth %(value)s? It will be worthless"
                " for whoever holds it.",
                serial=card.name,
                series=card.series_id.display_name,
                value=format_amount(self.env, card.price, card.currency_id),
            )
