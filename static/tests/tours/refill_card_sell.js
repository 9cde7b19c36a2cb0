import { registry } from "@web/core/registry";
import { stepUtils } from "@web_tour/tour_utils";
import { openMenu } from "./refill_card_menu";

function choose(field, name) {
    return [
        {
            trigger: `.modal .o_field_widget[name=${field}] input`,
            run: `edit ${name}`,
        },
        {
            trigger: `.o-autocomplete--dropdown-item:contains('${name}')`,
            run: "click",
        },
    ];
}

const openApp = [
    stepUtils.showAppsMenuItem(),
    {
        content: "Open the app",
        trigger: ".o_app[data-menu-xmlid='account.menu_finance']",
        run: "click",
    },
];

function confirmInvoice() {
    return [
        {
            trigger: ".o_form_view button[name=action_post]:not(:hidden)",
            run: "click",
        },
        {
            trigger: ".o_statusbar_status .o_arrow_button_current:contains('Posted')",
        },
    ];
}

registry.category("web_tour.tours").add("refill_card_sell", {
    url: "/odoo",
    steps: () => [
        ...openApp,
        ...openMenu("_sell"),
        ...choose("series_ids", "TOUR"),
        {
            trigger: ".modal .o_field_widget[name=quantity] input",
            run: "edit 2 && press Tab",
        },
        ...choose("partner_id", "Kiosk"),
        {
            content: "What was agreed is filled in",
            trigger: ".modal .o_field_widget[name=discount] input:value('10.00')",
        },
        {
            trigger: ".modal .o_field_widget[name=works] label:contains('paid')",
            run: "click",
        },
        {
            trigger: ".modal button[name=action_sell]",
            run: "click",
        },
        {
            content: "The draft says which cards",
            trigger: ".o_form_view:contains('TOUR-000001 – TOUR-000002')",
        },
        ...confirmInvoice(),
        {
            trigger: "button[name=action_register_payment]:not(:hidden)",
            run: "click",
        },
        {
            trigger: ".modal button[name=action_create_payments]",
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal)) .o_form_view .ribbon:not(:hidden)",
        },
        {
            content: "Its cards are a click away",
            trigger: "button[name=action_open_refill_cards]",
            run: "click",
        },
        {
            trigger: ".o_data_row:contains('TOUR-000002'):contains('Active')",
        },
    ],
});

registry.category("web_tour.tours").add("refill_card_consign", {
    url: "/odoo",
    steps: () => [
        ...openApp,
        ...openMenu("_hand_out"),
        {
            trigger: ".modal .o_field_widget[name=first] input",
            run: "edit TOUR-000001 && press Tab",
        },
        {
            trigger: ".modal .o_field_widget[name=first_id]:contains('TOUR-000001')",
        },
        {
            trigger: ".modal .o_field_widget[name=last] input",
            run: "edit TOUR-000002 && press Tab",
        },
        {
            trigger: ".modal .o_field_widget[name=last_id]:contains('TOUR-000002')",
        },
        ...choose("holder_id", "Kiosk"),
        {
            trigger: ".modal button[name=action_confirm]",
            run: "click",
        },
        {
            content: "The delivery note to sign",
            trigger: ".o_form_view .o_field_widget[name=partner_id]:contains('Kiosk')",
        },
    ],
});

registry.category("web_tour.tours").add("refill_card_settle", {
    url: "/odoo",
    steps: () => [
        ...openApp,
        ...openMenu("_settle"),
        ...choose("partner_ids", "Kiosk"),
        {
            trigger: ".modal .o_field_widget[name=day] button",
            run: "click",
        },
        {
            content: "Till today",
            trigger: ".modal .o_field_widget[name=day] input",
            run: `edit ${luxon.DateTime.now().toFormat("MM/dd/yyyy")} && press Tab`,
        },
        {
            trigger: ".modal .o_field_widget[name=preview]:contains('Kiosk'):contains('25.00')",
        },
        {
            trigger: ".modal button[name=action_settle]",
            run: "click",
        },
        {
            trigger: ".o_form_view:contains('Kiosk')",
        },
        ...confirmInvoice(),
    ],
});
