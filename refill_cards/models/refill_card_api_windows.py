from odoo import api, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Domain


class RefillCard(models.Model):
    """What programs do as the windows do that generate, sell and export cards."""

    _inherit = 'refill.card'

    # -------------------------------------------------------------------------
    # GENERATING
    # -------------------------------------------------------------------------

    @api.model
    def generate(
        self,
        quantity,
        price,
        currency=None,
        prefix=None,
        company_id=None,
        company_ids=None,
        valid_till=None,
        activation_required=None,
        validity_days=None,
        for_sale=None,
        alphabet=None,
        code_length=None,
        reference=None,
    ):
        """Generate a series of cards, as the window does; what is left out is as it proposes.

        Up to 20,000 cards are there at once; more are made in the background. What does not fit is
        refused with status 422 and a sentence in ``message``.

        :param int quantity: how many cards, up to 1,000,000.
        :param float price: the face value of a card.
        :param str currency: of the face value (ISO 4217); the company's when left out.
        :param str prefix: letters and digits in front of each code.
        :param int company_id: the company that issues the cards; the user's current one when left
            out.
        :param list company_ids: the companies that the cards are meant for; the one that issues
            them when left out, any company when empty.
        :param str valid_till: the last day (YYYY-MM-DD), a year from today when left out; empty for
            cards that stay valid.
        :param bool activation_required: whether cards are worthless until they are activated.
        :param int validity_days: for how many days a card is valid from its activation on, instead
            of until a fixed day.
        :param bool for_sale: whether products that take cards from any series find these.
        :param str alphabet: ``base32``, letters and digits, or ``digits``, for keypads.
        :param int code_length: how many random characters a code has; as many as are safe when
            left out.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: ``series_id``, ``series`` (its name), ``quantity``, ``state`` (``ready``,
            ``generating`` in the background, or ``waiting`` until another manager approves it), and
            ``first`` and ``last``, the serial numbers, null as long as it is being generated. While
            it waits there is no series yet, but an ``approval_id`` (refill.card.approval).
        :rtype: dict
        :raise UserError: when something is missing or wrong, such as a code that is too short.
        :raise AccessError: when the user does not manage refill cards.
        """
        self.browse().check_access('write')
        values = {
            'quantity': quantity,
            'price': price,
            'currency': currency,
            'prefix': prefix,
            'company_ids': company_ids,
            'valid_till': valid_till,
            'activation_required': activation_required,
            'validity_days': validity_days,
            'for_sale': for_sale,
            'alphabet': alphabet,
            'code_length': code_length,
        }
        return self.env['refill.card.call']._answer(
            reference,
            'generate',
            [company_id, values],
            lambda: self._generate_as_called(company_id, values),
        )

    @api.model
    def _generate_as_called(self, company_id, values):
        company = self._read_company(company_id)
        windows = self.env['refill.card.generate'].with_company(company)
        window = windows.create(self._prepare_generate_values(**values))
        approval, series = window._generate()
        if approval:
            return {
                'series_id': None,
                'series': None,
                'quantity': window.quantity,
                'state': 'waiting',
                'first': None,
                'last': None,
                'approval_id': approval.id,
            }
        cards = series.card_ids if series.state == 'ready' else self.browse()
        return {
            'series_id': series.id,
            'series': series.name,
            'quantity': series.quantity,
            'state': series.state,
            'first': min(cards.mapped('name'), default=None),
            'last': max(cards.mapped('name'), default=None),
        }

    @api.model
    def _prepare_generate_values(self, currency, company_ids, valid_till, **values):
        """Return the values of the window that generates cards.

        :raise UserError: when something is of another kind than it must be.
        """
        given = {name: values[name] for name in ('quantity', 'validity_days', 'code_length')}
        self._check_given('count', **given)
        self._check_given('number', price=values['price'])
        self._check_given('text', prefix=values['prefix'], currency=currency)
        self._check_given('ids', company_ids=company_ids)
        self._check_given('day', valid_till=valid_till or None)
        given = {name: values[name] for name in ('activation_required', 'for_sale')}
        self._check_given('flag', **given)
        alphabets = self.env['refill.card.series']._fields['alphabet'].get_values(self.env)
        self._check_choice(alphabets, alphabet=values['alphabet'])
        values = {name: value for name, value in values.items() if value is not None}
        if currency is not None:
            values['currency_id'] = self._read_currency(currency).id
        if company_ids is not None:
            values['company_ids'] = [Command.set(company_ids)]
        if valid_till is not None:
            values['valid_till'] = valid_till or False
        return values

    @api.model
    def _read_currency(self, name):
        """Return the currency of an ISO 4217 code.

        :raise UserError: when there is none, or it is not used here.
        """
        currency = self.env['res.currency'].search([('name', '=', name.upper())])
        if not currency:
            raise UserError(
                self.env._("There is no active currency %(name)s. Activate it first.", name=name)
            )
        return currency

    # -------------------------------------------------------------------------
    # SELLING
    # -------------------------------------------------------------------------

    @api.model
    def sell(
        self,
        partner_id,
        series_id=None,
        product_id=None,
        quantity=None,
        first=None,
        last=None,
        discount=None,
        works=None,
        confirm=False,
        reference=None,
    ):
        """Sell cards to a customer or a reseller, as the window does: by a customer's invoice.

        Which cards are sold is told by a series, by a range of serial numbers, or by a product that
        is a refill card; ``quantity`` takes so many of the next ones that nobody has. What cannot
        be sold is refused with status 422 and a sentence in ``message``.

        :param int partner_id: who buys the cards (res.partner).
        :param int series_id: the series (refill.card.series).
        :param int product_id: the product (product.product), with ``quantity``; its cards are
            chosen, or made to order, once the invoice is confirmed.
        :param int quantity: how many cards; all of the series or the range when left out.
        :param str first: the serial number of the first card.
        :param str last: the serial number of the last one.
        :param float discount: in percent of the face value; as agreed with the reseller when left
            out.
        :param str works: when cards work: ``now`` (as they are), ``confirmed`` (once the invoice
            is confirmed) or ``paid`` (once it is paid).
        :param bool confirm: whether the invoice is confirmed; else it stays a draft, which keeps
            the cards.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: ``invoice_id``, ``invoice`` (its number, null of a draft), ``state`` (``draft`` or
            ``posted``), ``amount`` (with taxes), ``currency`` (ISO 4217), ``count`` of the cards
            and their serial ``numbers``, as people read them; of a draft that another manager has
            to approve first, ``approval_id`` (refill.card.approval), too.
        :rtype: dict
        :raise UserError: when something is missing, or a card cannot be sold, with its number.
        :raise AccessError: when the user does not keep books and manage refill cards.
        """
        self._check_may_hand_out()
        values = {
            'partner_id': partner_id,
            'series_id': series_id,
            'product_id': product_id,
            'quantity': quantity,
            'first': first,
            'last': last,
            'discount': discount,
            'works': works,
        }
        return self.env['refill.card.call']._answer(
            reference,
            'sell',
            [values, confirm],
            lambda: self._sell_as_called(values, confirm),
        )

    @api.model
    def _sell_as_called(self, values, confirm):
        self._check_given('flag', confirm=confirm)
        invoice = self._draft_sale(**values)
        waiting = {}
        action = confirm and invoice.action_post() or {}
        if action.get('res_model') == 'refill.card.approval':
            waiting = {'approval_id': action['res_id']}
        lines = invoice._get_refill_card_lines('sale')
        fname = 'invoice_line_id' if invoice.state == 'posted' else 'reserved_line_id'
        cards = Domain(fname, 'in', lines.ids)
        return {
            'invoice_id': invoice.id,
            'invoice': invoice.name if invoice.state == 'posted' else None,
            'state': invoice.state,
            'amount': invoice.amount_total,
            'currency': invoice.currency_id.name,
            'count': self.search_count(cards),
            'numbers': self._name_ranges(cards),
            **waiting,
        }

    @api.model
    def _draft_sale(self, partner_id, series_id, product_id, works, **values):
        """Return the draft of the invoice.

        :raise UserError: when something is missing, wrong, or cannot be sold.
        """
        partner = self._read_partner(self._read_id(partner_id))
        self._check_given('count', quantity=values['quantity'])
        self._check_given('text', first=values['first'], last=values['last'], works=works)
        self._check_given('number', discount=values['discount'])
        window = self.env['refill.card.sell']
        self._check_choice(window._fields['works'].get_values(self.env), works=works)
        values['works'] = works
        if product_id is not None:
            return self._draft_sale_of_product(partner, self._read_id(product_id), **values)
        values = {name: value for name, value in values.items() if value is not None}
        if series_id is not None:
            values['series_ids'] = [Command.set([self._read_id(series_id)])]
        window = window.create({'partner_id': partner.id, **values})
        return self.env['account.move'].browse(window.action_sell()['res_id'])

    @api.model
    def _draft_sale_of_product(self, partner, product_id, quantity, first, last, discount, works):
        """Return the draft of an invoice for a product that is a refill card."""
        product = self.env['product.product'].browse(product_id)
        product.check_access('read')
        if not product.is_refill_card or not quantity or first or last:
            raise UserError(
                self.env._(
                    "Name a product that is a refill card with the quantity alone: its cards are"
                    " chosen once the invoice is confirmed."
                )
            )
        line = {'product_id': product.id, 'quantity': quantity}
        if discount is not None:
            line['discount'] = discount
        return self.env['account.move'].create(
            {
                'move_type': 'out_invoice',
                'partner_id': partner.id,
                'refill_card_works': works,
                'invoice_line_ids': [Command.create(line)],
            }
        )

    # -------------------------------------------------------------------------
    # EXPORTING
    # -------------------------------------------------------------------------

    @api.model
    def export(
        self,
        series_ids=None,
        first=None,
        last=None,
        scope=None,
        file_format=None,
        csv_reader=None,
        layout_id=None,
        reference=None,
    ):
        """Make a file with the codes of cards, as the window does, for whoever types a password.

        An API key alone opens no code, and so makes no file. A program logs in with the user's
        name and password (``/web/session/authenticate``) and calls this in its session: it gets
        Odoo's window that asks for the password (``res.users.identitycheck``, ``res_id``), and what
        that window's ``run_check`` returns, with the password in the context, is the answer. For
        ten minutes nothing is asked again. The same session downloads the file.

        :param list series_ids: the series (refill.card.series).
        :param str first: the serial number of the first card of a range.
        :param str last: the serial number of the last one.
        :param str scope: ``redeemable``, those that can still be redeemed, also when left out;
            ``new``, of these those that were not exported yet; or ``all``.
        :param str file_format: ``csv``, also when left out, ``xlsx`` or ``pdf``.
        :param str csv_reader: ``program``, also when left out, for commas, points in amounts and
            English names of columns, or ``spreadsheet``.
        :param int layout_id: with which a PDF is drawn (refill.card.layout).
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: ``export_id`` (refill.card.export), ``name`` of the file, ``state`` (``ready``, or
            ``waiting`` as long as a large one is made in the background), ``count``, ``amount`` and
            ``currency`` of its cards, and ``url``, from which the session downloads it. Where
            another manager has to approve it first, only ``state`` (``approval``) and
            ``approval_id`` (refill.card.approval), whose ``action_run`` makes the file then.
        :rtype: dict
        :raise UserError: when there is nothing to export, too much, or something is missing.
        :raise AccessError: when the user may not see the codes, or did not log in.
        """
        self.browse().check_access('write')
        if not self._is_own_session():
            raise AccessError(
                self.env._(
                    "An API key alone opens no codes, and so exports none. Log in with the user's"
                    " password, and call this in that session."
                )
            )
        arguments = [
            {
                'series_ids': series_ids,
                'first': first,
                'last': last,
                'scope': scope,
                'file_format': file_format,
                'csv_reader': csv_reader or 'program',
                'layout_id': layout_id,
            },
            reference,
        ]
        if self._is_identity_checked():
            return self._export_as_called(*arguments)
        return self._export_once_known(*arguments)

    @check_identity
    def _export_once_known(self, values, reference):
        return self._export_as_called(values, reference)

    @api.model
    def _export_as_called(self, values, reference):
        return self.env['refill.card.call']._answer(
            reference, 'export', values, lambda: self._export(**values)
        )

    @api.model
    def _export(self, series_ids, first, last, layout_id, **choices):
        """Make the file, or have it made in the background, and return what a caller is told."""
        windows = self.env['refill.card.export.wizard']
        choices = {name: choice for name, choice in choices.items() if choice is not None}
        for name, choice in choices.items():
            self._check_given('text', **{name: choice})
            self._check_choice(windows._fields[name].get_values(self.env), **{name: choice})
        self._check_given('ids', series_ids=series_ids)
        self._check_given('text', first=first, last=last)
        values = {'first': first, 'last': last, 'series_ids': [Command.set(series_ids or [])]}
        if layout_id is not None:
            values['layout_id'] = self._read_id(layout_id)
        window = windows.create({**values, **choices})
        action = window._export()
        if action['res_model'] != 'refill.card.export':
            return {'state': 'approval', 'approval_id': action['res_id']}
        export = self.env['refill.card.export'].browse(action['res_id'])
        return {
            'export_id': export.id,
            'name': export.name,
            'state': export.state,
            'count': export.card_count,
            'amount': export.amount,
            'currency': export.currency_id.name,
            'url': export.action_download()['url'],
        }
