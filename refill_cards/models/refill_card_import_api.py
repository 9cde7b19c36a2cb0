import base64
import binascii

from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Command

from ..presets import PRESETS, PURPOSES

# Of the lines that are left out, so many are told; the others are in the window.
PROBLEMS_TOLD = 100


class RefillCard(models.Model):
    """What programs do as the window does that imports cards of another system."""

    _inherit = 'refill.card'

    @api.model
    def import_cards(
        self,
        file,
        name,
        preset=None,
        columns=None,
        price=None,
        currency=None,
        case_matters=None,
        decimal_point=None,
        day_first=None,
        company_id=None,
        company_ids=None,
        reference=None,
    ):
        """Check a table of cards that another system made; nothing is imported yet.

        Up to 20,000 lines are checked at once; more are checked in the background, and
        ``get_import`` tells when that is done. ``confirm_import`` then imports them.

        :param str file: the table, CSV or XLSX, in Base64.
        :param str name: of the file.
        :param str preset: who exported it: ``splynx``, ``phpnuxbill``, ``mikhmon``,
            ``woocommerce``, ``odoo`` or ``other``, also when left out.
        :param dict columns: the label of the column by what it tells, where the preset does not
            know it: ``code``, ``serial``, ``value``, ``currency``, ``valid_till``, ``state``,
            ``used_on``, ``used_by``, ``companies`` or ``batch``.
        :param float price: the face value of cards for which the table has none.
        :param str currency: theirs (ISO 4217); the company's when left out.
        :param bool case_matters: whether the other system told abc from ABC.
        :param str decimal_point: of amounts, a point or a comma.
        :param bool day_first: whether 3/4/2026 is in April.
        :param int company_id: the company that issues the cards; the user's current one when left
            out.
        :param list company_ids: the companies that the cards are meant for; the one that issues
            them when left out, any company when empty.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: see ``get_import``.
        :rtype: dict
        :raise UserError: when the table cannot be read, or a column is missing.
        :raise AccessError: when the user does not manage cards of that company.
        """
        self.env['refill.card.import'].check_access('create')
        values = {
            'preset': preset,
            'price': price,
            'currency': currency,
            'case_matters': case_matters,
            'decimal_point': decimal_point,
            'day_first': day_first,
            'company_id': company_id,
            'company_ids': company_ids,
        }
        arguments = [file, name, columns, values]
        return self.env['refill.card.call']._answer(
            reference, 'import_cards', arguments, lambda: self._import_as_called(*arguments)
        )

    @api.model
    def _import_as_called(self, file, name, columns, values):
        company = self._read_company(values.pop('company_id'))
        imports = self.env['refill.card.import'].with_context(allowed_company_ids=company.ids)
        imports = imports.with_company(company)
        record = imports.create(
            {
                'file': self._read_file(file),
                'name': name,
                **self._read_import_values(imports, values),
            }
        )
        self._match_named_columns(record, columns or {})
        record.action_check()
        return record._describe()

    @api.model
    def _read_file(self, file):
        """:raise UserError: when it is no Base64."""
        try:
            base64.b64decode(file, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise UserError(self.env._("“file” is given in Base64.")) from None
        return file

    @api.model
    def _read_import_values(self, imports, values):
        """Return the values of the import, without what was left out.

        :raise UserError: when one is none.
        """
        self._check_choice(list(PRESETS), preset=values['preset'])
        self._check_choice(['.', ','], decimal_point=values['decimal_point'])
        self._check_given('number', price=values['price'])
        self._check_given('flag', **{n: values[n] for n in ('case_matters', 'day_first')})
        self._check_given('ids', company_ids=values['company_ids'])
        self._check_given('text', currency=values['currency'])
        given = {name: value for name, value in values.items() if value is not None}
        if name := given.pop('currency', None):
            given['currency_id'] = self._read_currency(name).id
        if 'company_ids' in given:
            given['company_ids'] = [Command.set(given['company_ids'])]
        return given

    @api.model
    def _match_named_columns(self, record, columns):
        """:raise UserError: when a column is not there, or tells what none does."""
        is_named = isinstance(columns, dict)
        if not is_named or not all(isinstance(label, str) for label in columns.values()):
            raise UserError(self.env._("“columns” names the label of a column by what it tells."))
        for purpose, label in columns.items():
            self._check_choice(PURPOSES, columns=purpose)
            column = record.column_ids.filtered(lambda each, label=label: each.name == label)
            if not column:
                raise UserError(self.env._("The table has no column “%(label)s”.", label=label))
            record.column_ids.filtered(lambda each, p=purpose: each.purpose == p).purpose = False
            column[0].purpose = purpose

    @api.model
    def confirm_import(self, import_id, totals=None, risk_reason=None, reference=None):
        """Import the cards of a table that was checked, but for the lines that are left out.

        Up to 20,000 cards are there at once; more are imported in the background.

        :param int import_id: of the answer of ``import_cards``.
        :param list totals: what the other system says, to compare: dictionaries with ``state``,
            ``currency`` and ``amount``.
        :param str risk_reason: why codes that could be guessed are imported all the same; another
            manager has to accept that.
        :param str reference: the caller's own name for this call, see ``redeem_code``.
        :return: see ``get_import``. The ``state`` is ``waiting``, with an ``approval_id``
            (refill.card.approval), where another manager has to approve it first.
        :rtype: dict
        :raise UserError: when the table was not checked, or the totals differ.
        :raise AccessError: when the user does not manage cards of that company.
        """
        self.env['refill.card.import'].check_access('write')
        self._check_given('text', risk_reason=risk_reason)
        arguments = [import_id, totals, risk_reason]
        return self.env['refill.card.call']._answer(
            reference, 'confirm_import', arguments, lambda: self._confirm_as_called(*arguments)
        )

    @api.model
    def _confirm_as_called(self, import_id, totals, risk_reason):
        record = self._read_import(import_id)
        if risk_reason is not None:
            record.risk_reason = risk_reason
        for total in totals or ():
            if not isinstance(total, dict) or total.keys() != {'state', 'currency', 'amount'}:
                raise UserError(
                    self.env._("“totals” is a list of state, currency and amount each.")
                )
            self._check_given('number', amount=total['amount'])
            found = record.total_ids.filtered(
                lambda each, told=total: (
                    each.state == told['state'] and each.currency_id.name == told['currency']
                )
            )
            if not found:
                raise UserError(
                    self.env._("The table has no such cards: %(what)s.", what=total['state'])
                )
            found.expected = total['amount']
        approval, _nothing = self.env['refill.card.approval']._try(record._confirm)
        if approval:
            return {**record._describe(), 'state': 'waiting', 'approval_id': approval.id}
        return record._describe()

    @api.model
    def get_import(self, import_id):
        """Tell how far an import is, and what its table holds.

        :param int import_id: of the answer of ``import_cards``.
        :return: ``import_id``, ``state`` (``checking``, ``checked``, ``importing``, ``done``,
            ``reversed`` or ``failed``), ``problem`` (a sentence, of one that failed), ``lines`` of
            the table, ``count`` of the cards, ``left_out`` lines and the first 100 ``problems``
            (``line``, ``reason``), ``totals`` (``state``, ``currency``, ``count``, ``amount``),
            ``risk`` (the chance within a year that somebody who keeps guessing finds a card),
            ``warning`` (a sentence, where all of the table may be wrong) and ``operation``, as the
            audit log names it.
        :rtype: dict
        :raise AccessError: when the user does not manage cards of that company.
        """
        return self._read_import(import_id)._describe()

    @api.model
    def _read_import(self, import_id):
        record = self.env['refill.card.import'].browse(self._read_id(import_id))
        record.check_access('read')
        return record


class RefillCardImport(models.Model):
    _inherit = 'refill.card.import'

    def _describe(self):
        """Return what a caller is told of an import.

        :rtype: dict
        """
        problems = self.env['refill.card.import.problem'].search(
            [('import_id', '=', self.id)], limit=PROBLEMS_TOLD
        )
        return {
            'import_id': self.id,
            'state': self.state,
            'problem': self.problem or None,
            'lines': self.line_count,
            'count': self.ready_count,
            'left_out': self.problem_count,
            'problems': [{'line': each.line, 'reason': each.reason} for each in problems],
            'totals': [
                {
                    'state': total.state,
                    'currency': total.currency_id.name,
                    'count': total.count,
                    'amount': total.amount,
                }
                for total in self.total_ids
            ],
            'risk': self.guessing_probability,
            'warning': self.warning or None,
            'operation': self.reference or None,
        }
