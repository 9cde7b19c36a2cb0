from . import bought, payments, portal, redemption, replacement, reseller
