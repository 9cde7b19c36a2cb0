from . import payments, portal, redemption, reseller
