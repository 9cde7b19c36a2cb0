"""Cards on paper, from the words on them to the PDF.

:mod:`typesetting` fits texts, :mod:`arrangement` places what is on a card, :mod:`pdf` draws, and
:mod:`sheet` puts cards on pages; :mod:`preview` shows a page as a picture. None of it knows Odoo.
"""
