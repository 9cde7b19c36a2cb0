from odoo import api, models
from odoo.fields import Domain


class RefillCard(models.Model):
    """Cards whose value was released, and that can be used or returned after all: set-based.

    What is owed for them is in the books again at once, whatever brought them back.
    """

    _inherit = 'refill.card'

    def _change_state(self, state, *, domain=None, **kwargs):
        if state in ('inactive', 'active'):
            self._bring_back(Domain('id', 'in', self.ids) if domain is None else domain)
        return super()._change_state(state, domain=domain, **kwargs)

    @api.model
    def _set_valid_till(self, domain, day, reference=None):
        # A disabled one is to be released again once its new day is over.
        self._bring_back(domain)
        return super()._set_valid_till(domain, day, reference)

    @api.model
    def _return(self, domain, *args, **kwargs):
        # The credit note takes what is owed for the cards out of the books itself.
        self._bring_back(domain)
        return super()._return(domain, *args, **kwargs)

    @api.model
    def _bring_back(self, domain):
        """Let drafts that release cards give these up, and take back what others released.

        :param odoo.fields.Domain domain: which cards.
        """
        # sudo: whoever brings a card back need not see the books
        cards_sudo = self.sudo()
        domain &= Domain('released_line_id', '!=', False)
        if not cards_sudo.search_count(domain, limit=1):
            return
        posted = domain & Domain('released_line_id.parent_state', '=', 'posted')
        self.env['account.move'].sudo()._bring_refill_cards_back(posted)
        cards_sudo._set_terms(domain, released_line_id=None)
