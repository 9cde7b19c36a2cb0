from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ..wording import format_count


class RefillCard(models.Model):
    """Cards that are sold by an invoice, kept for a draft, and returned: set-based.

    Called by the invoice, as superuser.
    """

    _inherit = 'refill.card'

    # The next in stock, however many were sold before.
    _stock_idx = models.Index(
        "(valid_till, id, series_id) WHERE terms IS NULL AND state IN ('active', 'inactive')"
    )

    # -------------------------------------------------------------------------
    # KEPT FOR A DRAFT
    # -------------------------------------------------------------------------

    @api.model
    def _get_stock_domain(self):
        """Return the domain of the cards that nobody has, and that can be sold.

        :rtype: odoo.fields.Domain
        """
        return (
            Domain(
                [
                    ('terms', '=', False),
                    ('reserved_line_id', '=', False),
                    ('used_on', '=', False),
                    ('state', 'in', ['inactive', 'active']),
                ]
            )
            & self._get_unsent_domain()  # whoever got the e-mail knows the code
            & ~self._get_over_domain()
        )

    @api.model
    def _get_returnable_domain(self, lines):
        """Return the domain of the cards that lines of invoices sold and that can be returned.

        :param account.move.line lines: of posted invoices.
        :rtype: odoo.fields.Domain
        """
        return Domain(
            [
                ('invoice_line_id', 'in', lines.ids),
                ('reserved_line_id', '=', False),
                ('used_on', '=', False),
            ]
        )

    @api.model
    def _reserve(self, line, domain, limit=None, order='valid_till, id'):
        """Keep cards for the line of a draft; those that another transaction holds are passed over.

        :param account.move.line line: of an invoice or a credit note.
        :param odoo.fields.Domain domain: which cards.
        :param int limit: how many at the most.
        :param str order: which first.
        :return: how many.
        :rtype: int
        """
        self.flush_model()
        # sudo: the caller chose the cards
        query = self.sudo()._search(domain, order=order, limit=limit)
        self.env.cr.execute(
            SQL(
                # Chosen once: PostgreSQL may look for the rows of IN again and again, pass over
                # those that it has just locked, and take more than the limit.
                "WITH chosen AS MATERIALIZED (%s FOR NO KEY UPDATE OF refill_card SKIP LOCKED)"
                " UPDATE refill_card card SET reserved_line_id = %s FROM chosen"
                " WHERE card.id = chosen.id",
                query.select(),
                line.id,
            )
        )
        reserved = self.env.cr.rowcount
        self.invalidate_model(['reserved_line_id'])
        return reserved

    @api.model
    def _free(self, lines):
        """Let cards go that were kept for lines of drafts."""
        self.flush_model()
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card SET reserved_line_id = NULL WHERE reserved_line_id = ANY(%s)",
                list(lines.ids),
            )
        )
        self.invalidate_model(['reserved_line_id'])

    @api.model
    def _get_reserved_domain(self, line):
        return Domain('reserved_line_id', 'in', line.ids)

    @api.model
    def _count_reserved(self, line):
        return self.search_count(self._get_reserved_domain(line))

    @api.model
    def _get_reserved_series(self, line):
        groups = self._read_group(self._get_reserved_domain(line), ['series_id'])
        return self.env['refill.card.series'].union(*(series for [series] in groups))

    @api.model
    def _check_reserved_sellable(self, line):
        """:raise UserError: when a card that is kept for a draft cannot be sold by it any more."""
        product, company = line.product_id, line.company_id
        domain = self._get_reserved_domain(line)
        came_back = Domain('state', '=', 'disabled') & Domain('disable_reason', '=', 'returned')
        alive = Domain('state', 'in', ['inactive', 'active']) | came_back
        sellable = (
            Domain('terms', '=', False)
            & Domain('used_on', '=', False)
            & alive
            & ~self._get_over_domain()
        )
        if card := self.search(domain & ~sellable, limit=1):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was chosen, and cannot be sold any more: it was used,"
                    " disabled, or handed out to somebody else. Choose another.",
                    serial=card.name,
                )
            )
        for series in self._get_reserved_series(line):
            if (
                series.currency_id != product.refill_card_currency_id
                or series.currency_id.compare_amounts(series.price, product.refill_card_price)
                or series.company_id.root_id != company.root_id
            ):
                raise UserError(
                    self.env._(
                        "Cards of series %(series)s were chosen, which have another face value than"
                        " %(product)s, or were issued by another company than %(company)s.",
                        series=series.name,
                        product=product.name,
                        company=company.root_id.name,
                    )
                )

    @api.model
    def _check_reserved_returnable(self, line):
        """:raise UserError: when a card that was chosen cannot be returned by a credit note."""
        customer = line.move_id.commercial_partner_id
        returnable = Domain(
            [
                ('terms', '=', 'sold'),
                ('used_on', '=', False),
                ('invoice_line_id', '!=', False),
                ('holder_id', 'in', [customer.id, False]),
                ('invoice_line_id.company_id', 'child_of', line.company_id.root_id.id),
                ('series_id.price', '=', line.product_id.refill_card_price),
                ('series_id.currency_id', '=', line.product_id.refill_card_currency_id.id),
            ]
        )
        if card := self.search(self._get_reserved_domain(line) & ~returnable, limit=1):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was chosen, and cannot be returned: it was used, was"
                    " not sold to %(customer)s, or has another face value.",
                    serial=card.name,
                    customer=customer.name,
                )
            )

    # -------------------------------------------------------------------------
    # SOLD AND RETURNED
    # -------------------------------------------------------------------------

    @api.model
    def _sell_reserved(self, line, reference, day):
        """Hand out the cards that are kept for a line, once its invoice is confirmed.

        :param account.move.line line: of the invoice.
        :param str reference: what the events share.
        :param datetime.date day: of the invoice; of cards that were owed, when they are there.
        """
        move, domain = line.move_id, self._get_reserved_domain(line)
        holder_id = move.commercial_partner_id.id or None  # a receipt may name nobody
        came_back = domain & Domain('disable_reason', '=', 'returned')
        self._restore(came_back, disable_reason=None, reference=reference)
        note = self.env._("Sold by %(invoice)s", invoice=move.name)
        value = line._get_refill_card_unit_value()
        movement = {**self._get_movement('sold', day, move), 'balance': value}
        self._log(domain=domain, note=note, partner_id=holder_id, reference=reference, **movement)
        self._set_working(line, domain, reference)
        self._set_terms(
            domain,
            terms='sold',
            holder_id=holder_id,
            handed_out_on=day,
            invoice_line_id=line.id,
            reserved_line_id=None,
            historical_value=value,
        )

    @api.model
    def _set_working(self, line, domain, reference):
        """Let cards that a line sells work, or wait until it is paid."""
        works = line.move_id.refill_card_works or line.product_id.refill_card_works
        if line.refill_card_payment:  # of the cards that it sold before
            works = 'paid'
        if works == 'confirmed':
            self._activate(domain, reference)
        elif works == 'paid':
            self._deactivate(domain, reference)
        line.refill_card_payment = works == 'paid' and 'open'

    @api.model
    def _return_reserved(self, line, reference):
        """Take back the cards that are kept for the line of a credit note."""
        move = line.move_id
        note = self.env._("Returned by %(note)s", note=move.name)
        movement = self._get_movement('returned', move.date, move)
        domain = self._get_reserved_domain(line)
        self._return(domain, note, reference, movement, reserved_line_id=None)

    @api.model
    def _return_sold(self, line, reference):
        """Take back the cards of an invoice that counts no more; its draft keeps them for itself.

        :param account.move.line line: of the invoice.
        :param str reference: what the events share.
        """
        note = self.env._("%(invoice)s was taken back", invoice=line.move_id.name)
        domain = Domain('invoice_line_id', 'in', line.ids)
        # It counts no more, not even on its own day.
        day = SQL("(SELECT handed_out_on FROM refill_card WHERE id = card.id)")
        movement = self._get_movement('returned', day, line.move_id)
        self._return(domain, note, reference, movement, reserved_line_id=line.id)

    @api.model
    def _return(self, domain, note, reference, movement, **values):
        """Put cards back into stock; what works is disabled, as others may know its code.

        :param odoo.fields.Domain domain: which cards.
        :param dict movement: what their events tell about that, see :meth:`_get_movement`.
        :param values: further columns, see :meth:`_set_terms`.
        """
        holder = SQL("(SELECT holder_id FROM refill_card WHERE id = card.id)")
        values = {
            'terms': None,
            'holder_id': None,
            'handed_out_on': None,
            'invoice_line_id': None,
            **values,
        }
        self._change_state(
            'disabled',
            domain=domain & Domain('state', '=', 'active'),
            note=note,
            reference=reference,
            event={'partner_id': holder, **movement},
            disable_reason='returned',
            **values,
        )
        # As long as they are not paid nobody has them enabled.
        unpaid = domain & Domain('disable_reason', '=', 'unpaid')
        self._set_terms(unpaid, disable_reason='returned')
        # The others, which those are no more.
        self._log(domain=domain, note=note, partner_id=holder, reference=reference, **movement)
        self._set_terms(domain, **values)

    @api.model
    def _check_sold_unused(self, lines):
        """:raise UserError: when a card was used, or returned, that lines of an invoice sold."""
        sold = Domain('invoice_line_id', 'in', lines.ids)
        expected = sum(line._get_refill_card_count() - line.refill_cards_owed for line in lines)
        count = self.search_count(sold)
        if count != round(expected):
            raise UserError(
                self.env._(
                    "A credit note took back cards of %(invoice)s: it stays confirmed. Take back"
                    " the others with Return Cards.",
                    invoice=lines.move_id.display_name,
                )
            )
        used = self.search_count(sold & Domain('used_on', '!=', False))
        if used:
            raise UserError(
                self.env._(
                    "Cards of %(invoice)s were used (%(used)s of %(count)s): it stays confirmed."
                    " Take back those that were not used, with Return Cards.",
                    used=format_count(self.env, used),
                    count=format_count(self.env, count),
                    invoice=lines.move_id.display_name,
                )
            )
        # Whoever uses one meanwhile has to try again: two that only read both pass.
        self._set_terms(sold)
