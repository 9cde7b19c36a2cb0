"""Why a card was not redeemed, in words for whoever tried."""

from odoo.exceptions import UserError

REASONS = [
    ('typo', "Typing error"),
    ('unknown', "Unknown code"),
    ('inactive', "Not active yet"),
    ('used', "Already used"),
    ('disabled', "Disabled"),
    ('expired', "Expired"),
    ('company', "Not accepted here"),
    ('locked_out', "Locked out"),
    ('busy', "Being redeemed"),
    ('reference', "Reference used before"),
]

# What a stranger may learn: that a card is used, and nothing about by whom.
SENTENCES = {
    'typo': lambda env: env._("This is not a card's code. Please check it for typing errors."),
    'serial': lambda env: env._(
        "This is the card's serial number. The code is the other number on the card: in groups of"
        " four characters, often under a layer to scratch off."
    ),
    'unknown_serial': lambda env: env._(
        "There is no card with this serial number, or you may not see it."
    ),
    'unknown': lambda env: env._(
        "There is no card with this code. Please compare it with the card."
    ),
    'used': lambda env: env._("This card was already used."),
    'used_for_customer': lambda env, time: env._(
        "This card was already used for this account on %(day)s.", day=time
    ),
    'inactive': lambda env: env._(
        "This card is not active yet. Please ask whoever sold it to you."
    ),
    'disabled': lambda env: env._("This card was disabled. Please ask whoever sold it to you."),
    'expired': lambda env, day: env._("This card was valid till %(day)s.", day=day),
    'company': lambda env, company: env._(
        "This card is not accepted by %(company)s.", company=company
    ),
    'customer': lambda env, company: env._(
        "This customer belongs to another company than %(company)s.", company=company
    ),
    'busy': lambda env: env._(
        "This card is just being redeemed. Please look at the balance first."
    ),
    'call_busy': lambda env: env._(
        "The same call is still under way. Please repeat it in a moment."
    ),
    'reference': lambda env: env._(
        "This reference was used for another call. Please make a new one for each call, and repeat"
        " a call with all it had before."
    ),
}


class RefillCardRefused(UserError):
    """A card was not redeemed.

    :param str message: a sentence for the one who tried; it never holds the code.
    :param str reason: a key of ``REASONS``; JSON-2 answers it in ``context``.
    :param int card_id: the card, when it is known which one it is.
    :param context: what else JSON-2 answers.
    """

    def __init__(self, message, reason, card_id=None, **context):
        assert reason in dict(REASONS)
        super().__init__(message)
        self.reason = reason
        self.card_id = card_id
        self.is_recorded = False
        self.context = {'reason': reason, **context}


def describe(env, sentence, **values):
    """Return why a card is refused.

    :param odoo.api.Environment env: of whoever tried, for the language.
    :param str sentence: a key of ``SENTENCES``.
    :param str values: what the sentence names.
    """
    return SENTENCES[sentence](env, **values)
