from . import (
    account_chart_template,
    account_journal,
    account_move,
    account_payment,
    account_payment_method,
    refill_card,
    refill_card_attempt,
    refill_card_event,
    refill_card_series,
    res_company,
    res_config_settings,
    res_partner,
)
