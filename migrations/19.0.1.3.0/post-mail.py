"""The e-mail with cards of before says no message of whoever bought them."""

from odoo.api import SUPERUSER_ID, Environment

MESSAGE = '<p t-if="object.message" style="white-space: pre-line;" t-out="object.message"/>'


def migrate(cr, version):
    env = Environment(cr, SUPERUSER_ID, {})
    template = env.ref('refill_cards.mail_template_refill_card_sending', raise_if_not_found=False)
    for lang, _name in env['res.lang'].get_installed() if template else ():
        translated = template.with_context(lang=lang)
        body = str(translated.body_html)
        if 'object.message' not in body:
            translated.body_html = body.replace('<table', f'{MESSAGE}<table', 1)
