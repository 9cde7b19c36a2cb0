"""No card gets the code of a canary: those of before are taken, too."""

import logging
from contextlib import suppress

from odoo import SUPERUSER_ID, api
from odoo.addons.refill_cards.refill_cards.codes import WrongKey
from odoo.exceptions import UserError

_logger = logging.getLogger(__name__)


def migrate(cr, version):
    env = api.Environment(cr, SUPERUSER_ID, {})
    canaries = env['refill.card.canary'].search([])
    if not canaries:
        return
    try:
        sealer = env['refill.card.key']._get_sealer()
    except UserError:
        _logger.warning("Without their key the codes of %s canaries are not taken", len(canaries))
        return
    taken = {}
    for canary in canaries:
        with suppress(WrongKey):
            taken[canary.id] = sealer.seal(sealer.open_canary(canary.sealed))
    if taken:
        canaries._take_codes(taken)
