{
    'name': "Refill Cards",
    'version': '19.0.1.0.0',
    'category': 'Accounting/Accounting',
    'summary': "Prepaid refill cards: generate them, hand them out, redeem them into real payments",
    'author': "Refill Cards contributors",
    'license': 'LGPL-3',
    'depends': ['account', 'portal'],
    'external_dependencies': {
        'python': [
            'arabic-reshaper',
            'cryptography',
            'pypdfium2',
            'python-bidi',
            'python-stdnum',
            'reportlab',
            'zxing-cpp',
        ],
    },
    'data': [
        'refill_cards/security/refill_cards_security.xml',
        'refill_cards/security/ir.model.access.csv',
        'refill_cards/data/refill_cards_data.xml',
        'refill_cards/wizards/refill_card_generate_views.xml',
        'refill_cards/wizards/refill_card_redeem_views.xml',
        'refill_cards/data/refill_card_layout_data.xml',
        'refill_cards/views/refill_card_views.xml',
        'refill_cards/views/refill_card_layout_views.xml',
        'refill_cards/views/refill_card_series_views.xml',
        'refill_cards/views/refill_card_event_views.xml',
        'refill_cards/views/refill_card_attempt_views.xml',
        'refill_cards/views/res_config_settings_views.xml',
        'refill_cards/views/res_partner_views.xml',
        'refill_cards/views/refill_cards_menus.xml',
        'refill_cards/views/portal_templates.xml',
    ],
    'assets': {
        'web.assets_frontend': [
            'refill_cards/static/src/interactions/**/*',
        ],
        'web.assets_tests': [
            'refill_cards/static/tests/tours/**/*',
        ],
    },
    'demo': [
        'refill_cards/demo/refill_cards_demo.xml',
    ],
    'application': True,
}
