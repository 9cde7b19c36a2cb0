import { registry } from "@web/core/registry";
import { openApp, openMenu } from "./refill_card_menu";

const REDEEM_BUTTON = ".o_data_row:first button[name=action_redeem]";

registry.category("web_tour.tours").add("refill_card_accountant", {
    url: "/odoo",
    steps: () => [
        ...openApp(),
        ...openMenu("_generate"),
        {
            content: "Nonsense first",
            trigger: ".modal .o_field_widget[name=quantity] input",
            run: "edit 0",
        },
        {
            trigger: ".modal button[name=action_generate]",
            run: "click",
        },
        {
            content: "It is refused with a sentence",
            trigger: ".modal:contains('between 1 and 1,000,000 cards') button:contains('Close')",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=quantity] input",
            run: "edit 5",
        },
        {
            trigger: ".modal .o_field_widget[name=prefix] input",
            run: "edit tour",
        },
        {
            trigger: ".modal .o_field_widget[name=price] input",
            run: "edit 40",
        },
        {
            content: "The risk of guessing is shown",
            trigger: ".modal .o_field_widget[name=guessing_probability]:contains('1 in')",
        },
        {
            trigger: ".modal button[name=action_generate]",
            run: "click",
        },
        {
            content: "The table of the new cards opens, with masked codes",
            trigger: ".o_data_row:eq(4) .o_data_cell[name=code]:contains('TOUR-••••-••••-•')",
        },
        {
            content: "Redeem the first",
            trigger: REDEEM_BUTTON,
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=partner_id] input",
            run: "edit refill_customer",
        },
        {
            trigger: ".o-autocomplete--dropdown-item:contains('refill_customer')",
            run: "click",
        },
        {
            content: "What will happen is said before",
            trigger: ".modal .o_field_widget[name=new_balance]:contains('30.00')",
        },
        {
            trigger: ".modal .o_field_widget[name=invoices]:contains('10.00')",
        },
        {
            trigger: ".modal button[name=action_redeem]",
            run: "click",
        },
        {
            content: "The card is used, by the customer",
            trigger: ".o_data_row:first:contains('Used'):contains('refill_customer')",
        },
        {
            content: "It cannot be redeemed again",
            trigger: `body:not(:has(${REDEEM_BUTTON}))`,
        },
        {
            content: "Open it",
            trigger: ".o_data_row:first .o_data_cell[name=name]",
            run: "click",
        },
        {
            content: "The history says who and when",
            trigger: ".o_field_widget[name=event_ids] .o_data_row:contains('Redeemed')",
        },
        {
            content: "Open the payment",
            trigger: "button[name=action_open_payment]",
            run: "click",
        },
        {
            trigger: ".o_form_view:has(.o_field_widget[name=payment_method_line_id])",
        },
        {
            content: "It is paid",
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Paid')",
        },
        ...openMenu("_series"),
        {
            content: "One card is used, four are active",
            trigger:
                ".o_data_row:first:has(.o_data_cell[name=used_count]:contains('1')) .o_data_cell[name=active_count]:contains('4')",
        },
        {
            content: "It can be viewed, edited and exported, not deleted",
            trigger:
                ".o_data_row:first:not(:has(button[name=action_delete])) button[name=action_export]",
        },
        {
            trigger: ".o_data_row:first button[name=action_edit]",
            run: "click",
        },
        {
            content: "The face value is frozen",
            trigger: ".o_form_view .o_field_widget.o_readonly_modifier[name=price]",
        },
    ],
});
