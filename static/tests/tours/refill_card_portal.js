import { registry } from "@web/core/registry";

registry.category("web_tour.tours").add("refill_card_portal", {
    steps: () => [
        {
            content: "Open the tile on the portal's home",
            trigger: ".o_portal_index_card:not(.d-none) a[href='/my/refill']",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "See the balance before",
            trigger: ".o_refill_card_balance:contains('0.00')",
        },
        {
            content: "Make a typing error",
            trigger: "input[name='code']",
            run: "edit QUICK-7K2M-9XQ4-R3TZ0",
        },
        {
            content: "Begin to send it",
            trigger: ".o_refill_card_form",
            run() {
                this.anchor.addEventListener("submit", (ev) => ev.preventDefault(), { once: true });
                this.anchor.requestSubmit();
            },
        },
        {
            content: "The button cannot be pressed again until the browser's Back button is",
            trigger: ".o_refill_card_form:has(button[type='submit']:disabled)",
            run: () => window.dispatchEvent(new Event("pageshow")),
        },
        {
            content: "Send it",
            trigger: ".o_refill_card_form button[type='submit']:enabled",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The sentence has the focus",
            trigger: "[role='alert']:focus:contains('not a card')",
        },
        {
            content: "What was typed is still there",
            trigger: "input[name='code']:value('QUICK-7K2M-9XQ4-R3TZ0')",
            run: "edit quick 7k2m 9xq4 r3tzd",
        },
        {
            content: "Send it again",
            trigger: ".o_refill_card_form button[type='submit']:enabled",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The card was redeemed",
            trigger: ".o_refill_card_done [role='status']:contains('Your card was redeemed.')",
        },
        {
            content: "See the new balance",
            trigger: ".o_refill_card_balance:contains('Prepaid credit'):contains('25.00')",
        },
        {
            content: "Open the list of payments",
            trigger: "a[href='/my/payments'].btn",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The payment is in the list",
            trigger: "tbody tr:contains('Refill Card'):contains('25.00')",
        },
    ],
});
