"""What databases of before do not know of series and layouts."""

from odoo.api import SUPERUSER_ID, Environment
from odoo.tools import SQL
from odoo.tools.sql import column_exists


def migrate(cr, version):
    env = Environment(cr, SUPERUSER_ID, {'active_test': False})
    agree(env)
    mark_codes_left(env)
    remember_prefixes(env)
    share_layouts(env)
    env.invalidate_all()


def agree(env):
    """Let the companies accept cards in which whoever made these may manage cards."""
    for series in env['refill.card.series'].search([], order='id'):
        series.with_user(series.create_uid).sudo()._agree()


def mark_codes_left(env):
    """Freeze the series of which a code was exported, printed, sent or shown."""
    card = env['refill.card'].with_context(active_test=False)
    langs = [lang for lang, _name in env['res.lang'].get_installed()]
    shown = [card.with_context(lang=lang).env._("Code shown") for lang in langs]
    sent = SQL("SELECT series_id, sent_on FROM refill_card WHERE sent_on IS NOT NULL")
    if not column_exists(env.cr, 'refill_card', 'sent_on'):
        sent = SQL("SELECT NULL::int, NULL::timestamp")
    env.cr.execute(
        SQL(
            """
            WITH exported AS (
                SELECT rel.refill_card_series_id AS series_id, export.create_date AS day
                  FROM refill_card_export_refill_card_series_rel rel
                  JOIN refill_card_export export ON export.id = rel.refill_card_export_id
            ), handed_out AS (
                SELECT * FROM exported
                UNION ALL  -- cards that moved to a series of their own since
                SELECT card.series_id, exported.day
                  FROM exported
                  JOIN refill_card_event event USING (series_id)
                  JOIN refill_card card ON card.id = event.card_id
                 WHERE card.series_id != exported.series_id
                UNION ALL %s
                UNION ALL
                SELECT card.series_id, event.date
                  FROM refill_card_event event
                  JOIN refill_card card ON card.id = event.card_id
                 WHERE event.note = ANY(%s)
            )
            UPDATE refill_card_series series SET codes_left_on = first.day
              FROM (SELECT series_id, min(day) AS day FROM handed_out GROUP BY series_id) first
             WHERE first.series_id = series.id AND series.codes_left_on IS NULL
            """,
            sent,
            ["Code shown", *shown],
        )
    )


def remember_prefixes(env):
    """Read the prefixes again that were printed before somebody changed them."""
    env.cr.execute(
        SQL(
            """
            UPDATE refill_card_series series SET former_prefixes = former.prefixes
              FROM (
                    SELECT message.res_id,
                           string_agg(DISTINCT value.old_value_char, ' ') AS prefixes
                      FROM mail_tracking_value value
                      JOIN mail_message message ON message.id = value.mail_message_id
                      JOIN ir_model_fields field ON field.id = value.field_id
                     WHERE message.model = 'refill.card.series' AND field.name = 'prefix'
                       AND value.old_value_char != ''
                     GROUP BY message.res_id
                   ) former
             WHERE former.res_id = series.id AND series.former_prefixes IS NULL
            """
        )
    )


def share_layouts(env):
    """Leave the layouts of before to all companies: a new column takes the current one's."""
    env.cr.execute(SQL("UPDATE refill_card_layout SET company_id = NULL"))
