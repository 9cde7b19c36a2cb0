"""Why a card was not redeemed, in words for whoever tried."""

from http import HTTPStatus

from odoo.exceptions import UserError
from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

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
    ('unavailable', "Series frozen"),
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
    'used_elsewhere': lambda env, day: env._("This card was already used on %(day)s.", day=day),
    'inactive': lambda env: env._(
        "This card is not active yet. Please ask whoever sold it to you."
    ),
    'disabled': lambda env: env._("This card was disabled. Please ask whoever sold it to you."),
    'replaced': lambda env: env._(
        "This card was replaced by another one. Please use the new card, or ask whoever sold it to"
        " you."
    ),
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
    'unavailable': lambda env, contact: env._(
        "This card cannot be checked right now. Nothing was taken from it. Please try again later,"
        " or call us: %(contact)s.",
        contact=contact,
    ),
    'call_busy': lambda env: env._(
        "The same call is still under way. Please repeat it in a moment."
    ),
    'reference': lambda env: env._(
        "This reference was used for another call. Please make a new one for each call, and repeat"
        " a call with all it had before."
    ),
}

# Why nobody could be served. Without a database there is no environment to translate with.
UNAVAILABLE = {
    'unavailable': _lt(
        "This cannot be done right now, because the database does not answer. Nothing was changed."
        " Please try again in a minute."
    ),
    'uncertain': _lt(
        "The connection to the database was lost at the last moment, so it is not certain whether"
        " this was done. Please look before you try again. A call with a reference can be repeated"
        " with the same one."
    ),
    'uncertain_page': _lt(
        "The connection was lost at the last moment, so it is not certain whether this was done."
        " Please look before you try again: a card that was redeemed is among your payments."
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
        # What managers read of it, where whoever tried must not learn as much.
        self.recorded_as = reason
        self.context = {'reason': reason, **context}


def describe(env, sentence, **values):
    """Return why a card is refused.

    :param odoo.api.Environment env: of whoever tried, for the language.
    :param str sentence: a key of ``SENTENCES``.
    :param str values: what the sentence names.
    """
    return SENTENCES[sentence](env, **values)


class RefillCardWaits(UserError):
    """Something was not done, because another manager has to approve it first.

    :param str message: a sentence for whoever reads it where nobody is asked for the approval.
    :param dict request: the values of the approval to ask for.
    """

    def __init__(self, message, request):
        super().__init__(message)
        self.request = request


class RefillCardUnavailable(UserError):
    """The database was lost while a request was served.

    :param str reason: ``unavailable`` when nothing was changed, ``uncertain`` when that is not
        known; JSON-2 answers it in ``context``.
    :param str lang: the code of the language of the sentence.
    :param bool is_page: whether a customer reads it on a page.
    """

    http_status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason, lang, *, is_page=False):
        sentence = 'uncertain_page' if is_page and reason == 'uncertain' else reason
        super().__init__(UNAVAILABLE[sentence]._translate(lang))
        self.context = {'reason': reason}


def as_known_to_odoo(error):
    """Return an error as the one whose sentence Odoo's own pages show.

    They know errors by the name of the class, and show a traceback for any other.

    :rtype: odoo.exceptions.UserError
    """
    shown = UserError(*error.args).with_traceback(error.__traceback__)
    shown.context = error.context
    return shown
