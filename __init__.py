from . import refill_cards
from .refill_cards.hooks import post_init_hook
