import { registry } from "@web/core/registry";

const PREVIEW = ".o_form_view .o_field_widget[name=preview] img";
let preview;

registry.category("web_tour.tours").add("refill_card_layout", {
    url: "/odoo/refill-card-layouts",
    steps: () => [
        {
            trigger: ".o_kanban_record:first:has(img)",
            run: "click",
        },
        {
            content: "The card is shown",
            trigger: PREVIEW,
            run() {
                preview = this.anchor.src;
            },
        },
        {
            content: "A text that cannot be printed",
            trigger: ".o_field_widget[name=text] input",
            run: "edit Only {prize} && press Tab",
        },
        {
            content: "The form says why",
            trigger: ".alert:contains('{prize} stands for nothing')",
        },
        {
            trigger: ".o_form_button_save",
            run: "click",
        },
        {
            content: "It is not saved",
            trigger: ".modal:contains('{prize} stands for nothing') button:contains('Close')",
            run: "click",
        },
        {
            trigger: ".o_field_widget[name=text] input",
            run: "edit Only {price} && press Tab",
        },
        {
            content: "The picture follows",
            trigger: PREVIEW,
            async run() {
                const deadline = Date.now() + 5000;
                while (document.querySelector(PREVIEW)?.src === preview) {
                    if (Date.now() > deadline) {
                        throw new Error("The preview did not change.");
                    }
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
            },
        },
        {
            trigger: ".o_form_button_save",
            run: "click",
        },
        {
            trigger: ".o_form_saved",
        },
    ],
});
