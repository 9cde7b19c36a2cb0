import { registry } from "@web/core/registry";
import { openApp, openMenu } from "./refill_card_menu";

function openCard(serial) {
    return [
        ...openMenu(""),
        {
            trigger: `.o_data_row:contains('${serial}') .o_data_cell[name=name]`,
            run: "click",
        },
        {
            trigger: `.o_form_view .o_field_widget[name=name]:contains('${serial}')`,
        },
    ];
}

function redeem(serial) {
    return [
        ...openMenu("_redeem"),
        {
            trigger: ".modal .o_field_widget[name=typed] input",
            run: `edit ${serial} && press Tab`,
        },
        {
            trigger: `.modal .o_field_widget[name=card_id]:contains('${serial}')`,
        },
        {
            trigger: ".modal .o_field_widget[name=partner_id] input",
            run: "edit refill_customer",
        },
        {
            trigger: ".o-autocomplete--dropdown-item:contains('refill_customer')",
            run: "click",
        },
    ];
}

function confirmed(message) {
    return [
        {
            trigger: ".modal button[name=action_confirm]",
            run: "click",
        },
        {
            trigger: `.o_notification:contains('${message}') .o_notification_close`,
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal))",
        },
    ];
}

registry.category("web_tour.tours").add("refill_card_life", {
    url: "/odoo",
    steps: () => [
        ...openApp(),
        ...openMenu("_change"),
        {
            content: "Activate the first two cards",
            trigger: ".modal .o_field_widget[name=first] input",
            run: "edit TOUR-000001 && press Enter",
        },
        {
            trigger: ".modal .o_field_widget[name=first_id]:contains('TOUR-000001')",
        },
        {
            content: "Enter went to the last one",
            trigger: ".modal .o_field_widget[name=last] input:focus",
            run: "edit TOUR-000002 && press Enter",
        },
        {
            trigger: ".modal .o_field_widget[name=last_id]:contains('TOUR-000002')",
        },
        {
            trigger: ".modal .o_radio_input[data-value=activate]",
            run: "click",
        },
        {
            content: "How many and what they are worth is said before",
            trigger: ".modal .o_field_widget[name=card_count]:contains('2')",
        },
        {
            trigger: ".modal .o_field_widget[name=total]:contains('50.00')",
        },
        ...confirmed("Cards changed: 2"),
        ...openCard("TOUR-000002"),
        {
            content: "The second is stolen",
            trigger: "button[name=action_change]:contains('Disable')",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=reason] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains('Stolen')",
            run: "click",
        },
        ...confirmed("Cards changed: 1"),
        {
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Disabled')",
        },
        ...redeem("TOUR-000002"),
        {
            content: "It cannot be redeemed",
            trigger: ".modal .alert:contains('This card was disabled')",
        },
        {
            trigger: ".modal button[special=cancel]",
            run: "click",
        },
        ...redeem("TOUR-000001"),
        {
            content: "The first can",
            trigger: ".modal .o_field_widget[name=new_balance]:contains('25.00')",
        },
        {
            trigger: ".modal button[name=action_redeem]",
            run: "click",
        },
        {
            trigger: ".o_notification:contains('Card redeemed') .o_notification_close",
            run: "click",
        },
        ...openCard("TOUR-000001"),
        {
            content: "For the wrong customer",
            trigger: "button[name=action_undo]",
            run: "click",
        },
        {
            content: "What will happen is said before",
            trigger: ".modal .alert:contains('is reversed today')",
        },
        {
            trigger: ".modal .o_field_widget[name=reason] input",
            run: "edit Wrong customer",
        },
        {
            trigger: ".modal footer button[name=action_undo]",
            run: "click",
        },
        {
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Active')",
        },
        {
            content: "The history says who, what and why",
            trigger:
                ".o_field_widget[name=event_ids] .o_data_row:first:contains('Redemption undone'):contains('Wrong customer')",
        },
        {
            content: "Look at the code",
            trigger: "button[name=action_show_code]",
            run: "click",
        },
        {
            content: "The own password is asked for",
            trigger: ".modal .o_field_widget[name=password] input",
            run: "edit refill_accountant",
        },
        {
            trigger: ".modal button[name=run_check]",
            run: "click",
        },
        {
            content: "A window shows it for a while",
            trigger: ".modal:has(.o_refill_card_code:contains('QUICK-')) .o_clipboard_button",
        },
        {
            trigger: ".modal:contains('closes by itself') footer button:contains('Close')",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=event_ids] .o_data_row:first:contains('Code shown')",
        },
    ],
});
