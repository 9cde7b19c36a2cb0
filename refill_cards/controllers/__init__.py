from . import bought, payments, portal, redemption, reseller
