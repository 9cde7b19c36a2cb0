from datetime import date

from odoo import api, models
from odoo.exceptions import AccessError, UserError

# Larger ones are no amount of money.
LARGEST_NUMBER = 10**12


def _is_number(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and -LARGEST_NUMBER < value < LARGEST_NUMBER


def _is_id(value):
    return isinstance(value, int) and _is_number(value) and 0 < value < 2**31


def _is_day(value):
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


# What may come, by its kind: how it is recognized, and the sentence for anything else.
KINDS = {
    'text': (
        lambda value: isinstance(value, str),
        lambda env, name: env._("“%(name)s” is given as text.", name=name),
    ),
    'number': (
        _is_number,
        lambda env, name: env._("“%(name)s” is given as a number.", name=name),
    ),
    'count': (
        _is_id,
        lambda env, name: env._("“%(name)s” is given as a whole number, 1 or more.", name=name),
    ),
    'flag': (
        lambda value: isinstance(value, bool),
        lambda env, name: env._("“%(name)s” is given as true or false.", name=name),
    ),
    'day': (
        _is_day,
        lambda env, name: env._("“%(name)s” is given as a day: YYYY-MM-DD.", name=name),
    ),
    'ids': (
        lambda value: isinstance(value, list) and all(map(_is_id, value)),
        lambda env, name: env._("“%(name)s” is given as a list of numeric ids.", name=name),
    ),
}


class RefillCard(models.Model):
    """Reading what came over the API, before anything would fail on it."""

    _inherit = 'refill.card'

    @api.model
    def _check_may_redeem(self):
        """:raise AccessError: when the user may not redeem cards for customers."""
        if not self.env.user.has_group('refill_cards.group_refill_card_user'):
            raise AccessError(self.env._("You may not redeem refill cards for customers."))

    @api.model
    def _read_partner(self, partner_id):
        """Return the customer that a caller names, the user's own contact when left out.

        :raise UserError: when it is no id.
        :raise AccessError: when the user may not see that contact.
        """
        partner = self.env.user.partner_id
        if partner_id is None:
            return partner
        # Read with the user's own contact, whose time zone is needed later.
        ids = [self._read_id(partner_id), partner.id]
        partner = self.env['res.partner'].browse(ids[0]).with_prefetch(ids)
        partner._check_refill_card_customer()
        return partner

    @api.model
    def _read_company(self, company_id):
        """Return the company that a caller names, the user's current one when left out.

        :raise UserError: when it is no id.
        :raise AccessError: when the user does not work there.
        """
        if company_id is None:
            return self.env.company
        company = self.env['res.company'].browse(self._read_id(company_id))
        if company not in self.env.user.company_ids:
            raise AccessError(self.env._("You may not work with refill cards in this company."))
        return company

    @api.model
    def _read_id(self, value):
        """Return an id that came over the API.

        :raise UserError: when it is not a number.
        """
        if _is_id(value):
            return value
        raise UserError(
            self.env._("Customers, companies and other records are given by their numeric ids.")
        )

    @api.model
    def _read_caller(self, caller):
        """Return for whom a gateway asks.

        :raise UserError: when that is no short text.
        """
        if caller is None:
            return None
        if isinstance(caller, str) and caller.isprintable() and 0 < len(caller.strip()) <= 100:
            return caller.strip()
        raise UserError(self.env._("The caller is given as text of up to 100 characters."))

    @api.model
    def _check_given(self, kind, **given):
        """Check the kind of what came.

        :param str kind: a key of ``KINDS``.
        :param given: the values by the names of their parameters; None is what was left out.
        :raise UserError: when one is of another kind.
        """
        is_right, describe = KINDS[kind]
        for name, value in given.items():
            if value is not None and not is_right(value):
                raise UserError(describe(self.env, name))

    @api.model
    def _check_choice(self, choices, **given):
        """Check that what came is one of a selection's keys.

        :raise UserError: when it is none, with all that there are.
        """
        for name, value in given.items():
            if value is not None and value not in choices:
                raise UserError(
                    self.env._(
                        "“%(name)s” is one of: %(choices)s.", name=name, choices=', '.join(choices)
                    )
                )
