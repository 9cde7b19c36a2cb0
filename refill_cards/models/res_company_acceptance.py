from odoo import api, fields, models


class ResCompany(models.Model):
    """Whose refill cards a company accepts, beside its own."""

    _inherit = 'res.company'

    refill_card_accept_all = fields.Boolean(
        string="Accept Refill Cards of All Companies",
        help="Every company of this database may issue cards that are redeemed here, and that this"
        " company then owes.",
    )
    refill_card_issuer_ids = fields.Many2many(
        comodel_name='res.company',
        relation='refill_card_issuer_rel',
        column1='company_id',
        column2='issuer_id',
        string="Accept Refill Cards of",
        help="Companies, with their branches, whose cards are redeemed here too. Cards of somebody"
        " who may manage cards here are accepted in any case.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        companies._forget_refill_card_acceptance()
        return companies

    def write(self, vals):
        res = super().write(vals)
        if vals.keys() & {'refill_card_accept_all', 'refill_card_issuer_ids', 'active'}:
            self._forget_refill_card_acceptance()
        return res

    @api.model
    def _forget_refill_card_acceptance(self):
        fnames = ['accepting_company_ids', 'accepted_by']
        self.env['refill.card.series'].invalidate_model(fnames, flush=False)

    def _name_refill_card_acceptors(self):
        """Return the names of companies that accept cards; a branch goes with its head office.

        :rtype: str
        """
        companies = self.sudo()  # sudo: to name them
        heads = companies.filtered(lambda company: company.parent_id not in companies)
        return ', '.join(heads.sorted().mapped('name')) or self.env._("No company")
