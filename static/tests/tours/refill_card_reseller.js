import { registry } from "@web/core/registry";

import { checkAccessibility } from "./refill_card_accessibility";

const FIELD = "input[name='card']";
const SERIAL = "TOUR-0001";

const activate = (typed) => [
    { content: `Type ${typed}`, trigger: FIELD, run: `edit ${typed}` },
    {
        content: "Activate it",
        trigger: ".o_refill_card_once button:contains('Activate'):enabled",
        run: "click",
        expectUnloadPage: true,
    },
];

registry.category("web_tour.tours").add("refill_card_reseller", {
    steps: () => [
        {
            content: "Open the tile on the portal's home",
            trigger: "a[href='/my/refill/reseller']:contains('Cards to sell')",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "See what is left",
            trigger: ".o_refill_card_summary:contains('2 cards'):contains('50.00')",
        },
        { trigger: `${FIELD}:focus` },
        checkAccessibility,
        ...activate("2020-0001-000001"),
        { trigger: "[role='alert']:focus:contains('none of your cards')" },
        checkAccessibility,
        ...activate(SERIAL),
        {
            content: "It is sold",
            trigger: `[role='status']:contains('${SERIAL}'):contains('is sold')`,
        },
        { trigger: ".o_refill_card_summary:contains('1 card')" },
        checkAccessibility,
        {
            content: "Undo it",
            trigger: `.o_refill_card_activated button[aria-label$='${SERIAL}']`,
            run: "click",
            expectUnloadPage: true,
        },
        { trigger: "[role='status']:contains('in your stock again')" },
        { trigger: "body:not(:has(.o_refill_card_activated))" },
        ...activate(SERIAL),
        { trigger: "[role='status']:contains('is sold')" },
        {
            content: "Open the day's sheet",
            trigger: "a[href='/my/refill/reseller/day']",
            run: "click",
            expectUnloadPage: true,
        },
        { trigger: `.o_refill_card_day:contains('${SERIAL}'):contains('25.00')` },
        { content: "It can be printed", trigger: ".o_refill_card_print:visible" },
        checkAccessibility,
    ],
});

registry.category("web_tour.tours").add("refill_card_bought", {
    steps: () => [
        {
            content: "The invoice leads to its cards",
            trigger: ".o_refill_card_invoice",
            run: "click",
            expectUnloadPage: true,
        },
        { trigger: ".o_refill_card_bought:contains('25.00'):contains('Active')" },
        checkAccessibility,
        {
            content: "Ask for the code",
            trigger: ".o_refill_card_bought button:contains('Show')",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "A wrong password",
            trigger: "input[name='password']:focus",
            run: "edit wrong",
        },
        checkAccessibility,
        { trigger: "button:contains('Go on')", run: "click", expectUnloadPage: true },
        { trigger: "[role='alert']:contains('not the password')" },
        checkAccessibility,
        { trigger: "input[name='password']", run: "edit refill_customer" },
        { trigger: "button:contains('Go on')", run: "click", expectUnloadPage: true },
        { trigger: ".o_refill_card_shown:contains('QUICK-7K2M-9XQ4-R3TZD')" },
        checkAccessibility,
    ],
});
