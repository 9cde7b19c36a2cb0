from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_amount

from .refill_card_approval import LIMITED

LIMIT_FIELDS = {
    f'refill_card_approval_{kind}{suffix}' for kind, _label in LIMITED for suffix in ('', '_from')
}


class ResCompany(models.Model):
    """From which value on a second manager has to approve what is done with cards.

    Those of the root company hold for its branches.
    """

    _inherit = 'res.company'

    refill_card_approval_generation = fields.Boolean(string="Approve Generation")
    refill_card_approval_generation_from = fields.Monetary(string="Generation from")
    refill_card_approval_activation = fields.Boolean(string="Approve Activation")
    refill_card_approval_activation_from = fields.Monetary(string="Activation from")
    refill_card_approval_export = fields.Boolean(string="Approve Exports with Codes")
    refill_card_approval_export_from = fields.Monetary(string="Exports from")
    refill_card_approval_undo = fields.Boolean(string="Approve Undoing a Redemption")
    refill_card_approval_undo_from = fields.Monetary(string="Undoing from")
    refill_card_approval_import = fields.Boolean(string="Approve Imports")
    refill_card_approval_import_from = fields.Monetary(string="Imports from")
    refill_card_approval_sale_on_account = fields.Boolean(string="Approve Sales on Account")
    refill_card_approval_sale_on_account_from = fields.Monetary(string="Sales on Account from")

    @api.constrains(*sorted(LIMIT_FIELDS))
    def _check_refill_card_limits(self):
        """:raise ValidationError: when a limit is below zero, or nobody could approve."""
        for company in self:
            if any(company[f'refill_card_approval_{kind}_from'] < 0 for kind, _label in LIMITED):
                raise ValidationError(
                    self.env._("A second manager is asked from a value of zero or more on.")
                )
            if (
                any(company[f'refill_card_approval_{kind}'] for kind, _label in LIMITED)
                and not company._has_two_refill_card_managers()
            ):
                raise ValidationError(
                    self.env._(
                        "Only one person manages the refill cards of %(company)s, so nobody could"
                        " approve what that person does. Give a second one the right first.",
                        company=company.name,
                    )
                )

    def write(self, vals):
        """What guards cards is loosened only with the approval of a second manager.

        It stays as it is until then, and the rest is written: the settings have one button.
        """
        if not LIMIT_FIELDS & vals.keys():
            return super().write(vals)
        if loosened := {} if self.env.su else self._get_loosened_refill_card_limits(vals):
            vals = self._let_refill_card_values_wait(
                vals,
                loosened,
                self._require_refill_card_limits,
                self.env._("The limits stay as they are until another manager approves it."),
            )
        before = {company: company._describe_refill_card_limits() for company in self}
        res = super().write(vals)
        for company, old in before.items():
            company._log_refill_card_limits(old)
        return res

    def _let_refill_card_values_wait(self, vals, waiting, require, told):
        """Ask another manager where that is needed, and return the values that are written now.

        :param dict vals: all values.
        :param dict waiting: those of them that may have to wait.
        :param require: called with these, raises as :meth:`_require` of an approval does.
        :param str told: what the user then reads.
        :rtype: dict
        """
        approval, _done = self.env['refill.card.approval']._try(lambda: require(waiting))
        if not approval:
            return vals
        self.env.user._tell_refill_cards_done(
            told, self.env._("Open"), approval._get_window_action()
        )
        return {fname: value for fname, value in vals.items() if fname not in waiting}

    # -------------------------------------------------------------------------
    # LIMITS
    # -------------------------------------------------------------------------

    def _has_refill_card_limit(self, kind):
        """Return whether a second manager may have to approve what is done.

        :param str kind: a key of ``LIMITED``.
        """
        # sudo: whoever works with cards, in a branch, too
        return self.sudo().root_id[f'refill_card_approval_{kind}']

    def _is_within_refill_card_limit(self, kind, amount):
        """Return whether nobody needs to approve that much."""
        limit = self[f'refill_card_approval_{kind}_from']
        return self.currency_id.compare_amounts(amount, limit) < 0

    def _has_two_refill_card_managers(self):
        managers = self._get_refill_card_managers()
        return bool(managers - managers[:1]._get_same_person()) if managers else False

    def _get_loosened_refill_card_limits(self, vals):
        """Return those of the values that would have fewer operations wait.

        :rtype: dict
        """
        loosened = {}
        for kind, _label in LIMITED:
            switch, limit = f'refill_card_approval_{kind}', f'refill_card_approval_{kind}_from'
            for company in self.filtered(switch):
                if not vals.get(switch, True):
                    loosened[switch] = False
                higher = vals.get(limit, 0)
                if company.currency_id.compare_amounts(higher or 0, company[limit]) > 0:
                    loosened[limit] = higher
        return loosened

    def _require_refill_card_limits(self, loosened):
        """:raise RefillCardWaits: as another manager has to approve that."""
        kinds = [kind for kind, _label in LIMITED]
        names, details = sorted(LIMIT_FIELDS), []
        before = [[company[name] for name in names] for company in self]
        for company in self:
            old, new = company._describe_refill_card_limits(), {}
            for kind in kinds:
                new[kind] = company._describe_refill_card_limit(kind, loosened)
            details += company._describe_refill_card_changes(old, new)
        self.env['refill.card.approval']._require(
            'limits',
            'limits',
            self,
            {},
            {'company_ids': self.ids, 'values': loosened, 'before': before},
            self.env._("Ask a second manager less often"),
            details='\n'.join(details),
            always=True,
        )

    # -------------------------------------------------------------------------
    # AUDIT LOG
    # -------------------------------------------------------------------------

    def _describe_refill_card_limits(self):
        """Return by kind from which value on a second manager is asked, in words.

        :rtype: dict[str, str]
        """
        return {kind: self._describe_refill_card_limit(kind) for kind, _label in LIMITED}

    def _describe_refill_card_limit(self, kind, vals=None):
        switch, limit = f'refill_card_approval_{kind}', f'refill_card_approval_{kind}_from'
        vals = vals or {}
        if not vals.get(switch, self[switch]):
            return self.env._("nobody is asked")
        amount = format_amount(self.env, vals.get(limit, self[limit]), self.currency_id)
        return self.env._("from %(amount)s on", amount=amount)

    def _describe_refill_card_changes(self, old, new):
        """Return a sentence for each kind of which the limit changes.

        :param dict[str, str] old: see :meth:`_describe_refill_card_limits`.
        :param dict[str, str] new: the same.
        :rtype: list[str]
        """
        labels = dict(
            self.env['refill.card.approval']._fields['kind']._description_selection(self.env)
        )
        return [
            self.env._(
                "Second manager, %(operation)s: %(old)s → %(new)s",
                operation=labels[kind],
                old=old[kind],
                new=new[kind],
            )
            for kind in new
            if old[kind] != new[kind]
        ]

    def _log_refill_card_limits(self, old):
        """Write into the audit log what changed, whoever changed it.

        :param dict[str, str] old: see :meth:`_describe_refill_card_limits`.
        """
        changes = self._describe_refill_card_changes(old, self._describe_refill_card_limits())
        if changes:
            self.env['refill.card.event']._write_down(
                self, self.env._("Settings"), '. '.join(changes)
            )
