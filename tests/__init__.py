from . import test_redeem
