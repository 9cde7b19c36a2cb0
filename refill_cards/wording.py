"""How numbers are written in the language of whoever reads them."""

from odoo.tools.misc import formatLang


def format_count(env, number):
    """Return a whole number with its digits grouped as the user's language does.

    :param odoo.api.Environment env: whose language.
    :param int number: for instance of cards.
    :rtype: str
    """
    return formatLang(env, number, digits=0)
