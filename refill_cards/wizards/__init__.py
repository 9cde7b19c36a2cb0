from . import refill_card_generate, refill_card_redeem
