from . import refill_cards
from .refill_cards.hooks import pre_init_hook, uninstall_hook
