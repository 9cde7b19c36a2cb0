from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL


class ResUsers(models.Model):
    _inherit = 'res.users'

    def unlink(self):
        """Customers can be erased; the history of cards goes on without their name.

        Of staff it tells who did what: they are archived.
        """
        customers = self.filtered('share')
        self.check_access('unlink')
        self.lock_for_update()  # who is just doing something with cards stays
        self.env['refill.card.event']._check_seen('user_id', customers)
        # In SQL: history is only added to, and it is not the one who deletes a user who may see it.
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card_event SET user_id = NULL WHERE user_id = ANY(%s)",
                list(customers.ids),
            )
        )
        self.env['refill.card.event'].invalidate_model(['user_id'], flush=False)
        return super().unlink()

    @api.ondelete(at_uninstall=False)
    def _unlink_except_in_history(self):
        # sudo: whoever deletes them
        events_sudo = self.env['refill.card.event'].sudo()
        if event := events_sudo.search([('user_id', 'in', self.ids)], limit=1):
            raise UserError(
                self.env._(
                    "The audit log of refill cards tells what %(user)s did. Archive the user"
                    " instead.",
                    user=event.user_id.name,
                )
            )
        events_sudo._check_seen('user_id', self.filtered(lambda user: not user.share))

    def _take_over(self, records, company):
        """Return records as the user has them who works in a company; a job goes on for them.

        :param BaseModel records: the records.
        :param res.company company: the company.
        :rtype: BaseModel
        """
        return records.with_user(self).with_context(
            lang=self.lang, tz=self.tz, allowed_company_ids=company.ids
        )

    def _tell_refill_cards_done(self, message, button, action, success=True):
        """Show the user, wherever they are in Odoo, that what they asked for is done.

        :param str message: a sentence in the user's language.
        :param str button: what the button beside it says.
        :param dict action: what the button opens.
        :param bool success: whether it went well.
        """
        self._bus_send(
            'refill_cards/done',
            {
                'message': message,
                'type': 'success' if success else 'danger',
                'button': button,
                'next': action,
            },
        )

    def _manages_refill_cards_everywhere(self):
        """Return whether what all companies share is this user's to change.

        The record rule of layouts asks this of managers of refill cards.
        """
        companies = self.env['res.company'].sudo().search_count([])  # sudo: all there are
        return self.has_group('base.group_system') or len(self._get_company_ids()) == companies
