from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import format_date

from ..wording import format_count


class RefillCardValidityLaw(models.Model):
    """For how many days a country's law has prepaid cards be valid at least."""

    _name = 'refill.card.validity.law'
    _description = "Shortest Validity of Refill Cards"
    _order = 'country_id'
    _rec_name = 'country_id'

    country_id = fields.Many2one(
        comodel_name='res.country',
        required=True,
        ondelete='cascade',
        help="Of the company that issues the cards.",
    )
    days = fields.Integer(
        string="Days at Least", required=True, help="Counted from the sale, as far as it is known."
    )
    enforcement = fields.Selection(
        selection=[('warn', "Warn"), ('refuse', "Refuse")],
        string="Shorter Validity",
        required=True,
        default='warn',
    )
    law = fields.Char(required=True, translate=True)
    exceptions = fields.Char(
        string="Not for", translate=True, help="Cards that the law does not mean."
    )
    source = fields.Char(required=True, help="Where it can be read.")
    checked_on = fields.Date(string="Checked on", required=True, default=fields.Date.context_today)
    active = fields.Boolean(default=True)

    _country_unique = models.Constraint(
        'UNIQUE (country_id)', "There is a line for this country already."
    )
    _days_positive = models.Constraint('CHECK (days > 0)', "Enter at least one day.")

    @api.model
    def _get_of(self, company):
        """Return what holds for cards that a company issues; empty where nothing does.

        :rtype: refill.card.validity.law
        """
        # sudo: whoever sells cards keeps the law
        return self.sudo().search([('country_id', '=', company.country_id.id)])

    def _get_first_lawful_day(self, company):
        """Return until when cards that the company sells today must be valid.

        :rtype: datetime.date
        """
        return company._get_refill_card_day() + timedelta(days=self.days)

    def _get_short_domain(self, series, *day):
        """Return the domain of the cards of a series that are valid for too few days.

        :param day: the last day that they get; not given when they are activated today.
        :rtype: odoo.fields.Domain
        """
        lawful = self._get_first_lawful_day(series.company_id)
        # Of these the customer has paid for, or was given, what is left.
        handed_out = Domain('terms', 'in', ['sold', 'given'])
        if not day:
            counting = 0 < series.validity_days < self.days
            without_own = Domain('valid_till', '=', False) if counting else Domain.FALSE
            return ~handed_out & (Domain('valid_till', '<', lawful) | without_own)
        [last] = day
        first = Domain('handed_out_on', '>', last - timedelta(days=self.days))
        unsold = ~handed_out if last < lawful else Domain.FALSE
        return handed_out & first | unsold

    def _describe(self, company):
        """Return why a validity is too short, empty without a law that says so."""
        if not self:
            return ''
        return self.env._(
            "In %(country)s, cards sold today must be valid for at least %(days)s days, till"
            " %(day)s: %(law)s.",
            country=self.country_id.name,
            days=format_count(self.env, self.days),
            day=format_date(self.env, self._get_first_lawful_day(company)),
            law=self.law,
        )

    def _warn(self, company):
        """Return what a form says when too short a validity is typed; None without a law."""
        if self:
            title = self.env._("Shorter than the law allows")
            return {'warning': {'title': title, 'message': self._describe(company)}}
        return None

    def _check(self, company):
        """:raise ValidationError: when this law, which is broken, is to be kept."""
        if self.enforcement == 'refuse':
            raise ValidationError(self._describe(company))


class RefillCardSeries(models.Model):
    """Cards are not generated for fewer days than the law wants."""

    _inherit = 'refill.card.series'

    @api.model_create_multi
    def create(self, vals_list):
        made = super().create(vals_list)
        for series in made:
            if series.state != 'ready':  # cards made before keep their day
                series._get_broken_law()._check(series.company_id)
        return made

    @api.onchange('valid_till')
    def _onchange_valid_till(self):
        return self._get_broken_law()._warn(self.company_id)

    def _get_broken_law(self):
        """Return the law by which cards of the series would be valid for too few days."""
        return self._find_broken_law(self.company_id, self.valid_till, self.validity_days)

    @api.model
    def _find_broken_law(self, company, valid_till, validity_days):
        """Return the law by which new cards would be valid for too few days; empty without one.

        :param datetime.date | bool valid_till: their last day.
        :param int validity_days: the days from their activation instead; 0 without.
        :rtype: refill.card.validity.law
        """
        law = self.env['refill.card.validity.law']._get_of(company)
        if validity_days:
            return law.filtered(lambda law: validity_days < law.days)
        return law.filtered(
            lambda law: valid_till and valid_till < law._get_first_lawful_day(company)
        )


class RefillCard(models.Model):
    """Cards are neither activated nor given another day for fewer days than the law wants."""

    _inherit = 'refill.card'

    @api.onchange('valid_till')
    def _onchange_valid_till(self):
        laws = self._get_broken_laws(Domain('id', '=', self._origin.id), self.valid_till)
        for company, law in laws:
            return law._warn(company)
        return None

    def _activate(self, domain=None, reference=None, channel='backend'):
        cards = Domain('id', 'in', self.ids) if domain is None else domain
        self._check_laws(cards & self._get_operation_domain('activate'))
        return super()._activate(domain, reference, channel)

    @api.model
    def _set_valid_till(self, domain, day, reference=None):
        self._check_laws(domain & Domain('used_on', '=', False), day)
        return super()._set_valid_till(domain, day, reference)

    @api.model
    def _check_laws(self, domain, *day):
        """:raise ValidationError: when a law that is to be kept would be broken."""
        for company, law in self._get_broken_laws(domain, *day):
            law._check(company)

    @api.model
    def _get_broken_laws(self, domain, *day):
        """Return the laws by which cards would be valid for too few days.

        :param odoo.fields.Domain domain: which cards.
        :param day: the last day that they get, empty for none; not given when they are activated.
        :return: of each company that issued some, its law.
        :rtype: list[tuple[res.company, refill.card.validity.law]]
        """
        found = {}
        for company, law, short in self._iterate_short(domain, *day):
            if company not in found and self.sudo().search_count(short, limit=1):
                found[company] = law
        return list(found.items())

    @api.model
    def _iterate_short(self, domain, *day):
        """Yield of each series the company, its law, and the domain of the cards that break it."""
        laws = {} if day in ((None,), (False,)) else self._find_laws()
        if not laws:  # as mostly: then the cards need not be looked at
            return
        domain &= Domain('series_id.company_id', 'in', [company.id for company in laws])
        for [series] in self.sudo()._read_group(domain, ['series_id']):
            law = laws[series.company_id]
            short = law._get_short_domain(series, *day) & Domain('series_id', '=', series.id)
            yield series.company_id, law, domain & short

    @api.model
    def _find_laws(self):
        """Return the laws of the companies for which there is one.

        :rtype: dict[res.company, refill.card.validity.law]
        """
        laws_sudo = self.env['refill.card.validity.law'].sudo()  # sudo: whoever sells cards
        countries = laws_sudo._search([]).subselect('country_id')
        companies_sudo = self.env['res.company'].sudo().with_context(active_test=False)
        there = companies_sudo.search([('partner_id.country_id', 'in', countries)])
        return {each: law for each in there if (law := laws_sudo._get_of(each))}

    @api.model
    def _find_unlawful(self, domain):
        """Return the cards that a law refuses to be activated, each with the sentence.

        :param odoo.fields.Domain domain: among which cards.
        :rtype: dict[refill.card, str]
        """
        return {
            card: law._describe(company)
            for company, law, short in self._iterate_short(domain)
            if law.enforcement == 'refuse'
            for card in self.search(short)
        }
