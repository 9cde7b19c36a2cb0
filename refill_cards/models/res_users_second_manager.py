from odoo import models
from odoo.fields import Domain
from odoo.tools import email_normalize


class ResUsers(models.Model):
    """Who is the same person by another login, and so no second one."""

    _inherit = 'res.users'

    def _get_same_person(self):
        """Return all users that are this person: of one contact, or with one e-mail address.

        A contact that belongs to a company does not make its colleagues the same person.

        :rtype: res.users
        """
        self.ensure_one()
        user_sudo = self.sudo()  # sudo: to compare
        partner_sudo = user_sudo.partner_id
        person = partner_sudo.commercial_partner_id
        same = Domain('partner_id', '=', partner_sudo.id)
        if not person.is_company:
            same |= Domain('partner_id.commercial_partner_id', '=', person.id)
        for email in {partner_sudo.email_normalized, email_normalize(user_sudo.login)} - {
            False,
            None,
        }:
            same |= Domain('partner_id.email_normalized', '=', email)
            same |= Domain('login', '=ilike', email.replace('_', r'\_').replace('%', r'\%'))
        users_sudo = self.sudo().with_context(active_test=False)
        return (users_sudo.search(same, order='id') | self).sudo(False)
