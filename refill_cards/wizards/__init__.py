from . import (
    refill_card_export_wizard,
    refill_card_generate,
    refill_card_redeem,
    refill_card_send,
)
