from odoo import api, models
from odoo.fields import Domain
from odoo.tools import format_amount, format_date

from ..wording import format_count


class RefillCardSeries(models.Model):
    """What is written into the audit log about whole series, a method a kind of event."""

    _inherit = 'refill.card.series'

    def _log(self, note, reference=None, **values):
        """Write into the audit log what was done with the whole series.

        :param str note: must not hold a code, nor anybody's name.
        :param str reference: what the events of one operation share.
        :param values: further ones of the event.
        """
        self.env['refill.card.event']._write_down(
            self.sudo().company_id,  # sudo: whether or not it is chosen
            self.name,
            note,
            series_id=self.id,
            reference=reference,
            currency_id=self.currency_id.id,
            **values,
        )

    def _describe(self, fnames):
        """Return what fields hold, in words.

        :param list[str] fnames: of fields of the series.
        :return: by the label of the field.
        :rtype: dict[str, str]
        """
        self.ensure_one()
        series_sudo = self.sudo()  # sudo: to name the company and the layout
        nothing = self.env._("none")

        def describe(field):
            if field.name == 'company_ids':  # unread, so that writing keeps those out of sight
                return self.company_names
            value = series_sudo[field.name]
            if field.type == 'boolean':
                return self.env._("Yes") if value else self.env._("No")
            if not value:
                return nothing
            match field.type:
                case 'monetary':
                    return format_amount(self.env, value, series_sudo.currency_id)
                case 'many2one':
                    return value.display_name
                case 'date':
                    return format_date(self.env, value)
                case 'selection':
                    return dict(field._description_selection(self.env))[value]
            return str(value)

        described = [self._fields[fname] for fname in fnames]
        return {field._description_string(self.env): describe(field) for field in described}

    @api.model_create_multi
    def create(self, vals_list):
        """Write down what is generated; cards that only move to a series of their own were."""
        made = super().create(vals_list)
        for series in made.filtered(lambda series: series.state != 'ready'):
            series._log_generated()
        return made

    def _log_generated(self):
        details = self._describe(['company_ids', 'valid_till', 'layout_id'])
        generated = self.env._(
            "Generated: %(count)s cards of %(price)s",
            count=format_count(self.env, self.quantity),
            price=format_amount(self.env, self.price, self.currency_id),
        )
        self._log('. '.join([generated, *(f'{key}: {value}' for key, value in details.items())]))

    def _log_changes(self, old, new, reference):
        """:param dict[str, str] old: see :meth:`_describe`."""
        changes = [
            self.env._("%(field)s: %(old)s → %(new)s", field=label, old=old[label], new=value)
            for label, value in new.items()
            if value != old[label]
        ]
        if changes:
            self._log('. '.join(changes), reference)

    def _log_exported(self, export):
        """Write down, in the chatter too, that codes left in a file.

        :param refill.card.export export: whose file holds them.
        """
        formats = dict(export._fields['file_format']._description_selection(self.env))
        note = self.env._(
            "Exported with the codes: %(file)s, %(count)s cards, %(file_format)s",
            file=export.name,
            count=format_count(self.env, export.card_count),
            file_format=formats[export.file_format],
        )
        for series in self:
            series.message_post(body=note)
            series._log(note)

    def _log_companies_of_cards(self, old, reference):
        """Write down for the cards which companies accept them from now on.

        :param str old: which did until now; nothing is written when they still do.
        """
        if self.company_names != old:
            # sudo: whoever may change a series may change all of its cards
            cards_sudo = self.env['refill.card'].sudo()
            unused = Domain('series_id', '=', self.id) & Domain('used_on', '=', False)
            note = self._get_companies_note()
            cards_sudo._log(domain=unused, note=note, reference=reference)

    def _get_companies_note(self):
        return self.env._("Available to: %(companies)s", companies=self.company_names)

    def _log_move(self, old, new, count, reference):
        """Say in the chatter and in the history that cards moved to another series."""
        names = {'count': format_count(self.env, count), 'old': old.name, 'new': new.name}
        self._log(
            self.env._("%(count)s cards moved from series %(old)s to %(new)s", **names), reference
        )
        self.message_post(
            body=self.env._(
                "%(count)s cards moved from series %(old)s to %(new)s (%(reference)s). %(note)s",
                reference=reference,
                note=new._get_companies_note(),
                **names,
            )
        )

    def _log_deleted(self, reference):
        """Write down that the series is deleted, and which cards: one line, however many."""
        # sudo: all of them, wherever the user looks
        cards_sudo = self.env['refill.card'].sudo()
        domain = [('series_id', '=', self.id)]
        [[count, value]] = cards_sudo._read_group(domain, [], ['__count', 'price:sum'])
        note = self.env._("a series without cards")
        if count:
            note = self.env._(
                "%(count)s cards, %(first)s to %(last)s",
                count=format_count(self.env, count),
                first=cards_sudo.search(domain, order='name', limit=1).name,
                last=cards_sudo.search(domain, order='name desc', limit=1).name,
            )
        self._log(note, reference, new_state='deleted', amount=value or 0)

    def _log_cards_deleted(self, cards, reference):
        """Say in the chatter which cards were deleted; its author is who deleted them."""
        serials = sorted(cards.mapped('name'))
        self.message_post(
            body=self.env._(
                "%(count)s cards deleted, between %(first)s and %(last)s (%(reference)s).",
                count=format_count(self.env, len(cards)),
                first=serials[0],
                last=serials[-1],
                reference=reference,
            )
        )
