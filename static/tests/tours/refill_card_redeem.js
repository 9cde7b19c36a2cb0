import { registry } from "@web/core/registry";
import { stepUtils } from "@web_tour/tour_utils";

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

/** TOUR-000001 is used, TOUR-000002 is active. */
function redeemSteps() {
    return [
        {
            content: "Redeem from the menu",
            trigger: ".o_data_row:contains('TOUR-000002'):contains('Active')",
        },
        {
            trigger: "button[data-menu-xmlid='refill_cards.menu_refill_cards']",
            run: "click",
        },
        {
            trigger: "a[data-menu-xmlid='refill_cards.menu_refill_card_redeem']",
            run: "click",
        },
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
        {
            trigger: ".modal .o_field_widget[name=partner_id] input:focus",
            run: "edit refill_customer",
        },
        {
            trigger: ".o-autocomplete--dropdown-item:contains('refill_customer')",
            run: "click",
        },
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
    ];
}

registry.category("web_tour.tours").add("refill_card_redeem_clerk", {
    url: "/odoo",
    steps: () => [
        stepUtils.showAppsMenuItem(),
        {
            content: "Open the app",
            trigger: ".o_app[data-menu-xmlid='account.menu_finance']",
            run: "click",
        },
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
