from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.tests import tagged

from .common import RefillCardCommon

NOBODY = "no such customer"


@tagged('post_install', '-at_install')
class TestPrivacy(RefillCardCommon):
    """Who reads names, through each door that Odoo has for reading."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.both = [Command.set((cls.company + cls.other_company).ids)]
        cls.manager = cls._new_user('manager', 'account.group_account_manager')
        daughter = {'company_id': cls.other_company.id}
        cls.daughter_manager = cls._new_user(
            'daughter_manager', 'account.group_account_manager', **daughter
        )
        cls.daughter_clerk = cls._new_user(
            'daughter_clerk', 'refill_cards.group_refill_card_user', **daughter
        )
        cls.ours = cls.env['res.partner'].create(
            {'name': "Secret Person", 'email': 'secret@example.com', 'company_id': cls.company.id}
        )
        cls.theirs = cls.env['res.partner'].create(
            {'name': "Distant Person", 'email': 'distant@example.com', **daughter}
        )

        exporting = cls.env.ref('base.group_allow_export')
        users = cls.accountant + cls.clerk + cls.manager + cls.daughter_manager + cls.daughter_clerk
        users.group_ids += exporting

    def _read_all(self, records, *fnames):
        """Return all that a user reads of these fields, through every door, as one text."""
        self.env.flush_all()
        self.env.invalidate_all()
        relational = [name for name in fnames if records._fields[name].type == 'many2one']
        specification = {name: {} for name in fnames}
        for name in relational:
            specification[name] = {'fields': {'display_name': {}}}
        told = [
            records.read(fnames),
            records.web_read(specification),
            records.search_read([('id', 'in', records.ids)], fnames),
            records.web_search_read([('id', 'in', records.ids)], specification),
            records.export_data(fnames)['datas'],
        ]
        for name in relational:
            domain = [('id', 'in', records.ids)]
            told.append(records.formatted_read_group(domain, [name], ['__count']))
            told.append(records.web_read_group(domain, [name]))
        return str(told)

    def test_to_whom_a_card_was_sent_is_told_to_the_issuer_only(self):
        for partner in (self.ours, self.customer):
            partner.email = partner.email or 'customer@example.com'
            card = self._generate_card(company_ids=self.both)
            card._send(partner, self.env['refill.card.layout'].search([], limit=1))
            fields = ('sent_to_id', 'sending_id')
            history = ('partner_id', 'note', 'summary')
            theirs = card.with_user(self.daughter_manager)
            with self.subTest(partner=partner.name):
                for told in (
                    self._read_all(theirs, *fields),
                    self._read_all(theirs.event_ids, *history),
                ):
                    self.assertNotIn(partner.name, told)
                self.assertFalse(theirs.search([('sent_to_id', '=', partner.id)]))
                self.assertFalse(theirs.search([('sent_to_id.name', '=', partner.name)]))
                ours = card.with_user(self.manager)
                self.assertIn(partner.name, self._read_all(ours, 'sent_to_id'))
                self.assertIn(partner.name, self._read_all(ours.event_ids, *history))

    def test_why_a_card_was_disabled_is_told_to_the_issuer_only(self):
        card = self._generate_card(company_ids=self.both)
        self._change(card, 'disable', reason='other', reason_text="Lent to Secret Person")
        for user in (self.daughter_manager, self.daughter_clerk):
            theirs = card.with_user(user)
            told = self._read_all(theirs, 'disable_reason') + self._read_all(
                theirs.event_ids, 'note', 'summary'
            )
            self.assertNotIn("Secret", told)
            self.assertIn("Disabled", told)
            self.assertFalse(theirs.event_ids.search([('note', 'ilike', "Secret")]))
        self.assertIn("Secret", self._read_all(card.with_user(self.clerk).event_ids, 'summary'))

    def test_an_issuer_does_not_read_who_used_a_card_elsewhere(self):
        card = self._generate_card(company_ids=self.both)
        payment = self._redeem(card, self.theirs, self.daughter_clerk)
        ours = card.with_user(self.manager)
        told = self._read_all(ours, 'state', 'partner_id', 'payment_id') + self._read_all(
            ours.event_ids, 'partner_id', 'payment_id', 'summary'
        )
        self.assertIn('used', told)
        self.assertIn("Redeemed: $\\xa025.00", told)
        self.assertNotIn("Distant", told)
        self.assertNotIn(payment.name, told)
        for condition in (
            ('partner_id', '=', self.theirs.id),
            ('partner_id', 'ilike', "Distant"),
            ('partner_id.name', '=', "Distant Person"),
            ('payment_id', '=', payment.id),
            ('event_ids.partner_id', 'in', self.theirs.ids),
        ):
            self.assertFalse(ours.search([condition]), condition)
        self.assertIn(ours, ours.search([('partner_id', '=', False)]))
        self.assertIn(ours, ours.search([('partner_id', '!=', self.theirs.id)]))
        both = card.with_user(self.accountant)
        for told in (
            self._read_all(both, 'partner_id', 'payment_id'),
            self._read_all(both.event_ids, 'summary'),
        ):
            self.assertIn("Distant Person", told)
            self.assertIn(payment.name, told)
        self.assertIn(both, both.search([('partner_id', '=', self.theirs.id)]))
        self.assertIn(both, both.search([('partner_id', 'ilike', "Distant")]))

    def test_a_redemption_elsewhere_before_stays_there(self):
        card = self._generate_card(company_ids=self.both)
        self._redeem(card)
        self._undo(card)
        self._redeem(card, self.theirs, self.daughter_clerk)
        theirs = card.with_user(self.daughter_clerk)
        told = self._read_all(theirs.event_ids, 'summary', 'partner_id', 'user_id')
        self.assertIn("Redeemed for Distant Person", told)
        self.assertNotIn(self.customer.name, told)
        self.assertEqual(len(theirs.event_ids), 1)

    def test_refused_codes_and_locks_name_no_customer_out_of_sight(self):
        for partner in (self.ours, self.stranger):
            codes = self.env['refill.card'].with_user(self.clerk)
            self._assert_refused('typo', codes.redeem_code, 'x', partner.id)
        self.ours.company_id = self.other_company
        domain = [('partner_id', 'in', (self.ours + self.stranger).ids)]
        attempts = self.env['refill.card.attempt'].search(domain).with_user(self.manager)
        locks = self.env['refill.card.lockout'].search(domain).with_user(self.manager)
        self.assertEqual((len(attempts), len(locks)), (2, 2))
        for told in (
            self._read_all(attempts, 'partner_id', 'user_id'),
            self._read_all(locks, 'partner_id', 'display_name'),
        ):
            self.assertIn("Stranger", told)
            self.assertNotIn("Secret", told)

    def test_a_refused_code_names_the_card_to_whoever_sees_it(self):
        card = self._generate_card()
        codes = self.env['refill.card'].with_user(self.daughter_clerk)
        self._assert_refused('company', codes.redeem_code, card.sudo().code, self.theirs.id)
        attempt = self.env['refill.card.attempt'].search([], limit=1)
        self.assertEqual(attempt.card_id, card)
        self.assertNotIn(
            card.name, self._read_all(attempt.with_user(self.daughter_manager), 'card_id')
        )
        self.assertIn(card.name, self._read_all(attempt.with_user(self.accountant), 'card_id'))
        self._assert_refused('unknown', codes.redeem_code, self._unknown_code(), self.theirs.id)
        self.assertFalse(self.env['refill.card.attempt'].search([], limit=1).card_id)

    def _unknown_code(self):
        fmt = (self.env['refill.card.series'].search([], limit=1) or self._generate())._get_format()
        return fmt.display(fmt.generate(1)[0])

    def test_windows_name_no_customer_out_of_sight(self):
        fields = {'fields': {'display_name': {}}}
        for model, fname in (('redeem', 'partner_id'), ('send', 'partner_ids')):
            windows = self.env[f'refill.card.{model}'].with_user(self.daughter_manager)
            for id_ in (self.ours.id, 999_999_999):
                value = id_ if model == 'redeem' else [Command.link(id_)]
                default = id_ if model == 'redeem' else [id_]
                window = windows.create({})
                context = {f'default_{fname}': default}
                for call in (
                    lambda w=windows, v=value, f=fname: w.onchange({f: v}, [f], {f: fields}),
                    lambda w=windows, c=context, f=fname: w.with_context(**c).onchange(
                        {}, [], {f: fields}
                    ),
                    lambda w=window, v=value, f=fname: w.onchange({f: v}, [f], {f: fields}),
                    lambda w=windows, v=value, f=fname: w.create({f: v}),
                    lambda w=window, v=value, f=fname: w.write({f: v}),
                    lambda w=window, v=value, f=fname: w.web_save({f: v}, {f: fields}),
                ):
                    with (
                        self.subTest(model=model, id=id_),
                        self.assertRaisesRegex(AccessError, NOBODY),
                    ):
                        call()

    def test_windows_name_no_layout_and_no_card_out_of_sight(self):
        fields = {'fields': {'display_name': {}}}
        card = self._generate_card()
        layout = card.series_id.layout_id.copy({'company_id': self.company.id})
        for model, fname, record in (
            ('send', 'layout_id', layout),
            ('export.wizard', 'layout_id', layout),
            ('undo', 'card_id', card),
        ):
            windows = self.env[f'refill.card.{model}'].with_user(self.daughter_manager)
            context = {f'default_{fname}': record.id}
            for call in (
                lambda w=windows, r=record, f=fname: w.onchange({f: r.id}, [f], {f: fields}),
                lambda w=windows, c=context, f=fname: w.with_context(**c).onchange(
                    {}, [], {f: fields}
                ),
                lambda w=windows, r=record, f=fname: w.create({f: r.id}),
                lambda w=windows, r=record, f=fname: w.web_save({f: r.id}, {f: fields}),
            ):
                with self.subTest(model=model), self.assertRaises(AccessError):
                    call()

    def test_a_customer_out_of_sight_is_no_such_customer(self):
        card = self._generate_card(company_ids=self.both)
        codes = self.env['refill.card'].with_user(self.daughter_clerk)
        for id_ in (self.ours.id, 999_999_999):
            with self.subTest(id=id_), self.assertRaisesRegex(AccessError, NOBODY):
                codes.redeem_code(card.sudo().code, id_)
        self.assertEqual(card.state, 'active')

    # -------------------------------------------------------------------------
    # MERGING CONTACTS
    # -------------------------------------------------------------------------

    def _merge(self, *partners):
        wizard = self.env['base.partner.merge.automatic.wizard'].with_user(
            self.env.ref('base.user_admin')
        )
        ids = [partner.id for partner in partners]
        wizard = wizard.create({'partner_ids': ids, 'dst_partner_id': ids[0]})
        wizard.action_merge()

    def test_customers_who_both_mistyped_and_used_cards_are_merged(self):
        one, two, three = self.env['res.partner'].create([{'name': name} for name in "ABC"])
        codes = self.env['refill.card'].with_user(self.clerk)
        for partner, guesses in ((two, 3), (three, 4)):
            for _guess in range(guesses):
                self._assert_refused('unknown', codes.redeem_code, self._unknown_code(), partner.id)
            self._assert_refused('typo', codes.redeem_code, 'x', partner.id)
        cards = self._generate(3).card_ids
        for card, partner in zip(cards, (one, two, three), strict=True):
            self._redeem(card, partner)
        lockouts = self.env['refill.card.lockout']
        mistyped = lockouts.search([('partner_id', 'in', (two + three).ids)])
        mistyped.sudo().guesses = 4
        self._merge(one, two, three)
        self.assertFalse((two + three).exists())
        self.assertEqual(cards.partner_id, one)
        self.assertEqual(cards.event_ids.partner_id, one)
        self.assertEqual(self._balance(one), 75)
        self.assertEqual(lockouts.search([('partner_id', '=', one.id)]).guesses, 8)
        for card in cards:
            self._undo(card)
        self.assertEqual(self._balance(one), 0)

    def test_merged_resellers_have_one_agreement_with_each_company(self):
        one, two = self.env['res.partner'].create([{'name': name} for name in "AB"])
        agreements = self.env['refill.card.agreement'].create(
            [
                {'partner_id': partner.id, 'company_id': company.id, 'percent': percent}
                for partner, company, percent in (
                    (one, self.company, 1),
                    (two, self.company, 2),
                    (two, self.other_company, 3),
                )
            ]
        )
        card = self._generate_card()
        card.sudo()._consign(two)
        self._redeem(card)
        self._merge(one, two)
        kept = agreements.exists()
        self.assertEqual(kept.mapped('percent'), [1, 3])
        self.assertEqual(kept.partner_id, one)
        moves = self.env['account.move'].sudo()
        drafts = moves._settle_refill_cards(self.company, Date.context_today(card), one)
        self.assertEqual(drafts.amount_total, 24.75)

    def test_whoever_was_locked_out_stays_so_when_merged(self):
        one, two = self.env['res.partner'].create([{'name': name} for name in "AB"])
        codes = self.env['refill.card'].with_user(self.clerk)
        self._assert_refused('typo', codes.redeem_code, 'x', one.id)
        for _guess in range(5):
            self._assert_refused('unknown', codes.redeem_code, self._unknown_code(), two.id)
        self._merge(one, two)
        card = self._generate_card()
        self._assert_refused('locked_out', codes.redeem_code, card.sudo().code, one.id)

    # -------------------------------------------------------------------------
    # ERASING A PERSON
    # -------------------------------------------------------------------------

    def test_a_customers_user_is_deleted_and_history_stays(self):
        card = self._generate_card()
        cards = self.env['refill.card'].with_user(self.customer_user).sudo()
        cards._redeem_code(card.sudo().code, self.customer, self.company, channel='portal')
        events = card.event_ids
        self.assertEqual(events.user_id, self.customer_user)
        self.customer_user.unlink()
        self.env.invalidate_all()
        self.assertTrue(events.exists())
        self.assertFalse(events.user_id)
        self.assertEqual(events.partner_id, self.customer)

    def test_who_of_the_staff_redeemed_a_card_is_not_deleted(self):
        self._redeem(self._generate_card())
        admin = self.env.ref('base.user_admin')
        for env in (admin.with_user(admin).env, self.env):
            with self.assertRaisesRegex(UserError, "Archive the user"):
                self.clerk.with_env(env).unlink()

    def test_a_contact_without_payments_is_deleted_and_history_stays(self):
        person = self.stranger
        codes = self.env['refill.card'].with_user(self.clerk)
        self._assert_refused('typo', codes.redeem_code, 'x', person.id)
        card = self._generate_card()
        card._log_sending("Sent", person)
        events = card.event_ids
        person.unlink()
        self.env.invalidate_all()
        self.assertTrue(events.exists())
        self.assertFalse(events.partner_id)

    def test_privacy_lookup_finds_and_empties_what_names_a_person(self):
        if 'privacy.lookup.wizard' not in self.env:
            self.skipTest("Privacy Lookup is not installed")
        person = self.stranger
        person.email = 'stranger@example.com'
        card = self._generate_card()
        card._log_sending("Sent", person)
        events = card.event_ids
        admin = self.env.ref('base.user_admin')
        admin.company_ids += self.company
        wizards = self.env['privacy.lookup.wizard'].with_user(admin)
        wizards = wizards.with_context(allowed_company_ids=admin.company_ids.ids)
        wizard = wizards.create({'name': person.name, 'email': person.email})
        wizard.action_lookup()
        self.assertIn('refill.card.event', wizard.line_ids.mapped('res_model'))
        wizard.line_ids.action_unlink_all()
        self.env.invalidate_all()
        self.assertFalse(person.exists())
        self.assertTrue(events.exists())
        self.assertFalse(events.partner_id)
        with self.assertRaises(UserError):
            card.series_id.sudo().env['refill.card.event'].search([]).unlink()

    # -------------------------------------------------------------------------
    # CONTACTS THAT MOVE
    # -------------------------------------------------------------------------

    def _new_company_contact(self):
        old, new = self.env['res.partner'].create(
            [{'name': name, 'is_company': True} for name in ("Old Firm", "New Firm")]
        )
        contact = self.env['res.partner'].create({'name': "Mover", 'parent_id': old.id})
        return old, new, contact

    def test_credit_and_cards_stay_when_a_contact_moves_to_another_firm(self):
        old, new, contact = self._new_company_contact()
        colleague = self.env['res.partner'].create({'name': "Stays", 'parent_id': old.id})
        cards = self._generate(3).card_ids
        for card in cards:
            self._redeem(card, contact)
        contact.parent_id = new
        self.assertEqual((self._balance(old), self._balance(new)), (75, 0))
        listed = [
            self.env['refill.card'].search(partner.action_open_refill_cards()['domain'])
            for partner in (old.with_user(self.clerk), new.with_user(self.clerk))
        ]
        self.assertEqual(listed, [cards, cards.browse()])
        codes = self.env['refill.card'].with_user(self.clerk)
        for partner, told in ((contact, True), (colleague, True), (new, False)):
            refused = self._assert_refused(
                'used', codes.redeem_code, cards[0].sudo().code, partner.id
            )
            self.assertEqual(refused.context['used_for_this_customer'], told, partner.name)
        self._undo(cards[0])
        cards[1].payment_id.action_cancel()
        payment = cards[2].payment_id
        payment.action_draft()
        payment.action_post()
        self.assertEqual(cards.mapped('state'), ['active', 'disabled', 'used'])
        self._undo(cards[1])
        payment.move_id._reverse_moves(cancel=True)
        self.assertEqual(cards[2].state, 'disabled')
        self.assertEqual((self._balance(old), self._balance(new)), (0, 0))

    def test_cards_are_undone_when_the_customer_belongs_to_another_company_now(self):
        cards = self._generate(2).card_ids
        for card in cards:
            self._redeem(card, self.ours)
        self.ours.company_id = self.other_company
        self.assertEqual(self._balance(self.ours), 50)
        self._undo(cards[0])
        self.company.fiscalyear_lock_date = Date.today()
        self._undo(cards[1])
        self.assertEqual(self._balance(self.ours), 0)
        self.assertEqual(cards.mapped('state'), ['active', 'active'])
