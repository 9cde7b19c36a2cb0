import ipaddress
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import ValidationError

PATH = '/my/refill'
# Names that no public server has: RFC 6761, RFC 6762, RFC 8375, and ICANN's for private use.
LOCAL_NAMES = ('localhost', 'local', 'internal', 'home.arpa', 'lan', 'test', 'example', 'invalid')


class ResCompany(models.Model):
    _inherit = 'res.company'

    refill_card_address = fields.Char(
        string="Address on Refill Cards",
        help="Where customers redeem refill cards, as printed on the cards and in their QR codes."
        " Leave empty for the address of the website, or else of this server.",
    )

    @api.constrains('refill_card_address')
    def _check_refill_card_address(self):
        for address in filter(None, self.mapped('refill_card_address')):
            if not self._is_base_of_address(address):
                raise ValidationError(
                    self.env._(
                        "Write only the beginning of the address that is printed on refill cards,"
                        " such as https://www.example.com."
                    )
                )

    @api.model
    def _is_base_of_address(self, address):
        """Return whether there is a server in the address, and nothing behind it.

        :param str address: such as ``https://www.example.com:8069``.
        :rtype: bool
        """
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:  # the port is no number
            return False
        return (
            port != 0
            and parts.scheme in ('http', 'https')
            and bool(parts.hostname)
            and address.isascii()
            and not any(character.isspace() or character in '@\\"<>' for character in address)
            and address.rstrip('/') == f'{parts.scheme}://{parts.netloc}'
        )

    def _get_refill_card_address(self):
        """Return where customers redeem the cards that this company issues.

        :return: without the code, which the QR code of a card adds as a fragment.
        :rtype: str
        """
        self.ensure_one()
        company_sudo = self.sudo()  # sudo: a partner user need not see how companies are set up
        base = company_sudo.refill_card_address or company_sudo.get_base_url()
        return base.rstrip('/') + PATH

    def _get_refill_card_address_warning(self):
        """Return why customers may not get to the address, as sentences; None when they should.

        :rtype: str | None
        """
        self.ensure_one()
        parts = urlsplit(self._get_refill_card_address())
        warnings = []
        if not self._is_public_host(parts.hostname or ''):
            warnings.append(
                self.env._("%(host)s is only reached from this network.", host=parts.netloc)
            )
        if parts.scheme != 'https':
            warnings.append(
                self.env._("It does not begin with https: others can read the codes on their way.")
            )
        if not self.sudo().refill_card_portal:
            warnings.append(
                self.env._(
                    "The portal of %(company)s has no refill cards: turn them on in the Settings.",
                    company=self.sudo().name,
                )
            )
        return ' '.join(warnings) or None

    @api.model
    def _is_public_host(self, host):
        """Return whether a phone in another network may reach a host of this name or address.

        :param str host: without its port; an IPv6 address without its brackets.
        :rtype: bool
        """
        try:
            return ipaddress.ip_address(host).is_global
        except ValueError:
            name = host.rstrip('.').lower()
            local = any(name == local or name.endswith(f'.{local}') for local in LOCAL_NAMES)
            return '.' in name and not local
