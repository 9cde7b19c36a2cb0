from odoo import api, models

ACCEPTANCE = {'refill_card_accept_all', 'refill_card_issuer_ids'}


class ResCompany(models.Model):
    """Where generation waits for a second manager, so does accepting more issuers' cards.

    A company owes what the cards are worth that it accepts, as if it had made them. Otherwise who
    may write its settings could have it pay, alone, for cards that somebody made elsewhere before.
    """

    _inherit = 'res.company'

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        for company, vals in zip(companies, vals_list, strict=True):
            accepted = {fname: vals[fname] for fname in ACCEPTANCE & vals.keys()}
            if accepted and company._guards_refill_card_acceptance():
                company.sudo().write(dict.fromkeys(accepted, False))  # sudo: back to nothing
                company.write(accepted)
        return companies

    def write(self, vals):
        """No more cards are accepted until another manager approves it; the rest is written."""
        wider = {
            fname: vals[fname]
            for fname in ACCEPTANCE & vals.keys()
            if any(company._accepts_more_refill_cards(fname, vals[fname]) for company in self)
        }
        if wider:
            vals = self._let_refill_card_values_wait(
                vals,
                wider,
                self._require_refill_card_acceptance,
                self.env._("No more cards are accepted until another manager approves it."),
            )
        return super().write(vals)

    def _guards_refill_card_acceptance(self):
        return not self.env.su and self._has_refill_card_limit('generation')

    def _accepts_more_refill_cards(self, fname, value):
        """Return whether cards would be accepted that are not now, where that has to be approved.

        :param str fname: one of ``ACCEPTANCE``.
        :param value: what is to be written.
        """
        if not self._guards_refill_card_acceptance():
            return False
        company = self.sudo()  # sudo: to compare
        if fname == 'refill_card_accept_all':
            return bool(value) and not company.refill_card_accept_all
        field = self._fields[fname]
        return not set(field.convert_to_cache(value, company)) <= set(company[fname]._ids)

    def _require_refill_card_acceptance(self, wider):
        """:raise RefillCardWaits: as another manager has to approve that."""
        companies = self.sudo()  # sudo: to describe them
        accepted = []
        for company in companies:
            names = self.env._("All companies")
            if 'refill_card_accept_all' not in wider:
                field = self._fields['refill_card_issuer_ids']
                ids = field.convert_to_cache(wider['refill_card_issuer_ids'], company)
                names = ', '.join(companies.browse(ids).mapped('name'))
            accepted.append(
                self.env._(
                    "%(company)s accepts refill cards of: %(issuers)s",
                    company=company.name,
                    issuers=names,
                )
            )
        before = [
            [each.refill_card_accept_all, each.refill_card_issuer_ids.ids] for each in companies
        ]
        self.env['refill.card.approval']._require(
            'limits',
            'limits',
            companies.root_id,  # whose limit it is; a new branch has no other managers yet
            {},
            {'company_ids': self.ids, 'values': wider, 'before': before},
            self.env._("Accept refill cards of other companies"),
            details='\n'.join(accepted),
            always=True,
        )
