"""Approvals name nobody in their lines, nor in their arguments: whom codes go to is kept apart."""

from odoo import SUPERUSER_ID, api
from odoo.fields import Command


def migrate(cr, version):
    approvals = api.Environment(cr, SUPERUSER_ID, {})['refill.card.approval']
    for approval in approvals.search([('operation', 'in', ['send', 'post'])]):
        told = approval.arguments
        ids = told.get('partner_ids') or [told.get('recipient_id')]
        emails = told.get('emails') or [told.get('email')]
        named = {
            id_: email for id_, email in zip(ids, emails, strict=False) if email and '@' in email
        }
        lines, kept = (approval.facts or '').splitlines(), []
        shown = set()
        for line in lines:
            if line.endswith('<@>'):  # somebody without an address
                continue
            found = {id_ for id_, email in named.items() if line.endswith(f'<{email}>')}
            shown |= found
            if not found:
                kept.append(line)
        if kept == lines and not named:
            continue
        partners = approvals.env['res.partner'].browse(sorted(shown)).exists()
        approval.write(
            {
                'arguments': {k: v for k, v in told.items() if k not in ('emails', 'email')},
                'facts': '\n'.join(kept),
                'recipient_ids': [
                    Command.create({'partner_id': each.id, 'email': named[each.id]})
                    for each in partners
                ],
            }
        )
