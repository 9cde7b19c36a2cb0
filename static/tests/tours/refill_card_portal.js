import { registry } from "@web/core/registry";

import { checkAccessibility } from "./refill_card_accessibility";

const FIELD = "input[name='code']";
const CODE = "QUICK-7K2M-9XQ4-R3TZD";

/** Type as a browser does: the tour's own way moves the caret after what a page does with it. */
const type = (text) => ({
    content: `Type ${text}`,
    trigger: FIELD,
    run() {
        this.anchor.focus();
        this.anchor.select();
        for (const character of text) {
            document.execCommand("insertText", false, character);
        }
    },
});

const paste = (text) => ({
    content: `Paste ${text}`,
    trigger: FIELD,
    run() {
        this.anchor.value = text;
        const init = { bubbles: true, inputType: "insertFromPaste" };
        this.anchor.dispatchEvent(new InputEvent("input", init));
    },
});

const send = [
    {
        content: "Send it",
        trigger: ".o_refill_card_form button[type='submit']:enabled",
        run: "click",
        expectUnloadPage: true,
    },
];

/** Type a code that the server refuses. */
const refuse = (code, sentence) => [
    type(code.toLowerCase()),
    { content: "It is in groups, as on the card", trigger: `${FIELD}:value('${code}')` },
    ...send,
    {
        content: "The sentence has the focus",
        trigger: `[role='alert']:focus:contains('${sentence}')`,
    },
    { content: "What was typed is still there", trigger: `${FIELD}:value('${code}')` },
];

registry.category("web_tour.tours").add("refill_card_portal", {
    steps: () => [
        {
            content: "The tile shows the balance",
            trigger: ".o_portal_index_card:not(.d-none) a[href='/my/refill']:contains('Due')",
        },
        checkAccessibility,
        {
            content: "Open the tile on the portal's home",
            trigger: "a[href='/my/refill']",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "See the balance before",
            trigger: ".o_refill_card_balance:contains('Due'):contains('10.00')",
        },
        checkAccessibility,
        type("quick 7k2m9xq4r3tz0"),
        {
            content: "What is typed gets its groups",
            trigger: `${FIELD}:value('QUICK-7K2M-9XQ4-R3TZ-0')`,
        },
        {
            content: "The error is shown before anything is sent",
            trigger: ".o_refill_card_form button[type='submit']",
            run: "click",
        },
        {
            trigger: ".o_refill_card_typo[role='alert']:contains('Please check it')",
        },
        {
            trigger: `${FIELD}[aria-invalid='true']:focus`,
        },
        checkAccessibility,
        {
            content: "Who sends the same again is believed",
            trigger: ".o_refill_card_form button[type='submit']:enabled",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The server's sentence has the focus",
            trigger: "[role='alert']:focus:contains('not a card')",
        },
        checkAccessibility,
        {
            content: "What was typed is still there",
            trigger: `${FIELD}:value('QUICK-7K2M-9XQ4-R3TZ-0')`,
        },
        paste("7k2m 9xq4 r3tz0"),
        {
            content: "It is said at once",
            trigger: ".o_refill_card_typo:contains('Please check it')",
        },
        paste(" 7k2m9xq4r3tzd\n"),
        {
            content: "It gets its groups",
            trigger: `${FIELD}:value('7K2M-9XQ4-R3TZD'):not([aria-invalid])`,
        },
        {
            trigger: ".o_refill_card_form:not(:has(.o_refill_card_typo:contains('check')))",
        },
        {
            content: "Begin to send it",
            trigger: ".o_refill_card_form",
            run() {
                // Where a captcha is installed, it sends the form by itself.
                this.anchor.submit = () => {};
                this.anchor.addEventListener("submit", (ev) => ev.preventDefault(), { once: true });
                this.anchor.requestSubmit();
            },
        },
        {
            content: "The button cannot be pressed again",
            trigger: ".o_refill_card_form:has(button[type='submit']:disabled)",
        },
        {
            content: "The browser's Back button brings the page anew",
            trigger: ".o_refill_card_form",
            run: () => window.dispatchEvent(new Event("pageshow")),
            expectUnloadPage: true,
        },
        {
            trigger: ".o_refill_card_form:not(:has(button[type='submit'].disabled))",
            run() {
                if (document.querySelector(FIELD).value) {
                    throw new Error("What was sent is still in the field.");
                }
            },
        },
        paste("7k2m 9xq4 r3tzd"),
        ...send,
        {
            content: "The card was redeemed",
            trigger: ".o_refill_card_done [role='status']:contains('Your card was redeemed.')",
        },
        {
            content: "See the new balance",
            trigger: ".o_refill_card_balance:contains('Prepaid credit'):contains('15.00')",
        },
        {
            content: "There is a receipt",
            trigger: ".o_refill_card_done a[href$='/receipt']",
        },
        checkAccessibility,
        {
            content: "Open the list of payments",
            trigger: "a[href='/my/payments'].btn",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The payment is in the list",
            trigger: ".o_refill_card_payments tr:contains('Refill Card'):contains('25.00')",
        },
        {
            content: "There is the total of its type",
            trigger: ".o_refill_card_totals tr:contains('Refill Card'):contains('25.00')",
        },
        checkAccessibility,
        {
            content: "Search for something else",
            trigger: "input[name='search']",
            run: "edit nothing",
        },
        {
            trigger: "form[role='search'] button",
            run: "click",
            expectUnloadPage: true,
        },
        {
            trigger: ".alert:contains('No payment fits.')",
        },
        checkAccessibility,
    ],
});

registry.category("web_tour.tours").add("refill_card_refused", {
    steps: () => [
        ...refuse("QUICK-2222-2222-2222W", "no card with this code"),
        {
            content: "What was typed is kept for one page only",
            trigger: FIELD,
            run() {
                if (JSON.stringify({ ...window.sessionStorage }).includes("2222")) {
                    throw new Error("The code was left behind.");
                }
                window.location.reload();
            },
            expectUnloadPage: true,
        },
        {
            content: "Reloading the page sends nothing",
            trigger: `body:not(:has(#refill_card_refusal)) ${FIELD}`,
            run() {
                if (this.anchor.value) {
                    throw new Error(`The field holds ${this.anchor.value}`);
                }
            },
        },
        ...refuse("QUICK-3333-3333-3333A", "valid till 01/31/2026"),
        ...refuse("QUICK-4444-4444-4444R", "used for this account on"),
        checkAccessibility,
        ...refuse("QUICK-5555-5555-55556", "already used. If it was not you"),
        ...refuse("QUICK-6666-6666-6666M", "not accepted by"),
        ...refuse("QUICK-7777-7777-77772", "disabled. Please ask whoever sold it"),
        ...refuse("QUICK-8888-8888-8888G", "not active yet. Please ask whoever sold it"),
        ...refuse("QUICK-9999-9999-9999Y", "no card with this code"),
        ...refuse("QUICK-8888-8888-8888G", "Too many wrong codes. Please try again after"),
        checkAccessibility,
    ],
});

registry.category("web_tour.tours").add("refill_card_companies", {
    steps: () => [
        {
            content: "There is nothing in the list",
            trigger: ".alert:contains('There are no payments yet.')",
        },
        checkAccessibility,
        {
            content: "Redeem a card",
            trigger: "a[href='/my/refill'].btn",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "There is a choice of companies",
            trigger: "fieldset:has(input[name='company_id'] ~ label:contains('Daughter'))",
        },
        checkAccessibility,
        {
            content: "Choose the other company",
            trigger: "label:contains('Daughter')",
            run: "click",
        },
        ...refuse("QUICK-2222-2222-2222W", "no card with this code"),
        {
            content: "The choice is still there",
            trigger: ".form-check:has(input:checked) label:contains('Daughter')",
        },
        checkAccessibility,
        type(CODE),
        ...send,
        {
            content: "The card was redeemed",
            trigger: ".o_refill_card_done [role='status']:contains('Your card was redeemed.')",
        },
        checkAccessibility,
        {
            content: "Ask for the receipt",
            trigger: ".o_refill_card_done a[href$='/receipt']",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "It cannot be made",
            trigger: "[role='alert']:contains('The receipt cannot be made')",
        },
        checkAccessibility,
        {
            content: "Go back to the list",
            trigger: "a[href='/my/payments'].btn",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The payment names its company",
            trigger: ".o_refill_card_payments tr:contains('Daughter')",
        },
        checkAccessibility,
    ],
});

const takeOverLinkedCode = [
    {
        content: "Somebody else may have logged in: the field is empty",
        trigger: FIELD,
        run() {
            if (this.anchor.value) {
                throw new Error(`The field holds ${this.anchor.value}`);
            }
        },
    },
    {
        content: "Whoever has the card knows the last characters",
        trigger: ".o_refill_card_linked:not(.d-none) input",
        run: "edit zzzz",
    },
    { trigger: ".o_refill_card_linked button", run: "click" },
    { trigger: ".o_refill_card_linked_wrong:contains('try once more')" },
    { trigger: ".o_refill_card_linked input", run: "edit 3tzd" },
    { trigger: ".o_refill_card_linked button", run: "click" },
    {
        content: "The code came along, and is in no address",
        trigger: `${FIELD}:value('${CODE}')`,
        run() {
            if (window.location.href.includes("7K2M") || window.sessionStorage.refill_card_code) {
                throw new Error("The code was left behind.");
            }
        },
    },
    ...send,
    {
        content: "The card was redeemed",
        trigger: ".o_refill_card_done [role='status']:contains('Your card was redeemed.')",
    },
];

registry.category("web_tour.tours").add("refill_card_link_login", {
    steps: () => [
        {
            content: "The code is put aside before login",
            trigger: ".oe_login_form",
            run() {
                if (window.location.hash) {
                    throw new Error("The code is still in the address.");
                }
            },
        },
        { trigger: "input[name='login']", run: "edit refill_customer" },
        { trigger: "input[name='password']", run: "edit wrong" },
        {
            trigger: ".oe_login_buttons button[type='submit']",
            run: "click",
            expectUnloadPage: true,
        },
        { content: "A wrong password loses nothing", trigger: ".alert-danger" },
        { trigger: "input[name='password']", run: "edit refill_customer" },
        {
            trigger: ".oe_login_buttons button[type='submit']",
            run: "click",
            expectUnloadPage: true,
        },
        ...takeOverLinkedCode,
    ],
});

registry.category("web_tour.tours").add("refill_card_link_signup", {
    steps: () => [
        {
            content: "Who has no account signs up",
            trigger: "a[href*='/web/signup']",
            run: "click",
            expectUnloadPage: true,
        },
        { trigger: "input[name='login']", run: "edit new@example.com" },
        { trigger: "input[name='name']", run: "edit New Customer" },
        { trigger: "input[name='password']", run: "edit refill_cards_123" },
        { trigger: "input[name='confirm_password']", run: "edit refill_cards_123" },
        {
            trigger: ".oe_signup_form button[type='submit']",
            run: "click",
            expectUnloadPage: true,
        },
        ...takeOverLinkedCode,
    ],
});

registry.category("web_tour.tours").add("refill_card_link_other_login", {
    steps: () => [
        { trigger: "input[name='login']", run: "edit somebody" },
        { trigger: "input[name='password']", run: "edit wrong" },
        {
            trigger: ".oe_login_buttons button[type='submit']",
            run: "click",
            expectUnloadPage: true,
        },
        { trigger: ".alert-danger" },
        { trigger: "input[name='login']", run: "edit refill_customer" },
        { trigger: "input[name='password']", run: "edit refill_customer" },
        {
            trigger: ".oe_login_buttons button[type='submit']",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "Nothing is offered",
            trigger: ".o_refill_card_form:has(.o_refill_card_linked.d-none)",
            run() {
                if (window.sessionStorage.refill_card_code) {
                    throw new Error("The code is still kept.");
                }
                if (document.querySelector(FIELD).value) {
                    throw new Error("The field is filled.");
                }
            },
        },
    ],
});
