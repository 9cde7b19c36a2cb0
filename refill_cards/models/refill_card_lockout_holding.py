import ipaddress
from contextlib import contextmanager

from odoo import api, fields, models
from odoo.http import request
from odoo.tools import SQL
from psycopg2.errors import ReadOnlySqlTransaction, SerializationFailure

from .refill_card_lockout import GATEWAY


class RefillCardLockout(models.Model):
    """Counts that are held while a code is looked up: one attempt at a time for each of them."""

    _inherit = 'refill.card.lockout'

    @api.model
    @contextmanager
    def _holding(self, partner, caller):
        """Hold the counts of wrong codes in a transaction of their own until the block ends.

        :return: the counts as superuser, because nobody may write them themselves, and the ids of
            the series that are frozen.
        :rtype: tuple[refill.card.lockout, set[int]]
        """
        if self.env.cr.readonly:
            # Odoo then repeats the request where it may write; a replica would lag behind, too.
            raise ReadOnlySqlTransaction("Refill card codes are counted")
        # What is pending would wait for other transactions while these wait for the counts.
        self.env.flush_all()
        # sudo: a clerk may see a contact and not its company
        keys = partner.sudo().commercial_partner_id, *self._get_origins(caller)
        with self.env.registry.cursor() as cr:
            yield self.with_env(self.env(cr=cr, su=True))._hold(*keys)

    @api.model
    def _get_origins(self, caller=None):
        """Return whose wrong codes are counted besides the customer's.

        Of a gateway that names its caller, they are the caller and, at a higher number, the whole
        gateway, so that inventing callers opens no unlimited guessing.
        """
        if caller is None:
            return [self._get_origin()]
        gateway = self.env.user.login + GATEWAY
        return [gateway + caller, gateway]

    @api.model
    def _get_origin(self):
        """Return where codes come from: a customer's address, None without one, or the login.

        Whoever has IPv6 has a network of 64 bits, and all of its addresses to choose from. Of staff
        and programs it is the login: they name any customer, from an address that others share.
        """
        if not self.env.user.share:
            return self.env.user.login
        address = request.httprequest.remote_addr if request else None
        try:
            parsed = ipaddress.ip_address(address)
            parsed = getattr(parsed, 'ipv4_mapped', None) or parsed
            prefix = 64 if parsed.version == 6 else 32
            network = ipaddress.ip_network(f'{parsed}/{prefix}', strict=False)
        except ValueError:
            return address
        return str(network) if prefix == 64 else str(parsed)

    @api.model
    def _hold(self, partner, *origins):
        """Return the counts, which no other transaction touches till this one ends; frozen series.

        In SQL, because the ORM does not wait for locks, and would take a query for each step. Until
        when each is locked is read along, and the series, as negative numbers. A customer whom the
        caller's transaction itself created is not there for this one.

        :param res.partner partner: for whom wrong codes are counted; may be empty.
        :param str origins: where they come from; None is nowhere.
        :rtype: tuple[refill.card.lockout, set[int]]
        """
        origins = list(filter(None, origins))
        while True:
            counts, frozen, lacking = self._lock(partner.id or None, origins)
            try:
                counts |= self._add(*lacking) if any(lacking) else {}
                break
            except SerializationFailure:  # somebody else has just added one
                self.env.cr.rollback()
        held = self.browse(counts)
        self._fields['locked_until']._insert_cache(held, counts.values())
        return held, frozen

    def _lock(self, partner_id, origins):
        """Lock the counts that there are.

        :return: until when each of them is locked out, the ids of the series that are frozen, and
            the customer's id and the origins that have no counts yet.
        :rtype: tuple[dict[int, datetime.datetime | None], set[int], tuple[int | None, list[str]]]
        """
        query = SQL(
            """
            WITH held AS (
                SELECT id, locked_until, partner_id, origin FROM refill_card_lockout
                 WHERE partner_id = %s OR origin = ANY(%s::varchar[])
                 ORDER BY id FOR UPDATE
            )
            SELECT * FROM held
             UNION ALL SELECT -series_id, NULL, NULL, NULL FROM refill_card_freeze
            """,
            partner_id,
            origins,
        )
        self._execute_alone(query)
        rows = self.env.cr.fetchall()
        known = {key for row in rows for key in row[2:]}
        return (
            {row[0]: row[1] for row in rows if row[0] > 0},
            {-row[0] for row in rows if row[0] < 0},
            (
                None if partner_id in known else partner_id,
                [origin for origin in origins if origin not in known],
            ),
        )

    def _add(self, partner_id, origins):
        """Add counts, which are locked then; see :meth:`_lock`.

        :raise SerializationFailure: when another transaction has added one since.
        """
        query = SQL(
            """
            INSERT INTO refill_card_lockout (partner_id, origin, guesses, typos, counted_on)
            SELECT partner_id, origin, 0, 0, %s
              FROM (SELECT id, NULL FROM res_partner WHERE id = %s
                    UNION ALL
                    SELECT NULL, unnest(%s::varchar[]))
                   AS key (partner_id, origin)
            ON CONFLICT DO NOTHING RETURNING id
            """,
            fields.Datetime.now(),
            partner_id,
            origins,
        )
        self.env.cr.execute(query, log_exceptions=False)
        return {id_: None for [id_] in self.env.cr.fetchall()}

    def _execute_alone(self, query):
        """Execute the first query of a transaction, again as long as others change its rows."""
        while True:
            try:
                return self.env.cr.execute(query, log_exceptions=False)
            except SerializationFailure:
                self.env.cr.rollback()
