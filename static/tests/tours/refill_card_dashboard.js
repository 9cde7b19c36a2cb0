import { registry } from "@web/core/registry";
import { checkAccessibilityOf } from "./refill_card_accessibility";
import { openApp, openMenu } from "./refill_card_menu";

const tile = (name) => `button.o_refill_card_tile[data-name=${name}]`;

/** Open a list by what shows its figure, see how many it has, and go back. */
function openList(trigger, title, count) {
    return [
        { trigger, run: "click" },
        {
            content: `The list is called ${title}, and has what was counted`,
            trigger: `body:has(.o_breadcrumb:contains('${title}')) .o_list_view .o_data_row`,
            run() {
                const rows = document.querySelectorAll(".o_list_view .o_data_row");
                if (rows.length !== count) {
                    throw new Error(`The list has ${rows.length} rows instead of ${count}.`);
                }
            },
        },
        {
            trigger: ".o_breadcrumb .o_back_button a, .o_breadcrumb .breadcrumb-item a",
            run: "click",
        },
        { trigger: ".o_refill_card_dashboard" },
    ];
}

/** Of four cards at 25.00 one is used today, and one that was sold is owed. */
registry.category("web_tour.tours").add("refill_card_dashboard", {
    url: "/odoo",
    steps: () => [
        ...openApp(),
        ...openMenu("_dashboard"),
        {
            trigger: `${tile("active")}:contains('Active'):contains('3'):contains('75.00')`,
        },
        {
            content: "The balance of the liability comes after the others",
            trigger: `${tile("owed")}:contains('50.00'):not(:has([aria-busy]))`,
        },
        {
            trigger: ".o_refill_card_chart canvas[role=img][aria-label*='in all 1']",
        },
        {
            trigger: ".o_refill_card_dashboard details summary",
            run: "click",
        },
        checkAccessibilityOf(".o_refill_card_dashboard"),
        ...openList(tile("active"), "Active cards", 3),
        ...openList(tile("used"), "Used this month", 1),
        {
            trigger: ".o_refill_card_dashboard details summary",
            run: "click",
        },
        ...openList(
            ".o_refill_card_dashboard details tr:has(td:contains(/^1$/)) button",
            "Redeemed: ",
            1,
        ),
        {
            trigger: tile("to_settle"),
            run: "click",
        },
        {
            content: "The window that settles opens",
            trigger: ".modal .o_field_widget[name=partner_ids]",
        },
        {
            trigger: ".modal footer button[special=cancel]",
            run: "click",
        },
        { trigger: "body:not(:has(.modal)) .o_refill_card_dashboard" },
    ],
});

registry.category("web_tour.tours").add("refill_card_dashboard_phone", {
    url: "/odoo/refill-card-overview",
    steps: () => [{ trigger: tile("exports") }, checkAccessibilityOf(".o_refill_card_dashboard")],
});

/** The server answers after a failure only, and there is no series yet. */
registry.category("web_tour.tours").add("refill_card_dashboard_failure", {
    url: "/odoo/refill-card-overview",
    steps: () => [
        {
            content: "What failed is said",
            trigger: ".o_refill_card_dashboard [role=alert]:contains('could not be read')",
        },
        checkAccessibilityOf(".o_refill_card_dashboard"),
        {
            trigger: ".o_refill_card_dashboard [role=alert] button",
            run: "click",
        },
        {
            content: "Who has no cards yet is told how to begin",
            trigger: ".o_refill_card_nothing:contains('No refill cards here yet')",
        },
        checkAccessibilityOf(".o_refill_card_dashboard"),
        {
            trigger: ".o_refill_card_nothing button",
            run: "click",
        },
        {
            trigger: ".modal button[name=action_generate]",
        },
        {
            trigger: ".modal footer button[special=cancel]",
            run: "click",
        },
        { trigger: "body:not(:has(.modal))" },
    ],
});
