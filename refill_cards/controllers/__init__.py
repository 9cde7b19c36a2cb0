from . import bought, imports, payments, portal, redemption, replacement, reseller
