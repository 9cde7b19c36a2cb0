import { rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { openApp, openMenu } from "./refill_card_menu";

const SENTENCES = [
    "not active yet",
    "already used",
    "was disabled",
    "was valid",
    "not accepted by",
    "just being redeemed",
];

function type(text) {
    return {
        content: "A scanner types and presses Enter",
        trigger: ".modal .o_field_widget[name=typed] input",
        run: `edit ${text} && press Enter`,
    };
}

function refused(sentence) {
    return [
        {
            content: `Refused: ${sentence}`,
            trigger: ".modal footer button[name=action_redeem]:enabled",
            run: "click",
        },
        {
            content: "A sentence says so",
            trigger: `.modal:has(.modal-title:contains('Invalid Operation')):contains('${sentence}') .modal-footer button`,
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal-title:contains('Invalid Operation')))",
        },
    ];
}

function chooseCustomer() {
    return [
        {
            trigger: ".modal .o_field_widget[name=partner_id] input:focus",
            run: "edit refill_customer",
        },
        {
            trigger: ".o-autocomplete--dropdown-item:contains('refill_customer')",
            run: "click",
        },
    ];
}

function call(model, method, ...args) {
    const url = `/web/dataset/call_kw/${model}/${method}`;
    return rpc(url, { model, method, args, kwargs: {} });
}

/** A refusal tells what the list behind does not know yet. */
function otherTabSteps() {
    return [
        {
            trigger: ".o_data_row:contains('TOUR-000003'):contains('Active')",
        },
        ...openMenu("_redeem"),
        type("tour-000003"),
        ...chooseCustomer(),
        {
            content: "Another tab is faster",
            trigger: ".modal .o_field_widget[name=new_balance]:contains('75.00')",
            run: async () => {
                const [[partner_id]] = await call("res.partner", "name_search", "refill_customer");
                const values = { typed: "tour-000003", partner_id };
                const id = await call("refill.card.redeem", "create", values);
                await call("refill.card.redeem", "action_redeem", [id]);
            },
        },
        ...refused("already used"),
        {
            trigger: ".modal footer button[special=cancel]",
            run: "click",
        },
        ...openMenu("_redeem"),
        {
            content: "The list behind is fresh after a refusal, too; what was opened since stays",
            trigger:
                "body:has(.modal .o_field_widget[name=typed]) .o_data_row:contains('TOUR-000003'):contains('Used')",
        },
        type("tour-000003"),
        {
            trigger: ".modal:has(.alert:contains('already used')) .btn-close",
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal)) .o_data_row:contains('TOUR-000003')",
        },
    ];
}

/** TOUR-000001 is used, TOUR-000002 and TOUR-000003 are active. */
function redeemSteps() {
    return [
        {
            content: "Redeem from the menu",
            trigger: ".o_data_row:contains('TOUR-000002'):contains('Active')",
        },
        ...openMenu("_redeem"),
        type("tour-000001"),
        {
            trigger: ".modal .o_field_widget[name=card_id]:contains('TOUR-000001')",
        },
        {
            content: "Enter went to the customer",
            trigger: ".modal .o_field_widget[name=partner_id] input:focus",
        },
        {
            content: "A used card is said before a customer is chosen",
            trigger: ".modal .alert:contains('already used')",
        },
        {
            content: "It cannot be redeemed",
            trigger: ".modal:not(:has(button[name=action_redeem]))",
        },
        type("https://example.com/my/refill#tour-000002."),
        {
            trigger:
                ".modal:not(:has(.alert)) .o_field_widget[name=card_id]:contains('TOUR-000002')",
        },
        ...chooseCustomer(),
        {
            trigger: ".modal .o_field_widget[name=new_balance]:contains('50.00')",
        },
        ...SENTENCES.flatMap(refused),
        {
            trigger: ".modal footer button[name=action_redeem]:enabled",
            run: "click",
        },
        {
            trigger: ".o_notification:contains('Card redeemed')",
        },
        {
            content: "The list behind is fresh",
            trigger: "body:not(:has(.modal)) .o_data_row:contains('TOUR-000002'):contains('Used')",
        },
        ...otherTabSteps(),
    ];
}

registry.category("web_tour.tours").add("refill_card_redeem_clerk", {
    url: "/odoo",
    steps: () => [
        ...openApp(),
        {
            content: "It opens on the cards, with its own menu",
            trigger:
                "body:has(.o_menu_brand:contains('Invoicing')) .o_breadcrumb:contains('Cards')",
        },
        ...redeemSteps(),
    ],
});

registry.category("web_tour.tours").add("refill_card_redeem_accountant", {
    url: "/odoo/refill-cards",
    steps: redeemSteps,
});
