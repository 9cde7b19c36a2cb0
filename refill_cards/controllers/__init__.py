from . import download, portal
