from contextlib import nullcontext
from itertools import compress

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_date, format_datetime

from ..refusals import RefillCardRefused


class RefillCard(models.Model):
    """Redeeming a card, asking what that would do, and undoing it."""

    _inherit = 'refill.card'

    @api.model
    def _redeem_code(self, code, partner, company, *, channel, caller=None):
        """Redeem the card with this code: where every channel comes in that has only a code.

        The caller checks that the user may act for this customer in this company.

        :param str code: as typed.
        :param res.partner partner: the customer.
        :param res.company company: which books the payment; of several, the first that accepts
            the card.
        :param str channel: see ``refill.card.event``.
        :return: the posted payment, as superuser.
        :rtype: account.payment
        :raise RefillCardRefused: when the card is not redeemed; the attempt is written down.
        """
        first = company[:1]
        with self._recording_refusals(partner, first, channel=channel):
            cards = self.with_company(first)
            card = cards._find_by_code(code, partner, caller, channel=channel)
            company = card._choose_company(company)
            return card.with_company(company)._redeem(partner, company, channel=channel)

    def _choose_company(self, companies):
        """Return the first of the companies that accepts the card, the first when none does.

        :param res.company companies: of one tree, where it does not matter who books the payment.
        :rtype: res.company
        """
        if len(companies) == 1:
            return companies
        accepting = (company for company in companies if self.series_id._is_available_to(company))
        return next(accepting, companies[:1])

    def _redeem(self, partner, company, *, channel):
        """Turn the card into a posted payment of the customer, all of it or nothing.

        :param res.partner partner: the customer; the payment goes to the commercial partner.
        :param res.company company: which books the payment.
        :param str channel: see ``refill.card.event``.
        :return: the posted payment, as superuser.
        :rtype: account.payment
        :raise RefillCardRefused: when the card cannot be redeemed.
        :raise UserError: when the company has no journal for refill cards.
        """
        self.ensure_one()
        card_sudo, partner_sudo, company_sudo = self._enter(partner, company)
        card_sudo._check_redeemable(partner_sudo, company_sudo)
        # The portal goes on after an error, with a page: nothing may stay of what failed. Refusals
        # come before, because rolling back takes time that one could measure.
        with self.env.cr.savepoint() if channel == 'portal' else nullcontext():
            payment = card_sudo._turn_into_payment(partner_sudo, company_sudo, channel=channel)
        self.env['refill.card.lockout']._forget_on_commit(partner)
        return payment.with_env(card_sudo.env)

    def _enter(self, partner, company):
        """Return card, customer and company as superuser: redeeming needs no right on them.

        The caller has checked who may redeem for whom and where. A context of our own, because the
        caller's would reach deep into Odoo's accounting, where keys such as
        `forced_rate_from_register_payment` and `force_payment_move` change the books.

        :rtype: tuple[refill.card, res.partner, res.company]
        """
        context = {key: self.env.context.get(key) for key in ('lang', 'tz')}
        card_sudo = self.with_env(self.env(su=True, context=context)).with_company(company)
        return card_sudo, partner.with_env(card_sudo.env), company.with_env(card_sudo.env)

    def _turn_into_payment(self, partner, company, *, channel):
        """Mark the card used, post its payment, and let it pay: the second half of a redemption."""
        payment = self._turn_into_payments(partner, company, channel=channel)
        if not payment:
            raise self._refusal('busy')
        # Invoices and balance are read with SQL: what is pending is written before, in one go.
        self.env.flush_all()
        payment._pay_open_invoices()
        return payment

    def _turn_into_payments(self, partner, company, *, channel):
        """Mark cards used, and post a payment for each: here every redemption passes.

        What it debits, and what the history tells, is the same for all: see
        :meth:`_group_by_what_is_booked`.

        :param res.partner partner: the customer.
        :param res.company company: which books the payments.
        :param str channel: see ``refill.card.event``.
        :return: the payments of those cards, in their order, that nobody else holds.
        :rtype: account.payment
        :raise RefillCardRefused: when the series of one is frozen (``unavailable``).
        """
        self._check_not_frozen(channel)
        method_line = self._take_method_line(company)
        values = [card._prepare_payment_values(partner, company, method_line) for card in self]
        first = self[0]
        debited = first._get_use(company, method_line)
        use = {'partner_id': partner.id, 'used_company_id': company.id}
        used = self._change_state(
            'used',
            channel=channel,
            event={**first._prepare_movement('redeemed'), **use},
            wait=False,
            partner_id=partner.id,
            used_on=fields.Datetime.now(),
            used_by_id=self.env.uid,
            used_company_id=company.id,
            **first._prepare_historical_value(values[0]['date']),
        )
        cards = self
        if used < len(self):
            are_ours = [card.state == 'used' for card in self]
            cards = self.browse(compress(self.ids, are_ours))
            values = list(compress(values, are_ours))
        # In the company's time zone, so that what Odoo books along has the company's day.
        payments = self.env['account.payment'].with_context(
            tracking_disable=True,
            tz=company.refill_card_zone,
            refill_card_use=debited,
        )
        payments = payments.create(values)
        for card, payment in zip(cards, payments, strict=True):
            card._operating().payment_id = payment
        if payments:
            payments.action_post()
            self.env['refill.card.event']._name_payments(cards, payments)
        return payments

    def _check_redeemable(self, partner, company):
        """:raise RefillCardRefused: when the card cannot be redeemed for the customer here."""
        if self.state == 'used':
            raise self._refuse_used(partner)
        if self.state == 'disabled':
            raise self._refusal('disabled')
        if self.state == 'expired' or self._is_over(partner, company):
            raise self._refusal('expired', day=format_date(self.env, self.valid_till))
        if self.state == 'inactive':
            raise self._refusal('inactive')
        if not self.series_id._is_available_to(company):
            raise self._refusal('company', company=company.name)
        customer_company = partner.commercial_partner_id.company_id
        if customer_company and customer_company not in company.parent_ids:
            raise self._refusal('company', 'customer', company=company.name)
        if not self._has_rate(company):
            raise self._refusal('company', company=company.name)

    def _has_rate(self, company):
        """Return whether the company can book the card's currency.

        Without a rate Odoo would take one unit for one unit. Only a currency in which some company
        keeps its books, and so the one that rates refer to, may do without.
        """
        if self.currency_id == company.currency_id:
            return True

        def count(currency):
            domain = [
                ('currency_id', '=', currency.id),
                ('company_id', 'in', [False, company.root_id.id]),
                ('name', '<=', company._get_refill_card_day()),
            ]
            return self.env['res.currency.rate'].search_count(domain, limit=1)

        return self.currency_id.active and bool(
            count(self.currency_id)
            or count(company.currency_id)
            and self.env['res.company'].search_count([('currency_id', '=', self.currency_id.id)])
        )

    def _refuse_used(self, partner):
        """Return the refusal of a used card; a caller whose answer was lost is told more."""
        if self._was_used_elsewhere():
            return self._refuse_used_elsewhere()
        customer = self.payment_id.partner_id.commercial_partner_id
        # Wherever the contact belongs now.
        is_own = partner in self.partner_id or partner.commercial_partner_id in customer
        if not partner or not is_own:
            return self._refusal('used', context={'used_for_this_customer': False})
        context = {'used_for_this_customer': True}
        if self.used_company_id in self.env.user.company_ids:
            context['payment'] = self.payment_id.name
        time = format_datetime(self.env, self.used_on)
        return self._refusal('used', 'used_for_customer', context=context, time=time)

    @api.model
    def _take_method_line(self, company):
        """Return the payment method line of a journal that nobody else uses until we commit.

        :raise UserError: when the company has no journal for refill cards.
        """
        return company._take_refill_card_method_line() or self._find_method_line(company)

    @api.model
    def _find_method_line(self, company):
        """Return the payment method line that tells how the company books refill cards.

        :raise UserError: when it has no journal for refill cards.
        """
        if method_line := company._get_refill_card_method_line():
            return method_line
        raise UserError(
            self.env._(
                "%(company)s has no journal for refill cards. Install its chart of accounts, bring"
                " the archived journal back, or give a cash journal the incoming payment method"
                " “Refill Card”, with a liability that is not reconciled as its outstanding"
                " account.",
                company=company.name,
            )
        )

    def _prepare_payment_values(self, partner, company, method_line):
        """Return the values of the payment, booked in the company that redeems."""
        return {
            'payment_type': 'inbound',
            'partner_type': 'customer',
            # On a contact of a company the credit would be out of reach.
            'partner_id': partner.commercial_partner_id.id,
            'company_id': company.id,
            'journal_id': method_line.journal_id.id,
            'payment_method_line_id': method_line.id,
            'currency_id': self.currency_id.id,
            'amount': self.price,
            'date': self._get_payment_date(method_line.journal_id, company),
            'memo': self.name,
        }

    def _get_payment_date(self, journal, company):
        """Return the company's day, or the one to which a lock moves the entry.

        The payment says so, too.

        :param account.journal journal: where the payment is booked.
        :param res.company company: which books it.
        :rtype: datetime.date
        """
        today = company._get_refill_card_day()
        locks = company._get_violated_lock_dates(today, False, journal)
        # Only a locked day makes Odoo's answer another than today, and it takes four queries.
        dated = journal.with_company(company).with_context(move_date=today)
        return dated.accounting_date if locks else today

    def _get_refusal(self, partner, company):
        """Return the sentence with which redeeming would be refused now, False without one.

        :param res.partner partner: the customer; may still be empty.
        :rtype: str | bool
        """
        card_sudo, partner_sudo, company_sudo = self._enter(partner, company)
        try:
            card_sudo._check_redeemable(partner_sudo, company_sudo)
        except RefillCardRefused as refused:
            return str(refused)
        return False

    def _preview_redemption(self, partner, company):
        """Return what redeeming the card would do; without a card, the balance only.

        :rtype: dict
        :return: ``balance`` and ``new_balance`` in the company's currency; ``invoices``, a list of
            what the card pays: number, amount and currency; ``open``, a list of what stays open
            for a reason: number, amount, currency and the reason.
        """
        card_sudo, partner_sudo, company_sudo = self._enter(partner, company)
        customer = partner_sudo.commercial_partner_id
        balance = customer._get_refill_card_balance(company_sudo)
        preview = {'balance': balance, 'new_balance': balance, 'invoices': [], 'open': []}
        method_line = company_sudo._get_refill_card_method_line()
        if card_sudo and method_line:
            credit = card_sudo._imagine_credit(customer, company_sudo, method_line.journal_id)
            card_sudo._preview_uses(credit, preview)
        return preview

    def _imagine_credit(self, customer, company, journal):
        """Return the credit that redeeming the card would give, which is nowhere in the books.

        :rtype: account.move.line
        """
        day = self._get_payment_date(journal, company)
        value = self.currency_id._convert(self.price, company.currency_id, company, day)
        return self.env['account.move.line']._imagine_line(
            company=company,
            date=day,
            payment=True,
            account_id=customer.property_account_receivable_id,
            partner_id=customer,
            currency_id=self.currency_id,
            amount_currency=-self.price,
            balance=-value,
        )

    def _preview_uses(self, credit, preview):
        """Fill in what the credit would do, by the same plan as the redemption."""
        lines = credit.browse()
        tree = credit.company_id.root_id
        preview['new_balance'] -= credit.balance
        debts = lines._find_refill_card_debts(credit.partner_id)
        debts = debts.filtered(lambda line: line.company_id.root_id == tree)
        if not debts:
            return
        older = lines._find_refill_card_credits(credit.partner_id)
        older = older.filtered(lambda line: line.company_id.root_id == tree)
        plan = (older + credit)._plan_refill_card_credit(debts)
        preview['new_balance'] += sum(use.change for use in plan.uses)
        preview['invoices'] = [
            (use.debt.move_id.name, use.amount, use.debt.currency_id)
            for use in plan.uses
            if use.credit == credit
        ]
        reasons = {**{debt: reason for (_, debt), reason in plan.troubles.items()}, **plan.kept}
        preview['open'] = [
            (debt.move_id.name, debt.amount_residual_currency, debt.currency_id, reason)
            for debt, reason in reasons.items()
        ]

    def _release(self, day):
        """Disable a used card whose payment was taken back in the books.

        :param datetime.date day: on which it counts no more there.
        """
        self._change_state(
            'disabled',
            channel='accounting',
            event={**self._prepare_movement('given_back'), 'accounting_date': day},
            disable_reason='payment',
            payment_id=None,
        )

    # -------------------------------------------------------------------------
    # UNDOING A REDEMPTION
    # -------------------------------------------------------------------------

    def _undo(self, reason):
        """Take the card's payment back in the books and give the card back to its holder.

        A card whose payment was taken back by an accountant is given back too.

        :param str reason: why, for the history and the payment's chatter.
        :raise UserError: when the card is not used.
        :raise AccessError: when the user does not manage the card, or may not work in the company
            whose books change.
        """
        self.ensure_one()
        self.check_access('write')
        self._lock()
        self._check_undoable()
        card_sudo, partner_sudo, company_sudo = self._enter(
            self.sudo().partner_id, self.sudo().used_company_id
        )
        payment = card_sudo.payment_id
        undone = card_sudo._prepare_use_values()
        if payment:  # else it was taken back before
            undone = card_sudo._prepare_movement('given_back')
        # The card first, so that the payment finds none to disable.
        with self.env['account.move']._correcting_refill_card_books():
            card_sudo._change_state(
                'expired' if card_sudo._is_over(partner_sudo, company_sudo) else 'active',
                note=reason,
                event=undone,
                disable_reason=None,
                partner_id=None,
                used_on=None,
                used_by_id=None,
                used_company_id=None,
                payment_id=None,
            )
            payment._take_back(reason)
        if payment:
            day = payment._get_refill_card_day_taken_back()
            self.env['refill.card.event']._date_movements(payment, 'given_back', day)

    def _check_undoable(self):
        """:raise UserError: when the card is not used.
        :raise AccessError: when the user may not work in the company that redeemed it.
        """
        if not self.used_on:
            raise UserError(self.env._("Refill card %(serial)s is not used.", serial=self.name))
        if self._was_used_elsewhere():
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was used before it was imported: there is no payment to"
                    " take back.",
                    serial=self.name,
                )
            )
        if self.sudo().used_company_id not in self.env.user.company_ids:  # sudo: to name it
            raise AccessError(
                self.env._(
                    "Refill card %(serial)s was redeemed in %(company)s, whose books you may not"
                    " change.",
                    serial=self.name,
                    company=self.sudo().used_company_id.name,
                )
            )

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_redeem(self):
        """Open the window that redeems this card for a customer."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_redeem_action'
        )
        return {**action, 'context': {'default_card_id': self.id}}

    def action_undo(self):
        """Open the window that undoes the redemption."""
        self.ensure_one()
        self.check_access('write')
        self._check_undoable()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_undo_action'
        )
        return {**action, 'context': {'default_card_id': self.id}}
