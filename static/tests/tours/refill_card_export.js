import { rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { openMenu } from "./refill_card_menu";

registry.category("web_tour.tours").add("refill_card_export", {
    url: "/odoo/refill-card-series",
    steps: () => [
        {
            content: "Export a series",
            trigger: ".o_data_row:first button[name=action_export]",
            run: "click",
        },
        {
            content: "The own password is asked for",
            trigger: ".modal .o_field_widget[name=password] input",
            run: "edit admin",
        },
        {
            trigger: ".modal button[name=run_check]",
            run: "click",
        },
        {
            content: "Nonsense first",
            trigger: ".modal .o_field_widget[name=first] input",
            run: "edit nonsense && press Tab",
        },
        {
            content: "It is refused with a sentence",
            trigger:
                ".o_notification:contains('No card has the serial number') .o_notification_close",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=first] input",
            run: "clear && press Tab",
        },
        {
            content: "How many cards, and what they are worth",
            trigger:
                ".modal:has(.o_field_widget[name=card_count]:contains('30')) .o_field_widget[name=total]:contains('750.00')",
        },
        {
            trigger: ".modal .o_field_widget[name=file_format] label:contains('PDF')",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=layout_id] input",
        },
        {
            trigger: ".modal button[name=action_export]",
            run: "click",
        },
        {
            content: "A long export is made in the background",
            trigger:
                ".modal:has(.alert:contains('in the background')) .o_progressbar:contains('0')",
        },
        {
            content: "The background job runs",
            trigger: ".modal:not(:has(button[name=action_download]:visible))",
            async run() {
                const [id] = await rpc("/web/dataset/call_kw/ir.cron/search", {
                    model: "ir.cron",
                    method: "search",
                    args: [[["cron_name", "like", "make large exports"]]],
                    kwargs: {},
                });
                await rpc("/web/dataset/call_kw/ir.cron/method_direct_trigger", {
                    model: "ir.cron",
                    method: "method_direct_trigger",
                    args: [[id]],
                    kwargs: {},
                });
            },
        },
        {
            content: "The window shows the progress and the button without being reloaded",
            trigger: ".modal:has(.o_progressbar:contains('100')) button[name=action_download]",
        },
        {
            content: "A notification says so, wherever one is in Odoo, with the button",
            trigger: ".o_notification:contains('is ready') button:contains('Download')",
        },
        {
            trigger: ".modal footer button:contains('Close')",
            run: "click",
        },
        // Print from the Print menu, of another list: this one is still being reloaded.
        ...openMenu(""),
        {
            trigger: ".o_data_row:contains('-000001') .o_list_record_selector input",
            run: "click",
        },
        {
            trigger: ".o_control_panel button:contains('Print')",
            run: "click",
        },
        {
            trigger: ".o-dropdown--menu .o_menu_item:contains('Refill Cards')",
            run: "click",
        },
        {
            content: "The window opens for a PDF, without asking for the password again",
            trigger: ".modal .o_field_widget[name=layout_id] input",
        },
    ],
});
