{
    'name': "Refill Cards",
    'version': '19.0.1.2.0',
    'category': 'Accounting/Accounting',
    'summary': "Prepaid refill cards: generate them, hand them out, redeem them into real payments",
    'author': "Refill Cards contributors",
    'license': 'LGPL-3',
    'depends': ['account', 'portal'],
    'external_dependencies': {
        'python': [
            'cryptography',
            'pypdf>=3.17',
            'pypdfium2',
            'python-bidi>=0.6',
            'python-stdnum',
            'pyzipper',
            'reportlab',
            'uharfbuzz',
            'xlsxwriter',
            'zxing-cpp>=3',
        ],
    },
    'data': [
        # Who may what.
        'refill_cards/security/refill_cards_security.xml',
        'refill_cards/security/ir.model.access.csv',
        # What a database begins with: the key, numbers, jobs, journals, mails, layouts.
        'refill_cards/data/ir_config_parameter_data.xml',
        'refill_cards/data/ir_sequence_data.xml',
        'refill_cards/data/ir_cron_data.xml',
        'refill_cards/data/account_payment_method_data.xml',
        'refill_cards/data/mail_template_data.xml',
        'refill_cards/data/refill_card_layout_data.xml',
        # Windows, whose actions the views call.
        'refill_cards/wizards/refill_card_change_views.xml',
        'refill_cards/wizards/refill_card_find_views.xml',
        'refill_cards/wizards/refill_card_generate_views.xml',
        'refill_cards/wizards/refill_card_redeem_views.xml',
        'refill_cards/wizards/refill_card_undo_views.xml',
        'refill_cards/wizards/refill_card_export_wizard_views.xml',
        'refill_cards/wizards/refill_card_send_views.xml',
        # Views, then the menus that open them.
        'refill_cards/views/refill_card_views.xml',
        'refill_cards/views/refill_card_layout_views.xml',
        'refill_cards/views/refill_card_series_views.xml',
        'refill_cards/views/refill_card_export_views.xml',
        'refill_cards/views/refill_card_sending_views.xml',
        'refill_cards/views/refill_card_event_views.xml',
        'refill_cards/views/refill_card_attempt_views.xml',
        'refill_cards/views/refill_card_lockout_views.xml',
        'refill_cards/views/res_config_settings_views.xml',
        'refill_cards/views/res_partner_views.xml',
        'refill_cards/views/account_payment_views.xml',
        'refill_cards/views/refill_cards_menus.xml',
        # Pages and papers of customers.
        'refill_cards/views/account_move_templates.xml',
        'refill_cards/views/portal_templates.xml',
        'refill_cards/views/account_payment_receipt_templates.xml',
    ],
    'assets': {
        'web.assets_backend': [
            'refill_cards/static/src/backend/**/*',
        ],
        'web.assets_frontend': [
            'refill_cards/static/src/interactions/**/*',
        ],
        'web.assets_tests': [
            'refill_cards/static/tests/tours/**/*',
        ],
    },
    'demo': [
        'refill_cards/demo/refill_cards_demo.xml',
        'refill_cards/demo/refill_cards_demo_cards.xml',
    ],
    'pre_init_hook': 'pre_init_hook',
    'uninstall_hook': 'uninstall_hook',
    'application': True,
}
