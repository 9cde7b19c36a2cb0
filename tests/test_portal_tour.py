import json
import random
import sys
import unicodedata
from base64 import b64encode
from unittest.mock import patch

import zxingcpp
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import HttpCase, tagged

from ..refill_cards import codes
from .common import RefillCardCommon, ServesAxe
from .test_portal_payments import CONTROLLER

# Of QUICK-7K2M-9XQ4-R3TZD, which the tours type.
BODY = '7K2M9XQ4R3TZD'
LINK = '/my/refill#QUICK-7K2M-9XQ4-R3TZD'


class PortalTourCommon(RefillCardCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['res.company'].search([]).refill_card_portal = True

    def _generate_with_body(self, body=BODY, **values):
        """Return a card with a code that the tours know."""
        card = self._generate_card(**values)
        sealed = self.env['refill.card.key']._get_sealer().seal(body)
        self.env.flush_all()
        self.cr.execute('UPDATE refill_card_code SET sealed = %s WHERE id = %s', (sealed, card.id))
        card.invalidate_recordset()
        return card


@tagged('post_install', '-at_install')
class TestPortalTour(ServesAxe, PortalTourCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._serve_axe()

    def test_a_customer_redeems_a_card_in_the_portal(self):
        card = self._generate_with_body()
        self._invoice(10)
        self.start_tour('/my', 'refill_card_portal', login=self.customer_user.login)
        self.assertRecordValues(card, [{'state': 'used', 'partner_id': self.customer.id}])
        self.assertEqual(card.payment_id.state, 'paid')

    def test_a_customer_is_refused_in_each_way(self):
        self._generate_with_body()
        self._generate_with_body('333333333333A').sudo()._operating().valid_till = '2026-01-31'
        self._redeem(self._generate_with_body('444444444444R'))
        self._redeem(self._generate_with_body('5555555555556'), partner=self.stranger)
        self._generate_with_body(
            '666666666666M',
            user=self.env.user,
            company_ids=[Command.set(self.other_company.ids)],
        )
        self._redeem(self._generate_with_body('7777777777772')).action_cancel()
        self._generate_with_body('888888888888G', activation_required=True)
        self.env['ir.config_parameter'].set_param('refill_cards.guesses', 2)
        self.start_tour('/my/refill', 'refill_card_refused', login=self.customer_user.login)
        attempts = self.env['refill.card.attempt'].search([], order='id')
        self.assertEqual(
            attempts.mapped('reason'),
            [
                'unknown',
                'expired',
                'used',
                'used',
                'company',
                'disabled',
                'inactive',
                'unknown',
                'locked_out',
            ],
        )

    def test_a_customer_of_several_companies_uses_each_page(self):
        self.customer_user.company_ids += self.other_company
        card = self._generate_with_body(company_ids=[Command.clear()])
        reports = self.env.registry['ir.actions.report']
        with (
            patch.object(reports, '_render_qweb_pdf', side_effect=UserError("No printer.")),
            self.assertLogs(CONTROLLER, 'WARNING'),
        ):
            self.start_tour('/my/payments', 'refill_card_companies', login=self.customer_user.login)
        self.assertEqual(card.used_company_id, self.other_company)

    def test_a_reseller_activates_a_card_and_takes_that_back(self):
        self.company.refill_card_reseller_portal = True
        cards = self._generate(2, activation_required=True).card_ids.sudo()
        self._generate(1, activation_required=True)
        cards._consign(self.customer)
        self.assertTrue(cards[0].name.endswith('-000001'))
        card = cards[1]
        card._operating().name = 'TOUR-0001'
        self.start_tour('/my', 'refill_card_reseller', login=self.customer_user.login)
        self.assertEqual((card.state, card.terms), ('active', 'sold'))
        activations = card.event_ids.filtered(lambda event: event.new_state == 'active')
        self.assertEqual(len(activations), 2)
        self.assertEqual(cards[0].state, 'inactive')

    def test_a_customer_looks_at_the_code_of_a_card_that_they_bought(self):
        card = self._generate_with_body()
        invoice = self._sell_cards(card, self.customer)
        url = f'/my/invoices/{invoice.id}'
        self.start_tour(url, 'refill_card_bought', login=self.customer_user.login)
        self.assertEqual(card.sudo().event_ids[0].note, "Code shown")


@tagged('post_install', '-at_install')
class TestPortalTourOnPhone(TestPortalTour):
    browser_size = '360x740'
    touch_enabled = True


@tagged('post_install', '-at_install')
class TestPortalLink(PortalTourCommon):
    def _run(self, code, **kwargs):
        """Run a script on the refill page, as the customer."""
        self.browser_js(
            kwargs.pop('url', '/my/refill'),
            code=f"""
                (async () => {{
                    const inputEl = document.querySelector("[name='code'], [name='card']");
                    const assert = (condition, message) => {{
                        if (!condition) {{
                            throw new Error(message);
                        }}
                    }};
                    {code}
                }})().then(
                    () => console.log("test successful"),
                    (error) => console.error(error.message)
                );
            """,
            ready="document.querySelector('.o_refill_card_scan')?.className.includes('btn') "
            "&& odoo.loader.modules.has('@refill_cards/interactions/refill_card_form') "
            "&& odoo.__WOWL_DEBUG__?.root.env.services['public.interactions'].isReady "
            "&& new Promise((resolve) => setTimeout(() => resolve(true), 300))",
            login=self.customer_user.login,
            **kwargs,
        )

    def test_a_scanned_card_fills_the_field_and_redeems_nothing(self):
        card = self._generate_with_body()
        self._run(
            """
            assert(inputEl.value === "QUICK-7K2M-9XQ4-R3TZD", `The field holds ${inputEl.value}`);
            assert(!window.location.hash, "The code is still in the address.");
            """,
            url=LINK,
        )
        self.assertEqual(card.state, 'active')

    def test_a_broken_link_is_only_a_typing_error(self):
        self._generate_with_body()
        self._run(
            """
            assert(inputEl.value === "%", `The field holds ${inputEl.value}`);
            const { textContent } = document.querySelector(".o_refill_card_typo");
            assert(textContent.includes("not a card's code"), textContent);
            """,
            url='/my/refill#%',
        )

    def test_the_case_of_a_code_stays_as_typed_where_there_are_codes_of_another_system(self):
        self._generate_with_body()
        self._make_foreign_series()
        self._run(
            """
            // It begins as a whole code of ours does.
            const code = "7k2m9xq4r3tzdabcdefghijkl";
            for (const character of code) {
                inputEl.value += character;
                const init = { bubbles: true, inputType: "insertText" };
                inputEl.dispatchEvent(new InputEvent("input", init));
            }
            assert(inputEl.value === code, `The field holds ${inputEl.value}`);
            inputEl.value = code.slice(0, 13);
            inputEl.dispatchEvent(
                new InputEvent("input", { bubbles: true, inputType: "deleteContentBackward" })
            );
            assert(inputEl.value === code.slice(0, 13), `The field holds ${inputEl.value}`);
            """,
        )

    def test_what_a_keyboard_composes_gets_its_groups_when_it_is_finished(self):
        self._generate_with_body()
        self._run(
            """
            const input = (isComposing) => {
                const init = { bubbles: true, inputType: "insertCompositionText", isComposing };
                inputEl.dispatchEvent(new InputEvent("input", init));
            };
            const end = () => inputEl.dispatchEvent(new CompositionEvent("compositionend"));
            // Chromium's last input comes before the end, Firefox's after it.
            for (const finish of [[() => input(true), end], [end, () => input(false)]]) {
                for (const [typed, grouped] of [
                    ["quick7k2m", "QUIC-K7K2-M"],
                    ["quick-", "QUICK-"],
                    ["quick7k2m9xq4r3tzd", "QUICK-7K2M-9XQ4-R3TZD"],
                ]) {
                    inputEl.value = typed;
                    input(true);
                    assert(inputEl.value === typed, `${typed} became ${inputEl.value}`);
                    finish.forEach((step) => step());
                    assert(inputEl.value === grouped, `${typed} became ${inputEl.value}`);
                }
            }
            """
        )

    def test_the_code_in_a_link_outlives_login(self):
        card = self._generate_with_body()
        self.start_tour(LINK, 'refill_card_link_login')
        self.assertEqual(card.partner_id, self.customer)

    def _visit_with_kept(self, kept, code):
        """Run a script on the refill page, as if a card had been scanned before the login."""
        self._run(
            f"""
            const linkedEl = document.querySelector(".o_refill_card_linked");
            const restart = async (kept) => {{
                sessionStorage.setItem("refill_card_code", JSON.stringify(kept));
                const interactions = odoo.__WOWL_DEBUG__.root.env.services["public.interactions"];
                interactions.stopInteractions();
                await interactions.startInteractions();
            }};
            await restart({kept});
            assert(inputEl.value === "", `The field holds ${{inputEl.value}}`);
            assert(!sessionStorage.refill_card_code, "The code is still kept.");
            {code}
            """
        )

    def test_a_code_scanned_long_before_the_login_is_gone(self):
        self._generate_with_body()
        self._visit_with_kept(
            '{ code: "QUICK-7K2M-9XQ4-R3TZD", until: Date.now() - 1 }',
            'assert(linkedEl.classList.contains("d-none"), "It is still offered.");',
        )

    def test_a_code_scanned_before_the_login_is_dropped_after_two_wrong_endings(self):
        self._generate_with_body()
        self._visit_with_kept(
            '{ code: "QUICK-7K2M-9XQ4-R3TZD", until: Date.now() + 60000 }',
            """
            assert(!linkedEl.classList.contains("d-none"), "It is not offered.");
            assert(!document.body.innerHTML.includes("R3TZD"), "The page shows the code.");
            for (const wrong of ["2222", "2222"]) {
                linkedEl.querySelector("input").value = wrong;
                linkedEl.querySelector("button").click();
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
            assert(linkedEl.classList.contains("d-none"), "It is still offered.");
            assert(inputEl.value === "", `The field holds ${inputEl.value}`);
            """,
        )

    def test_a_serial_number_is_recognized_and_left_as_it_is_printed(self):
        serial = self._generate_with_body().name
        self._run(
            f"""
            const typoEl = document.querySelector(".o_refill_card_typo");
            for (const type of ["insertText", "insertFromPaste"]) {{
                inputEl.value = "{serial}";
                const init = {{ bubbles: true, inputType: type }};
                inputEl.dispatchEvent(new InputEvent("input", init));
                assert(inputEl.value === "{serial}", `It became ${{inputEl.value}}`);
            }}
            await new Promise((resolve) => setTimeout(resolve, 50));
            assert(typoEl.textContent.includes("serial number"), typoEl.textContent);
            """
        )

    def test_whoever_logs_in_by_another_name_than_the_first_gets_no_code(self):
        card = self._generate_with_body()
        self.start_tour(LINK, 'refill_card_link_other_login')
        self.assertEqual(card.state, 'active')

    def test_the_code_in_a_link_outlives_sign_up(self):
        parameters = self.env['ir.config_parameter'].sudo()
        parameters.set_param('auth_signup.invitation_scope', 'b2c')
        template = int(parameters.get_param('base.template_portal_user_id'))
        self.env['res.users'].sudo().browse(template).write(
            {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        )
        if 'website' in self.env:
            websites = self.env['website'].search([])
            websites.write({'company_id': self.company.id, 'auth_signup_uninvited': 'b2c'})
        card = self._generate_with_body()
        self.start_tour(LINK, 'refill_card_link_signup')
        self.assertEqual(card.partner_id.name, "New Customer")

    def test_without_a_camera_there_is_no_button_to_scan(self):
        self._run(
            """
            const { classList } = document.querySelector(".o_refill_card_scan");
            assert(!classList.contains("d-none"), "There is no button to scan.");
            Object.defineProperty(navigator, "mediaDevices", { value: undefined });
            const interactions = odoo.__WOWL_DEBUG__.root.env.services["public.interactions"];
            interactions.stopInteractions();
            await interactions.startInteractions();
            assert(classList.contains("d-none"), "There still is a button to scan.");
            """
        )

    def _scan(self, text, check, **kwargs):
        """Scan a QR code with the camera, then run a script that checks what is in the field."""
        qr = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
        picture = zxingcpp.write_barcode_to_svg(qr, scale=5)
        script = """
            const image = new Image();
            image.src = "data:image/svg+xml;base64,PICTURE";
            await image.decode();
            const canvas = document.createElement("canvas");
            canvas.width = 800;
            canvas.height = 400;
            const context = canvas.getContext("2d");
            const draw = () => {
                context.fillStyle = "white";
                context.fillRect(0, 0, 800, 400);
                context.drawImage(image, 325, 125, 150, 150); // in Odoo's window
            };
            const drawing = setInterval(draw, 50);
            navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
            document.querySelector(".o_refill_card_scan").click();
            while (!inputEl.value) {
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
            clearInterval(drawing);
            """.replace('PICTURE', b64encode(picture.encode()).decode())
        self._run(script + check, **kwargs)

    def test_the_camera_reads_a_card_s_qr(self):
        card = self._generate_with_body()
        self._scan(
            f'https://example.com{LINK}',
            """
            assert(inputEl.value === "QUICK-7K2M-9XQ4-R3TZD", `The field holds ${inputEl.value}`);
            assert(document.querySelector(".o_refill_card_typo").textContent === "", "A typo?");
            """,
        )
        self.assertEqual(card.state, 'active')

    def test_the_camera_reads_a_reseller_s_card_and_activates_nothing(self):
        self.company.refill_card_reseller_portal = True
        card = self._generate_card(activation_required=True).sudo()
        card._consign(self.customer)
        self._scan(
            card.name,
            f'assert(inputEl.value === "{card.name}", `The field holds ${{inputEl.value}}`);',
            url='/my/refill/reseller',
        )
        self.assertEqual(card.state, 'inactive')

    def test_the_page_reads_codes_as_the_server_does(self):
        """Without a prefix both must agree; with one the page may only be the milder judge."""
        chosen = random.Random(7)
        for fmt in (codes.Format('base32', 12), codes.Format('digits', 16)):
            prefixed = codes.Format(fmt.alphabet, fmt.length, 'QUICK')
            expected = [
                (text, self._is_read(text, fmt), self._is_read(f'Quick {text}', prefixed))
                for text in self._prepare_texts(fmt, chosen)
            ]
            read = sum(plain for _text, plain, _prefixed in expected)
            self.assertGreater(read, 100)
            self.assertGreater(len(expected) - read, 100)
            formats = [{'characters': fmt.characters, 'length': fmt.length + 1}]
            self._run(
                f"""
                const {{ findFormat, group }} = odoo.loader.modules.get(
                    "@refill_cards/interactions/refill_card_code"
                );
                const formats = {json.dumps(formats)};
                for (const [text, isPlain, isPrefixed] of {json.dumps(expected)}) {{
                    const found = Boolean(findFormat(text, formats));
                    assert(found === isPlain, `${{JSON.stringify(text)}} is ${{isPlain}}`);
                    const prefixed = `Quick ${{text}}`;
                    assert(!isPrefixed || findFormat(prefixed, formats), `${{prefixed}} is read`);
                    const grouped = findFormat(group(text, formats), formats);
                    assert(Boolean(grouped) === isPlain, `${{text}} changes in groups`);
                }}
                """
            )

    def _is_read(self, text, fmt):
        try:
            return bool(codes.read(text, [fmt]))
        except codes.Typo:
            return False

    def _prepare_texts(self, fmt, chosen):
        """Return codes as people may type them, right and wrong ones."""
        separators = [' ', '-', '\N{EM DASH}', '\N{NO-BREAK SPACE}', '\N{MINUS SIGN}', '\n', '']
        zeros = [
            point for point in range(sys.maxunicode) if unicodedata.decimal(chr(point), None) == 0
        ]
        texts = []
        for body in fmt.generate(100):
            texts += [body, fmt.display(body).lower(), chosen.choice(separators).join(body)]
            texts.append(body.replace('0', 'O').replace('1', chosen.choice('iIlL')))
            zero = chosen.choice(zeros)
            texts.append(''.join(chr(zero + int(c)) if c.isdigit() else c for c in body))
            texts.append(''.join(chr(ord(c) + 0xFEE0) for c in body))  # full width
            place = chosen.randrange(len(body) - 1)
            wrong = chosen.choice(fmt.characters.replace(body[place], ''))
            texts.append(body[:place] + wrong + body[place + 1 :])
            texts.append(body[:place] + body[place + 1] + body[place] + body[place + 2 :])
            texts += [body[1:], body[:-1], body[:place] + '!' + body[place + 1 :]]
        return texts


@tagged('post_install', '-at_install')
class TestPortalLinkOnPhone(TestPortalLink):
    browser_size = '360x740'
    touch_enabled = True
