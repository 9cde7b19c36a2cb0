"""Layouts without instructions go on printing none: an empty text is the default one now."""


def migrate(cr, version):
    cr.execute(
        """
        UPDATE refill_card_layout SET show_instructions = FALSE
         WHERE COALESCE(instructions->>'en_US', '') = ''
        """
    )
