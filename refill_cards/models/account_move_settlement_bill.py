from odoo import fields, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import RedirectWarning, UserError
from odoo.fields import Command, Domain
from odoo.tools import SQL, formatLang

from .account_move_line_settlement import Settling

BILL_TYPES = {'out_invoice': 'in_invoice', 'out_refund': 'in_refund'}


class AccountMove(models.Model):
    """Vendor bills that an invoice about cards brings along.

    One is of the reseller who sold as an agent, for the commission; the other is in the books of a
    company whose cards were redeemed here. They are drafts, and go with their invoice.
    """

    _inherit = 'account.move'

    refill_card_origin_id = fields.Many2one(
        comodel_name='account.move',
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        index='btree_not_null',
        ondelete='set null',
    )
    refill_card_bill_ids = fields.One2many(
        comodel_name='account.move',
        inverse_name='refill_card_origin_id',
        groups=fields.NO_ACCESS,
    )

    def _post(self, soft=True):
        posted = super()._post(soft)
        # sudo: whoever confirms need not see the other company
        posted.sudo()._drop_bills_made_by_another_addon()
        return posted

    def _hand_out_refill_cards(self):
        for move in self.filtered(lambda move: move.is_sale_document()):
            move._make_refill_card_commission_bill()
            move._make_refill_card_company_bill()
        return super()._hand_out_refill_cards()

    def _take_refill_cards_back(self):
        res = super()._take_refill_cards_back()
        for move in self:
            if posted := move.refill_card_bill_ids.filtered(lambda bill: bill.state == 'posted'):
                raise UserError(
                    self.env._(
                        "%(invoice)s has a vendor bill in %(company)s that is confirmed: %(bill)s."
                        " Have that reset to draft first, or make a credit note of the invoice.",
                        invoice=move.display_name,
                        company=posted[0].company_id.name,
                        bill=posted[0].name,
                    )
                )
            move._drop_refill_card_bills()
        return res

    def _drop_refill_card_bills(self):
        """Delete the draft bills of the invoices; those that had a number once are cancelled."""
        drafts = self.refill_card_bill_ids.filtered(lambda bill: bill.state == 'draft')
        drafts = drafts.with_user(SUPERUSER_ID)
        numbered = drafts.filtered('posted_before')
        numbered.button_cancel()
        numbered.refill_card_origin_id = False
        (drafts - numbered).unlink()

    def _make_bill(self, company, prepare):
        """Make a draft bill for the invoice, nobody's follower.

        :param res.company company: in whose books.
        :param prepare: returns further values.
        :return: the bill, and why there is none.
        :rtype: tuple[account.move, str]
        """
        context = {
            'allowed_company_ids': company.ids,
            'lang': company.partner_id.lang,
            'mail_create_nosubscribe': True,
            'refill_card_settling': Settling(),
        }
        moves = self.env(user=SUPERUSER_ID, context=context)['account.move']
        try:
            with self.env.cr.savepoint():
                return moves.create(
                    {
                        'move_type': BILL_TYPES[self.move_type],
                        'company_id': company.id,
                        'currency_id': self.currency_id.id,
                        'invoice_date': self.invoice_date,
                        'ref': self.name,
                        'refill_card_origin_id': self.id,
                        **prepare(),
                    }
                ), ''
        except (RedirectWarning, UserError) as problem:
            return moves.browse(), str(problem.args[0])

    # -------------------------------------------------------------------------
    # THE COMMISSION OF AN AGENT
    # -------------------------------------------------------------------------

    def _make_refill_card_commission_bill(self):
        """Draft the bill of a reseller who sold as an agent, if that is agreed on.

        Where that fails the invoice stands, and tells so.
        """
        self.ensure_one()
        agreement = self.env['refill.card.agreement']._get(
            self.commercial_partner_id, self.company_id
        )
        amount = self.currency_id.round(self._get_commission_base() * agreement.percent / 100)
        if agreement.kind != 'commission' or self.currency_id.is_zero(amount):
            return

        def prepare():
            account = self.company_id._get_refill_card_account('refill_card_commission_account_id')
            name = self.env._(
                "Commission of %(percent)s %% on refill cards, %(invoice)s",
                percent=formatLang(self.env, agreement.percent),
                invoice=self.name,
            )
            line = {
                'name': name,
                'account_id': account.id,
                'price_unit': amount,
                'tax_ids': [Command.set(agreement.commission_tax_ids.ids)],
            }
            return {
                'partner_id': self.commercial_partner_id.id,
                'invoice_line_ids': [Command.create(line)],
            }

        bill, problem = self._make_bill(self.company_id, prepare)
        if bill:
            note = self.env._(
                "%(bill)s was made for the commission. Once it is confirmed, Net Commission nets"
                " both.",
                bill=bill._get_html_link(),
            )
            self.message_post(body=note)
        else:
            self._schedule_refill_card_activity(
                self.env._("Make the bill for the commission"), problem
            )

    def _get_commission_base(self):
        """Return the face value of the cards that the invoice sells or bills, in its currency.

        A company owes the cards that it issued itself in full.

        :rtype: float
        """
        sold = self._get_refill_card_lines('sale')
        settled = self._get_settlement_lines().filtered(
            lambda line: line.refill_card_series_id.company_id.root_id == self.company_id.root_id
        )
        return sum(line._get_refill_card_value()[0] for line in sold) + sum(
            line._get_settlement_value() for line in settled
        )

    # -------------------------------------------------------------------------
    # BETWEEN COMPANIES
    # -------------------------------------------------------------------------

    def _get_refill_card_debtor_company(self):
        """Return the company of the database that the settlement bills for its cards.

        :rtype: res.company
        """
        issuers = self._get_settlement_lines().refill_card_series_id.company_id.root_id
        return (issuers - self.company_id.root_id).filtered(
            lambda company: company.partner_id == self.commercial_partner_id
        )

    def _make_refill_card_company_bill(self):
        """Draft the bill in the books of the company whose cards were redeemed here.

        Where that fails this invoice stands, and the other company's accountants are told.
        """
        self.ensure_one()
        company = self._get_refill_card_debtor_company()
        if not company or self._find_bills_by_another_addon(company):
            return

        def prepare():
            lines = self._prepare_company_bill_lines(company)
            return {
                'partner_id': self.company_id.root_id.partner_id.id,
                'invoice_line_ids': [Command.create(line) for line in lines],
            }

        bill, problem = self._make_bill(company, prepare)
        if not bill:
            self._tell_company_without_bill(company, problem)

    def _prepare_company_bill_lines(self, company):
        """Return what the bill debits: by the terms on which the company had handed cards out.

        :rtype: list[dict]
        """
        source = self._get_settlement_taken_back() or self
        sign = 1 if source.move_type == 'out_invoice' else -1
        accounts = {
            'consigned': 'refill_card_settlement_account_id',
            'given': 'refill_card_gift_account_id',
        }
        lines = []
        settled = source._get_settlement_lines().filtered(
            lambda line: line.refill_card_series_id.company_id.root_id == company
        )
        for series, terms, holder, count, value in settled._count_by_terms():
            account = company._get_refill_card_method_line().payment_account_id
            if terms in accounts:
                value = 0  # as of the day of the bill
                account = company._get_refill_card_account(accounts[terms])
            lines.append(
                {
                    'name': self.env._(
                        "Refill cards of series %(series)s, redeemed in %(company)s",
                        series=series.name,
                        company=self.company_id.name,
                    ),
                    'account_id': account.id,
                    'quantity': sign * count,
                    'price_unit': series.price,
                    'tax_ids': [Command.clear()],
                    'refill_card_role': 'settlement',
                    'refill_card_series_id': series.id,
                    'refill_card_debtor_id': holder.id,
                    'refill_card_booked': sign * value,
                }
            )
        return lines

    def _find_bills_by_another_addon(self, company):
        """Return the bills that another addon made in the other company of this invoice.

        :rtype: account.move
        """
        source = Domain('ref', '=', self.name)
        if 'auto_invoice_id' in self._fields:  # of Odoo's and OCA's addons between companies
            source |= Domain('auto_invoice_id', '=', self.id)
        found = self.env['account.move'].search(
            source
            & Domain('company_id', 'child_of', company.id)
            & Domain('move_type', 'in', ['in_invoice', 'in_refund', 'in_receipt'])
            & Domain('commercial_partner_id', '=', self.company_id.root_id.partner_id.id)
            & Domain('state', '!=', 'cancel')
        )
        return found - self.refill_card_bill_ids

    def _drop_bills_made_by_another_addon(self):
        """Delete our draft where another addon made a bill, too: theirs is what people expect."""
        for move in self.filtered(lambda move: move._get_settlement_lines()):
            company = move._get_refill_card_debtor_company()
            if company and move._find_bills_by_another_addon(company):
                move._drop_refill_card_bills()

    def _tell_company_without_bill(self, company, problem):
        """Leave the accountants of the other company an activity, at the contact who bills them."""
        partner = self.company_id.root_id.partner_id
        for user in company._get_refill_card_accountants():
            partner.with_user(SUPERUSER_ID).activity_schedule(
                'mail.mail_activity_data_todo',
                summary=self.env._("Enter a vendor bill for refill cards"),
                note=self.env._(
                    "%(biller)s billed %(company)s for refill cards, with %(invoice)s. Its vendor"
                    " bill could not be made: %(problem)s",
                    biller=partner.name,
                    company=company.name,
                    invoice=self.name,
                    problem=problem,
                ),
                user_id=user.id,
            )


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    def _count_by_terms(self):
        """Return how many of the cards that the lines bill were on which terms, and with whom.

        :return: and what they are worth in the books of the company that issued them, where they
            are in another currency, else 0.
        :rtype: list[tuple[refill.card.series, str, res.partner, int, float]]
        """
        self.env.flush_all()
        series, partners = self.env['refill.card.series'], self.env['res.partner']
        return [
            (series.browse(series_id), terms, partners.browse(holder_id or []), count, value or 0)
            for series_id, terms, holder_id, count, value in self.env.execute_query(
                SQL(
                    """
                    SELECT line.refill_card_series_id, redeemed.refill_card_terms,
                           redeemed.refill_card_holder_id, SUM(%s), SUM(%s * used.balance)
                      FROM account_move_line line
                      JOIN account_move move ON move.id = line.move_id
                      -- What was undone says nothing about terms; what it undoes does.
                      JOIN account_move_line redeemed
                        ON redeemed.move_id = COALESCE(move.reversed_entry_id, move.id)
                       AND redeemed.refill_card_debtor_id IS NOT NULL
                      LEFT JOIN refill_card_event used
                        ON used.payment_id = redeemed.payment_id AND used.new_state = 'used'
                     WHERE line.refill_card_bill_line_id = ANY(%s)
                     GROUP BY 1, 2, 3 HAVING SUM(%s) != 0 ORDER BY 1, 2, 3
                    """,
                    self._get_refill_card_count_sql(),
                    self._get_refill_card_count_sql(),
                    self.ids,
                    self._get_refill_card_count_sql(),
                )
            )
        ]
