from datetime import timedelta

from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL


class RefillCard(models.Model):
    """What managers do to cards: by a window, the API, a job or another addon.

    An operation takes a domain, or none for the cards of its recordset, leaves alone what it does
    not apply to, and returns how many cards changed. What it applies to is asked by previews, too.
    """

    _inherit = 'refill.card'

    @api.model
    def _get_operation_states(self):
        """Return from which states each operation starts: fewer than ``TRANSITIONS`` would allow.

        :rtype: dict[str, tuple[str, ...]]
        """
        return {
            'activate': ('inactive',),
            'deactivate': ('active',),
            'disable': ('inactive', 'active'),
            'enable': ('disabled',),
            'extend': ('inactive', 'active', 'expired'),
            'companies': ('inactive', 'active', 'expired', 'disabled'),
        }

    @api.model
    def _get_operation_domain(self, operation):
        """Return the domain of the cards to which an operation does something.

        :param str operation: a key of :meth:`_get_operation_states`.
        :rtype: odoo.fields.Domain
        """
        return (
            self._get_manageable_domain()
            & Domain('state', 'in', self._get_operation_states()[operation])
            # A card whose payment was taken back is disabled, and still part of the books.
            & Domain('used_on', '=', False)
            & ~self._get_too_late_domain(operation)
        )

    @api.model
    def _get_manageable_domain(self):
        """Return the domain of the cards that the user may change.

        :rtype: odoo.fields.Domain
        """
        return self.env['ir.rule']._compute_domain('refill.card', 'write')

    @api.model
    def _get_too_late_domain(self, operation):
        """Return the domain of the cards that an operation leaves alone as their day is over.

        :rtype: odoo.fields.Domain
        """
        if operation != 'activate':
            return Domain.FALSE
        return Domain('state', '=', 'inactive') & self._get_over_domain()

    def _begin(self, operation, domain, reference):
        """Return how to change the cards of an operation: past its rights, and no others.

        :param str operation: a key of :meth:`_get_operation_states`.
        :param odoo.fields.Domain domain: which cards; None for those of this recordset.
        :param str reference: None for a new one.
        :return: the model as superuser, the domain of the cards, and what their events share.
        :rtype: tuple[refill.card, odoo.fields.Domain, str]
        :raise AccessError: when the user may not change cards at all.
        """
        self.browse().check_access('write')
        if domain is None:
            domain = Domain('id', 'in', self.ids)
        domain &= self._get_operation_domain(operation)
        # sudo: the domain holds the rules, which PostgreSQL would look at for each statement
        return self.browse().sudo(), domain, reference or self._next_reference()

    def _activate(self, domain=None, reference=None, channel='backend'):
        """Activate cards; those that are valid for some days count them from today on."""
        # Unless the card was given a last day of its own.
        day = SQL(
            "CASE WHEN series.validity_days = 0 THEN card.valid_till"
            " ELSE COALESCE(card.valid_till, %s::date + series.validity_days) END",
            self.env.company._get_refill_card_day(),
        )
        cards_sudo, domain, reference = self._begin('activate', domain, reference)
        return cards_sudo._change_state(
            'active', domain=domain, valid_till=day, reference=reference, channel=channel
        )

    @api.model
    def _get_last_days(self, domain):
        """Return the last days that cards get which count their days once they are activated.

        :param odoo.fields.Domain domain: which cards.
        :rtype: list[datetime.date]
        """
        counting = (
            domain & self._get_operation_domain('activate') & Domain('valid_till', '=', False)
        )
        days = {series.validity_days for [series] in self._read_group(counting, ['series_id'])}
        today = self.env.company._get_refill_card_day()
        return [today + timedelta(days=count) for count in sorted(days - {0})]

    def _deactivate(self, domain=None, reference=None, channel='backend'):
        """Take back an activation; days that were counted from it on are forgotten."""
        day = SQL("CASE WHEN series.validity_days = 0 THEN card.valid_till END")
        cards_sudo, domain, reference = self._begin('deactivate', domain, reference)
        return cards_sudo._change_state(
            'inactive', domain=domain, valid_till=day, reference=reference, channel=channel
        )

    def _disable(self, reason, details=None, domain=None, reference=None, channel='backend'):
        """Disable cards: lost ones, stolen ones, or what is left of a series that is cancelled.

        :param str reason: a key of ``DISABLE_REASONS``.
        :param str details: for the audit log; must not hold a code, nor anybody's name.
        """
        reasons = self._fields['disable_reason']._description_selection(self.env)
        note = dict(reasons)[reason]
        if details:
            note = self.env._("%(reason)s: %(text)s", reason=note, text=details)
        cards_sudo, domain, reference = self._begin('disable', domain, reference)
        return cards_sudo._change_state(
            'disabled',
            domain=domain,
            note=note,
            reference=reference,
            channel=channel,
            disable_reason=reason,
        )

    def _enable(self, domain=None, reference=None):
        """Make disabled cards again what they were."""
        cards_sudo, domain, reference = self._begin('enable', domain, reference)
        return cards_sudo._restore(domain, disable_reason=None, reference=reference)

    def _extend(self, day, domain=None, reference=None):
        """Give cards another last day, also an earlier one; expired ones are revived.

        :param datetime.date | None day: None for cards that stay valid.
        :raise ValidationError: when the day has passed, or is too far away.
        """
        self._check_day(day)
        cards_sudo, domain, reference = self._begin('extend', domain, reference)
        return cards_sudo._set_valid_till(domain, day, reference)

    def _move_to_companies(self, companies, domain=None, reference=None):
        """Let other companies accept cards; where cards stay behind, in a series of their own.

        :param res.company companies: empty for any company.
        :raise UserError: when cards are still being generated.
        """
        cards_sudo, domain, reference = self._begin('companies', domain, reference)
        changed = 0
        for series_sudo, count in cards_sudo._read_group(domain, ['series_id'], ['__count']):
            series = series_sudo.with_env(self.env)
            # Also the cards used where the user does not look stay.
            total = cards_sudo.search_count([('series_id', '=', series.id)])
            if count == total:
                series._set_companies(companies, reference)
                changed += count
            else:
                changed += series._split_off(domain, companies, reference)
        return changed

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_change(self):
        """Open the window that changes these cards.

        :raise UserError: when the list may have handed over only a part of what was selected.
        """
        self._check_whole_selection()
        return self.env['refill.card.change'].create({'card_ids': self.ids})._get_window()

    def _check_whole_selection(self):
        """:raise UserError: when the list may have handed over only a part of what was selected."""
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: a setting for everyone
        limit = int(parameters.get_param('web.active_ids_limit', 20000))
        if len(self) >= limit:
            raise UserError(
                self.env._(
                    "More cards are selected than a list passes on. Choose their series, or a range"
                    " of serial numbers."
                )
            )

    def action_delete(self):
        """Delete the card, which the list asks to confirm."""
        self.unlink()
