import { registry } from "@web/core/registry";
import { checkAccessibility } from "./refill_card_accessibility";
import { openApp, openMenu } from "./refill_card_menu";

registry.category("web_tour.tours").add("refill_card_replace", {
    url: "/odoo",
    steps: () => [
        ...openApp(),
        ...openMenu(""),
        {
            trigger: ".o_data_row:contains('TOUR-000001') .o_data_cell[name=name]",
            run: "click",
        },
        {
            content: "A customer brings a damaged card",
            trigger: ".o_form_view button[name=action_replace]",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=selected]:contains('TOUR-000001')",
        },
        {
            trigger: ".modal .o_field_widget[name=total]:contains('25.00')",
        },
        {
            trigger: ".modal .o_field_widget[name=reason] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains('Damaged')",
            run: "click",
        },
        {
            trigger: ".modal .o_radio_input[data-value=show]",
            run: "click",
        },
        {
            trigger: ".modal footer button[name=action_confirm]",
            run: "click",
        },
        {
            content: "The new card says which one it replaces",
            trigger: ".o_form_view .o_field_widget[name=replaces_id]:contains('TOUR-000001')",
        },
        {
            trigger: ".o_form_view .o_field_widget[name=name]:contains('TOUR-000003')",
        },
        {
            trigger: ".o_field_widget[name=event_ids] .o_data_row:contains('Replaces TOUR-000001')",
        },
        {
            content: "The old one names the new one",
            trigger: ".o_field_widget[name=replaces_id] a",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=replaced_by_id]:contains('TOUR-000003')",
        },
        {
            content: "It never works again",
            trigger: ".o_form_view:not(:has(button[name=action_replace]:visible))",
        },
        {
            trigger: ".o_form_view:not(:has(button[name=action_change]:visible))",
        },
        ...openMenu("_replacement_request"),
        {
            content: "A customer asked for another card",
            trigger: ".o_data_row:contains('-000002') .o_data_cell[name=name]",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=found_id]:contains('-000002')",
        },
        {
            content: "There was no receipt",
            trigger: "button[name=action_refuse]",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=answer] textarea",
            run: "edit Please send us the receipt.",
        },
        {
            trigger: ".modal footer button[name=action_refuse]",
            run: "click",
        },
        {
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Refused')",
        },
        {
            trigger: ".o_field_widget[name=answer]:contains('Please send us the receipt.')",
        },
    ],
});

const send = {
    content: "Ask",
    trigger: ".o_refill_card_replacement button[type='submit']:enabled",
    run: "click",
    expectUnloadPage: true,
};

registry.category("web_tour.tours").add("refill_card_replacement", {
    steps: () => [
        {
            content: "The card cannot be read",
            trigger: "a[href='/my/refill/replacement']",
            run: "click",
            expectUnloadPage: true,
        },
        {
            trigger: "h1:contains('Ask for another card')",
        },
        checkAccessibility,
        {
            trigger: "input[name='typed']",
            run: "edit QUICK-7K2?-????-R3TZD",
        },
        {
            trigger: "input[name='bought_at']",
            run: "edit Kiosk",
        },
        {
            content: "By mistake a day to come",
            trigger: "input[name='bought_on']",
            run() {
                this.anchor.value = "2099-01-01";
            },
        },
        send,
        {
            content: "The sentence has the focus",
            trigger: "[role='alert']:focus:contains('on which day')",
        },
        {
            content: "What was typed is still there",
            trigger: "input[name='typed']:value('QUICK-7K2?-????-R3TZD')",
        },
        checkAccessibility,
        {
            trigger: "input[name='bought_on']",
            run() {
                this.anchor.value = "2026-01-31";
            },
        },
        send,
        {
            trigger: "[role='status']:focus:contains('We have your request')",
        },
        {
            trigger: "li:contains('Waiting for our answer')",
        },
        checkAccessibility,
    ],
});
