from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL


class RefillCardCode(models.Model):
    """The sealed codes, away from the cards: written once with the card, and never again.

    A code has the id of its card, that of a canary the canary's id below zero: no card gets it. No
    user has any right here: cards are found by their codes, and codes are opened, in SQL only.
    """

    _name = 'refill.card.code'
    _description = "Sealed Code of a Refill Card"
    _log_access = False

    sealed = fields.Char(required=True, readonly=True, groups=fields.NO_ACCESS)

    _sealed_unique = models.UniqueIndex('(sealed)', "Two cards cannot have the same code.")

    @api.model_create_multi
    def create(self, vals_list):  # pylint: disable=method-required-super
        """:raise AccessError: always; a code is drawn with its card."""
        self._refuse()

    def write(self, vals):  # pylint: disable=method-required-super
        """:raise AccessError: always."""
        self._refuse()

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        self._refuse()

    def _refuse(self):
        raise AccessError(self.env._("Codes of refill cards come and go with their cards only."))

    @api.model
    def _get_sealed(self, cards):
        """Return the sealed codes of cards by their ids; who asks checks the right to see them.

        :param refill.card cards: the cards.
        :rtype: dict[int, str]
        """
        ids = list(cards._origin.ids)
        query = SQL("SELECT id, sealed FROM refill_card_code WHERE id = ANY(%s)", ids)
        return dict(self.env.execute_query(query))

    @api.model
    def _get_ids(self, sealed, hidden=()):
        """Return the ids of the cards that have one of these sealed codes.

        That a card is of a hidden series must not be told by the time it takes: one query, always.

        :param list[str] sealed: the codes.
        :param set[int] hidden: the ids of the series whose cards are not found.
        :rtype: dict[str, int]
        """
        query = SQL(
            "SELECT sealed, id FROM refill_card_code WHERE sealed = ANY(%s) AND id > 0", sealed
        )
        if hidden:
            theirs = SQL(
                "SELECT FROM refill_card WHERE id = refill_card_code.id AND series_id = ANY(%s)",
                list(hidden),
            )
            query = SQL("%s AND NOT EXISTS (%s)", query, theirs)
        return dict(self.env.execute_query(query))

    @api.model
    def _get_canary_ids(self, sealed):
        """Return the ids of the canaries that have one of these sealed codes.

        :param list[str] sealed: the codes, as those of cards.
        :rtype: dict[str, int]
        """
        query = SQL(
            "SELECT sealed, -id FROM refill_card_code WHERE sealed = ANY(%s) AND id < 0", sealed
        )
        return dict(self.env.execute_query(query))
