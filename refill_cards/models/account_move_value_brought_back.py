from odoo import api, models
from odoo.fields import Command, Domain


class AccountMove(models.Model):
    """Entries that bring the value of released cards back, the mirrors of what released it."""

    _inherit = 'account.move'

    @api.model
    def _bring_refill_cards_back(self, domain):
        """Book today that value is owed again: an entry a company and currency.

        Called by the cards, as superuser.

        :param odoo.fields.Domain domain: which cards, all of them released.
        """
        cards, entries = self.env['refill.card'], {}
        for line, series, count, value in cards._read_group(
            domain, ['released_line_id', 'series_id'], ['__count', 'historical_value:sum']
        ):
            if series._is_in_company_currency():
                value = count * series.price
            key = (line.company_id, line.currency_id)
            entries.setdefault(key, []).append((line, series, count, value))
        for (company, currency), released in entries.items():
            # Back from where it went, even if that account was archived meanwhile.
            moves = self.with_company(company).with_context(
                mail_create_nosubscribe=True, skip_account_deprecation_check=True
            )
            move = moves._create_release(
                moves._prepare_bringing_back_values(company, currency, released)
            )
            mirrors = move._get_refill_card_lines('release').sorted('id')
            for mirror, (line, series, *_values) in zip(mirrors, released, strict=True):
                same = Domain('released_line_id', '=', line.id)
                same &= Domain('series_id', '=', series.id)
                cards._set_terms(domain & same, released_line_id=mirror.id)
            move._post(soft=False)

    @api.model
    def _prepare_bringing_back_values(self, company, currency, released):
        """Return the values of the entry.

        :param res.company company: a root company.
        :param list[tuple[account.move.line, refill.card.series, int, float]] released: how many
            cards a line released, of which series they are now, and their value in the company's
            currency.
        """
        day, lines, by_account = company._get_refill_card_day(), [], {}
        for line, series, count, value in released:
            values = self._prepare_release_line_values(company, series, -count, -value)
            lines.append(values)
            by_account.setdefault(line.move_id._get_released_to(), []).append(values)
        others = [
            values
            for (account, tax), same in by_account.items()
            for values in self._prepare_release_counterparts(company, account, tax, same)
        ]
        return {
            'move_type': 'entry',
            'company_id': company.id,
            'currency_id': currency.id,
            'date': day,
            'ref': self.env._("Expired refill cards that are valid again, or came back"),
            'line_ids': [Command.create(values) for values in [*lines, *others]],
        }

    def _get_released_to(self):
        """Return to which account the entry released value, and with which tax.

        :rtype: tuple[account.account, account.tax]
        """
        company = self.company_id.root_id
        others = self.line_ids.filtered(
            lambda line: not (line.refill_card_role or line.tax_line_id)
        )
        if len(others.account_id) == 1:
            return others.account_id, others.tax_ids
        account = company._get_refill_card_account('refill_card_expired_account_id')
        return account, company.refill_card_expired_tax_id
