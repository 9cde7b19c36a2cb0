from odoo import SUPERUSER_ID, api, fields, models
from odoo.fields import Command, Domain
from odoo.tools import SQL


class RefillCardSeries(models.Model):
    """Which companies accept the cards: of those they are meant for, the ones that agreed.

    A company owes the customer what a card is worth, so it accepts its own cards, those of a maker
    who may manage cards there too, and those of the issuers that its own setting names. Whoever
    accepts does so for its branches.
    """

    _inherit = 'refill.card.series'

    agreed_company_ids = fields.Many2many(
        comodel_name='res.company',
        relation='refill_card_series_agreed_rel',
        column1='series_id',
        column2='company_id',
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="Where whoever chose the companies might manage cards then. A later change of their"
        " rights does not change what a company owes.",
    )
    accepting_company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Accepting Companies",
        compute='_compute_accepting_company_ids',
        compute_sudo=True,
        search='_search_accepting_company_ids',
    )
    accepted_by = fields.Char(
        string="Accepted by",
        compute='_compute_accepted_by',
        compute_sudo=True,
        help="The companies that redeem these cards, with their branches: of those that they are"
        " available to, the issuer, those where whoever chose them might manage cards too, and"
        " those whose settings accept cards of the issuer.",
    )

    @api.model
    def _get_acceptance_condition(self, issuer, named, agreed):
        """Return whether the row ``company`` of res_company accepts cards: the rule, and all of it.

        In SQL, because the ORM's cache holds only the companies that the user sees.

        :param SQL issuer: the id of the company that issues the cards.
        :param SQL named: a query of the ids of the companies that they are meant for, of none for
            any company.
        :param SQL agreed: a query of the ids of the companies that agreed.
        :rtype: SQL
        """
        companies = self.env['res.company']._fields
        path, accept_all = companies['parent_path'], companies['refill_card_accept_all']
        return SQL(
            """
            (
                NOT EXISTS (%(named)s)
                OR EXISTS (SELECT FROM (%(named)s) AS named (id) WHERE id = ANY(%(line)s))
            ) AND (
                %(issuer)s = ANY(%(line)s)
                OR EXISTS (SELECT FROM (%(agreed)s) AS agreed (id) WHERE id = ANY(%(line)s))
                OR EXISTS (
                    SELECT FROM res_company AS setting
                      LEFT JOIN refill_card_issuer_rel AS accepted
                        ON accepted.company_id = setting.id
                     WHERE setting.id = ANY(%(line)s)
                       AND (%(accept_all)s OR accepted.issuer_id = ANY(%(issuer_line)s))
                )
            )
            """,
            issuer=issuer,
            named=named,
            agreed=agreed,
            accept_all=SQL.identifier('setting', 'refill_card_accept_all', to_flush=accept_all),
            line=SQL(
                "string_to_array(trim(TRAILING '/' FROM %s), '/')::int[]",
                SQL.identifier('company', 'parent_path', to_flush=path),
            ),
            issuer_line=SQL(
                "(SELECT string_to_array(trim(TRAILING '/' FROM parent_path), '/')"
                " FROM res_company WHERE id = %s)::int[]",
                issuer,
            ),
        )

    def _join_accepting_companies(self):
        """Return the tables ``series`` and ``company``, joined where the one accepts the other.

        :rtype: SQL
        """
        named = self._fields['company_ids']
        agreed = self._fields['agreed_company_ids']
        condition = self._get_acceptance_condition(
            SQL.identifier('series', 'company_id', to_flush=self._fields['company_id']),
            *(
                SQL(
                    "SELECT %s FROM %s AS chosen WHERE %s = series.id",
                    SQL.identifier('chosen', field.column2),
                    SQL.identifier(field.relation),
                    SQL.identifier('chosen', field.column1),
                )
                for field in (named, agreed)
            ),
        )
        return SQL("refill_card_series AS series JOIN res_company AS company ON %s", condition)

    @api.depends('company_id', 'company_ids', 'agreed_company_ids')
    def _compute_accepting_company_ids(self):
        rows = self.env.execute_query(
            SQL(
                "SELECT series.id, array_agg(company.id) FROM %s WHERE series.id = ANY(%s)"
                " GROUP BY series.id",
                self._join_accepting_companies(),
                list(self._origin.ids),
            )
        )
        accepting = dict(rows)
        for series in self:
            series.accepting_company_ids = accepting.get(series._origin.id, [])

    @api.model
    def _search_accepting_company_ids(self, operator, value):
        if operator == 'any':
            value = self.env['res.company'].search(value).ids
        elif operator != 'in':
            return NotImplemented
        return Domain('id', 'in', self._get_accepted([id_ for id_ in value if id_]))

    @api.model
    def _get_accepted(self, company_ids):
        """Return the query of the ids of the series that one of these companies accepts.

        That is judged once for all series of an issuer that are meant for the same companies, of
        which the same agreed: there may be thousands.

        :param list[int] company_ids: the ids of the companies.
        :rtype: SQL
        """
        chosen = {
            name: SQL(
                "ARRAY(SELECT %s FROM %s WHERE %s = series.id ORDER BY 1)",
                SQL.identifier(field.column2),
                SQL.identifier(field.relation),
                SQL.identifier(field.column1),
            )
            for name, field in (
                ('named', self._fields['company_ids']),
                ('agreed', self._fields['agreed_company_ids']),
            )
        }
        return SQL(
            """
            (
                WITH series AS MATERIALIZED (
                    SELECT id, %(issuer)s, %(named)s AS named, %(agreed)s AS agreed
                      FROM refill_card_series AS series
                ), accepted AS MATERIALIZED (
                    SELECT * FROM (SELECT DISTINCT company_id, named, agreed FROM series) AS kind
                     WHERE EXISTS (SELECT FROM res_company AS company
                                    WHERE company.id = ANY(%(companies)s) AND %(condition)s)
                )
                SELECT id FROM series JOIN accepted USING (company_id, named, agreed)
            )
            """,
            issuer=SQL.identifier('company_id', to_flush=self._fields['company_id']),
            **chosen,
            companies=company_ids,
            condition=self._get_acceptance_condition(
                SQL.identifier('kind', 'company_id'),
                SQL("SELECT unnest(kind.named)"),
                SQL("SELECT unnest(kind.agreed)"),
            ),
        )

    @api.depends('accepting_company_ids')
    def _compute_accepted_by(self):
        for series in self:
            series.accepted_by = series.accepting_company_ids._name_refill_card_acceptors()

    def _is_available_to(self, company):
        """Return whether the company accepts the cards, whoever asks.

        :rtype: bool
        """
        query = SQL(
            "SELECT 1 FROM %s WHERE series.id = %s AND company.id = ANY(%s) LIMIT 1",
            *(self._join_accepting_companies(), self.id, list(company.ids)),
        )
        return bool(self.env.execute_query(query))

    @api.model
    def _find_accepting_companies(self, named):
        """Return which companies would accept cards that the user generated now.

        :param res.company named: whom they are meant for; empty for any company.
        :rtype: res.company
        """
        condition = self._get_acceptance_condition(
            SQL("%s", self.env.company.id),
            SQL("SELECT unnest(%s::int[])", list(named._origin.ids)),
            SQL("SELECT unnest(%s::int[])", list(self._get_managed_companies().ids)),
        )
        rows = self.env.execute_query(
            SQL("SELECT id FROM res_company AS company WHERE active AND %s", condition)
        )
        return self.env['res.company'].browse(company_id for [company_id] in rows)

    @api.model
    def _get_managed_companies(self):
        """Return the companies where the user may manage cards; the superuser may everywhere.

        :rtype: res.company
        """
        companies = self.env['res.company'].sudo()  # sudo: also those that are not ticked
        if self.env.uid == SUPERUSER_ID:
            return companies.search(Domain.TRUE)
        if not self.env.user.has_group('refill_cards.group_refill_card_manager'):
            return companies
        return companies.browse(self.env.user._get_company_ids())

    @api.model_create_multi
    def create(self, vals_list):
        made = super().create(vals_list)
        made._agree()
        return made

    def write(self, vals):
        """A new price, or another company, holds only where whoever sets it manages cards, too."""
        worth = {fname: vals[fname] for fname in ('price', 'currency_id') if fname in vals}
        repriced = self.filtered(lambda series: series._changes_frozen(worth))
        res = super().write(vals)
        if 'company_ids' in vals:
            self._agree()
        managed = repriced and self._get_managed_companies()
        for series_sudo in repriced.sudo():  # sudo: nobody writes by hand who agreed
            agreeing = series_sudo.agreed_company_ids & managed
            series_sudo.write({'agreed_company_ids': [Command.set(agreeing.ids)]})
        return res

    def _agree(self):
        """Write down which of the companies agree, once the user chose those that it is meant for.

        Those that agreed before go on doing so as long as the cards are meant for them.
        """
        managed = self._get_managed_companies()
        for series_sudo in self.sudo():  # sudo: nobody writes by hand who agreed
            agreeing = managed | series_sudo.agreed_company_ids
            named = series_sudo._get_named_companies()[series_sudo]
            if named:
                agreeing = agreeing.filtered(lambda c, named=named: c.parent_ids & named) | (
                    named.filtered(lambda c, agreeing=agreeing: c.parent_ids & agreeing)
                )
            series_sudo.write({'agreed_company_ids': [Command.set(agreeing.ids)]})
