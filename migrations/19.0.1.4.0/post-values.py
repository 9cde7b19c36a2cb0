"""Cards in another currency do not tell what they are worth in the books.

Those that were sold have the value of that day; those that were used, what that debited.
"""

from odoo.api import SUPERUSER_ID, Environment
from odoo.fields import Domain


def migrate(cr, version):
    env = Environment(cr, SUPERUSER_ID, {})
    series = env['refill.card.series'].with_context(active_test=False)
    kinds = [
        Domain('company_id', '=', company.id) & Domain('currency_id', '=', currency.id)
        for company, currency in series._read_group([], ['company_id', 'currency_id'])
        if currency != company.currency_id
    ]
    foreign = series.search(Domain.OR(kinds)) if kinds else series.browse()
    _tell_sales(env, foreign)
    _tell_uses(cr, foreign)
    env.invalidate_all()


def _tell_sales(env, foreign):
    cards = env['refill.card']
    sold = Domain('series_id', 'in', foreign.ids) & Domain('terms', '=', 'sold')
    for of_series, line, day in cards._read_group(
        sold, ['series_id', 'invoice_line_id', 'handed_out_on:day']
    ):
        value = of_series._convert_face_value(day)
        if line.refill_card_role == 'sale':
            value = line._get_refill_card_unit_value()
        domain = Domain('series_id', '=', of_series.id) & Domain('invoice_line_id', '=', line.id)
        cards._set_terms(sold & domain & Domain('handed_out_on', '=', day), historical_value=value)
    env.cr.execute(
        """
        UPDATE refill_card_event event SET balance = card.historical_value
          FROM refill_card card
         WHERE card.id = event.card_id AND event.movement = 'sold' AND event.balance IS NULL
           AND card.historical_value IS NOT NULL
        """
    )


def _tell_uses(cr, foreign):
    cr.execute(
        """
        UPDATE refill_card_event event
           SET balance = CASE WHEN split_part(issuer.parent_path, '/', 1)
                                 = split_part(company.parent_path, '/', 1)
                         THEN debit.balance
                         ELSE (SELECT historical_value FROM refill_card WHERE id = event.card_id)
                         END
          FROM account_payment payment
          JOIN account_move_line debit
            ON debit.move_id = payment.move_id AND debit.amount_currency > 0
          JOIN res_company company ON company.id = debit.company_id,
               refill_card_series series
          JOIN res_company issuer ON issuer.id = series.company_id
         WHERE payment.id = event.payment_id AND event.movement IN ('redeemed', 'given_back')
           AND series.id = event.series_id AND series.id = ANY(%s)
           AND event.balance IS NULL
        """,
        [foreign.ids],
    )
    # So that what is undone now, and used again, is what it was.
    cr.execute(
        """
        UPDATE refill_card card SET historical_value = event.balance
          FROM refill_card_event event
         WHERE event.card_id = card.id AND event.payment_id = card.payment_id
           AND event.movement = 'redeemed' AND card.series_id = ANY(%s)
           AND event.balance IS NOT NULL
        """,
        [foreign.ids],
    )
