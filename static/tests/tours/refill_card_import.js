import { registry } from "@web/core/registry";
import { openApp, openMenu } from "./refill_card_menu";

const TABLE = [
    "Serie,Code,Price,Valid till,Status",
    "202201,aB3xK9mQ2zL7wR5t,25.00,2066-12-31,Active",
    "202201,bC4yL8nR3aM6xS9u,25.00,2066-12-31,Active",
    "202201,cD5zM7pS4bN8yT2v,25.00,2066-12-31,Used",
    "202201,?,25.00,2066-12-31,Active",
].join("\n");

registry.category("web_tour.tours").add("refill_card_import", {
    url: "/odoo",
    steps: () => [
        ...openApp(),
        ...openMenu("_import"),
        {
            trigger: ".o_control_panel button:contains('Import')",
            run: "click",
        },
        {
            content: "Another system made the cards",
            trigger: ".modal .o_field_widget[name=preset] input",
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains('Splynx')",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=file] input[type=file]:not(:visible)",
            run() {
                const files = new DataTransfer();
                files.items.add(new File([TABLE], "vouchers.csv", { type: "text/csv" }));
                this.anchor.files = files.files;
                this.anchor.dispatchEvent(new Event("change", { bubbles: true }));
            },
        },
        {
            trigger: ".modal .o_field_widget[name=file] input:value('vouchers.csv')",
        },
        {
            trigger: ".modal footer button[name=action_open]",
            run: "click",
        },
        {
            content: "Its columns are known",
            trigger: ".o_form_view .o_field_widget[name=column_ids] .o_data_row:contains('Serie')",
        },
        {
            trigger: ".o_form_view button[name=action_check]",
            run: "click",
        },
        {
            content: "What it holds, before anything is imported",
            trigger: ".o_field_widget[name=total_ids] .o_data_row:contains('50.00')",
        },
        {
            trigger: ".o_field_widget[name=problem_count]:contains('1')",
        },
        {
            trigger: ".o_form_view button[name=action_confirm]",
            run: "click",
        },
        {
            trigger: ".o_statusbar_status button.o_arrow_button_current:contains('Imported')",
        },
        {
            content: "See the cards",
            trigger: "button[name=action_open_series]",
            run: "click",
        },
        {
            trigger: ".o_list_view .o_data_row:contains('25.00')",
        },
    ],
});
