from . import refill_cards
