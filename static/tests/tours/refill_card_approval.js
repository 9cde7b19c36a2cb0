import { registry } from "@web/core/registry";
import { openMenu } from "./refill_card_menu";

registry.category("web_tour.tours").add("refill_card_approval_ask", {
    url: "/odoo/refill-card-series",
    steps: () => [
        {
            content: "Generate more than one may alone",
            trigger: ".o_control_panel button:contains('Generate'), .o_list_buttons button",
            run: "click",
        },
        {
            content: "A hundred cards of 10",
            trigger: ".modal button[name=action_generate]",
            run: "click",
        },
        {
            content: "Nothing has happened, and another manager was asked",
            trigger: ".o_form_view .alert:contains('Nothing has happened yet')",
        },
        {
            content: "Who asked does not approve it",
            trigger:
                ".o_form_view:not(:has(button[name=action_approve])) button[name=action_withdraw]",
        },
        {
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Waiting')",
        },
    ],
});

registry.category("web_tour.tours").add("refill_card_approval_decide", {
    url: "/odoo/refill-card-series",
    steps: () => [
        ...openMenu("_approval"),
        {
            content: "What waits is in the list",
            trigger: ".o_data_row:contains('Generate 100 cards') .o_data_cell[name=summary]",
            run: "click",
        },
        {
            content: "It says exactly what happens",
            trigger: ".o_field_widget[name=details]:contains('Valid till')",
        },
        {
            trigger: "button[name=action_approve]",
            run: "click",
        },
        {
            content: "The own password is asked for",
            trigger: ".modal .o_field_widget[name=password] input",
            run: "edit refill_second",
        },
        {
            trigger: ".modal button[name=run_check]",
            run: "click",
        },
        {
            content: "It is done, and opens what was made",
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Done')",
        },
        {
            trigger: "button[name=action_open]",
            run: "click",
        },
        {
            trigger: ".o_form_view .o_field_widget[name=name]:contains('-')",
        },
    ],
});
