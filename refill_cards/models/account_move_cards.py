from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import format_amount

from ..wording import format_count


class AccountMove(models.Model):
    """What an invoice shows of the cards that it sells or takes back."""

    _inherit = 'account.move'

    sells_refill_cards = fields.Boolean(compute='_compute_sells_refill_cards')
    refill_card_count = fields.Integer(
        string="Refill Cards",
        compute='_compute_refill_card_count',
        help="Cards that were sold by the invoice, or are kept for its draft.",
    )

    @api.depends('line_ids.refill_card_role')
    def _compute_sells_refill_cards(self):
        for move in self:
            move.sells_refill_cards = 'sale' in move.line_ids.mapped('refill_card_role')

    @api.depends('line_ids.refill_card_role')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_refill_card_count(self):
        cards = self.env['refill.card']
        self.refill_card_count = 0
        for move in self.filtered('sells_refill_cards') if cards.has_access('read') else ():
            move.refill_card_count = cards.search_count(move._get_refill_cards_domain())

    def _get_refill_cards_domain(self):
        """Return the domain of the cards that were sold by these invoices, or are kept for them.

        :rtype: odoo.fields.Domain
        """
        line_ids = self.line_ids._origin.ids
        return Domain('invoice_line_id', 'in', line_ids) | Domain(
            'reserved_line_id', 'in', line_ids
        )

    # -------------------------------------------------------------------------
    # ALERTS
    # -------------------------------------------------------------------------

    def _get_alerts(self):
        alerts = super()._get_alerts()
        if self.sells_refill_cards and self.env['refill.card'].has_access('write'):
            alerts.update(self._get_refill_card_alerts())
        return alerts

    def _get_refill_card_alerts(self):
        """Return what whoever manages cards should know about those of the invoice.

        :rtype: dict[str, dict]
        """
        if self.state == 'posted' and (owed := sum(self.line_ids.mapped('refill_cards_owed'))):
            message = self.env._(
                "%(count)s refill cards are owed to the customer. They are handed out once there"
                " are some.",
                count=format_count(self.env, owed),
            )
            return {'refill_cards_owed': self._prepare_refill_card_alert(message, self._get_owed())}
        if self.state != 'draft' or self.move_type == 'out_refund':
            return {}
        return {
            f'refill_cards_missing_{product.id}': self._prepare_refill_card_alert(
                self.env._(
                    "%(product)s: %(count)s refill cards are missing.",
                    product=product.display_name,
                    count=format_count(self.env, count),
                ),
                {product: count},
            )
            for product, count in self._get_missing_refill_cards().items()
        }

    def _get_owed(self):
        """Return how many cards of each product are owed.

        :rtype: dict[product.product, int]
        """
        lines = self.line_ids.filtered('refill_cards_owed')
        return {
            product: sum(same.mapped('refill_cards_owed'))
            for product, same in lines.grouped('product_id').items()
        }

    def _get_missing_refill_cards(self):
        """Return how many cards of each product the draft sells that are not in stock.

        :rtype: dict[product.product, int]
        """
        # sudo: what is in stock does not depend on who looks
        cards_sudo, missing = self.env['refill.card'].sudo(), {}
        lines = self.sudo()._get_refill_card_lines('sale')
        for product, same in lines.grouped('product_id').items():
            template = product.product_tmpl_id
            wanted = round(sum(line._get_refill_card_count() for line in same))
            wanted -= cards_sudo._count_reserved(same)
            if template.refill_card_source == 'made' or wanted <= 0:
                continue
            series = cards_sudo.series_id._find_stock(template, self.company_id)
            stock = cards_sudo._get_stock_domain() & Domain('series_id', 'in', series.ids)
            if count := wanted - cards_sudo.search_count(stock, limit=wanted):
                missing[product.sudo(self.env.su)] = count
        return missing

    def _prepare_refill_card_alert(self, message, missing):
        """Return an alert that offers to generate the cards that are missing.

        :param str message: what is wrong.
        :param dict[product.product, int] missing: how many of each product.
        """
        alert = {'level': 'warning', 'message': message}
        product, count = next(iter(missing.items()))
        if (
            len(missing) > 1
            or product.refill_card_source == 'made'
            or product.refill_card_series_id
        ):
            return alert
        return {
            **alert,
            'action_text': self.env._(
                "Generate %(count)s of %(price)s",
                count=format_count(self.env, count),
                price=format_amount(
                    self.env, product.refill_card_price, product.refill_card_currency_id
                ),
            ),
            'action': {
                **self.env['ir.actions.act_window']._for_xml_id(
                    'refill_cards.refill_card_generate_action'
                ),
                'context': {
                    'default_quantity': count,
                    'default_price': product.refill_card_price,
                    'default_currency_id': product.refill_card_currency_id.id,
                    'default_for_sale': True,
                },
            },
        }

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_open_refill_cards(self):
        """Open the list of the cards of these invoices."""
        self.check_access('read')
        return {
            **self.env['ir.actions.act_window']._for_xml_id('refill_cards.refill_card_action'),
            'domain': list(self._get_refill_cards_domain()),
            'context': {},
        }

    def action_choose_refill_cards(self):
        """Open the window that says which cards a line of the draft sells or takes back."""
        self.ensure_one()
        self.env['refill.card']._check_may_hand_out()
        lines = self._get_refill_card_lines('sale')
        windows = self.env['refill.card.choose']
        window = windows.create(
            {'move_id': self.id, 'line_id': lines.id if len(lines) == 1 else False}
        )
        return {
            **window._get_records_action(target='new', context={'dialog_size': 'medium'}),
            'name': self.env._("Choose Cards"),
        }

    def action_return_refill_cards(self):
        """Open the window that takes back cards of the invoice which nobody has used."""
        self.ensure_one()
        self.env['refill.card']._check_may_hand_out()
        return self.env['refill.card.return'].create({'invoice_id': self.id})._get_window()
