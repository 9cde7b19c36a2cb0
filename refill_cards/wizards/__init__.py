from . import (
    account_payment_register,
    base_partner_merge,
    refill_card_change,
    refill_card_export_wizard,
    refill_card_find,
    refill_card_generate,
    refill_card_hand_out,
    refill_card_redeem,
    refill_card_send,
    refill_card_undo,
)
