from . import payments, portal, redemption
