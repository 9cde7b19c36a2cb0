import { registry } from "@web/core/registry";
import { openMenu } from "./refill_card_menu";

const DISCARD = { trigger: ".modal footer button[special=cancel]", run: "click" };
const CLOSED = { trigger: "body:not(:has(.modal))" };

/** The list and the buttons of its rows are on the screen without scrolling. */
function fits(button) {
    return {
        content: "The list fits the screen",
        trigger: `.o_list_view .o_data_row ${button}`,
        run() {
            const { scrollWidth, clientWidth } = document.querySelector(".o_list_renderer");
            const { right } = this.anchor.getBoundingClientRect();
            if (scrollWidth > clientWidth || right > window.innerWidth) {
                throw new Error(`The list is wider than the screen: ${scrollWidth}, ${right}`);
            }
        },
    };
}

/** The window that is open has this name, and no empty field in red. */
function named(title, ...others) {
    return [
        {
            content: `The window is called ${title}`,
            trigger: `.modal:has(.modal-title:contains(/^${title}$/)):not(:has(.o_field_invalid)) footer button[special=cancel]`,
        },
        ...others,
        DISCARD,
        CLOSED,
    ];
}

function group(name, header) {
    return [
        {
            trigger: ".o_searchview_dropdown_toggler",
            run: "click",
        },
        {
            trigger: `.o_group_by_menu .o_menu_item:contains(/^${name}$/)`,
            run: "click",
        },
        {
            content: `Grouped by ${name}`,
            trigger: `.o_group_header:contains('${header}')`,
        },
        {
            trigger: ".o_facet_remove",
            run: "click",
        },
        {
            trigger: ".o_list_view:not(:has(.o_group_header)) .o_data_row",
        },
    ];
}

function seriesSteps() {
    return [
        ...["open_cards", "edit", "print", "export"].map((name) =>
            fits(`button[name=action_${name}]`),
        ),
        {
            content: "A bar shows the states, and tells them",
            trigger:
                ".o_data_row [role=img][aria-label*='Used: 1 (33 %)'][aria-label*='Active: 2']",
        },
        ...group("Status", "Ready"),
        ...group("Layout", "(1)"),
        ...group("Prefix", "QUICK"),
        {
            trigger: ".o_switch_view.o_pivot",
            run: "click",
        },
        {
            content: "The pivot counts the cards",
            trigger: ".o_pivot_view .o_pivot_cell_value:contains('3')",
        },
        {
            trigger: ".o_switch_view.o_list",
            run: "click",
        },
        {
            trigger: ".o_data_row:first button[name=action_print]",
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
        ...named("Print", {
            content: "It prints, and nothing else",
            trigger:
                ".modal:not(:has(.o_field_widget[name=file_format])) footer:not(:contains('Export')) button[name=action_export]:contains('Print')",
        }),
        {
            trigger: ".o_data_row:first button[name=action_export]",
            run: "click",
        },
        ...named("Export", {
            trigger:
                ".modal:has(.o_field_widget[name=file_format]) footer:not(:contains('Print')) button[name=action_export]:contains('Export')",
        }),
        {
            trigger: ".o_data_row:first button[name=action_edit]",
            run: "click",
        },
        {
            content: "Companies that are not ticked in the switcher are shown",
            trigger: ".o_field_widget[name=shown_company_ids] .o_tag:contains('Daughter')",
        },
        {
            trigger: "button[name=action_change]:contains('Cancel the Rest')",
            run: "click",
        },
        ...named("Cancel the Rest", {
            content: "It offers no other operation",
            trigger: ".modal:not(:has(.o_field_widget[name=operation]))",
        }),
        {
            trigger: "button[name=action_change]:contains('Change Cards')",
            run: "click",
        },
        ...named("Change Cards", {
            trigger: ".modal .o_radio_input[data-value=companies]",
        }),
    ];
}

function cardSteps() {
    return [
        ...openMenu(""),
        fits("button[name=action_redeem]"),
        {
            content: "The card that was redeemed",
            trigger: ".o_data_row:contains('Used') .o_data_cell[name=name]",
            run: "click",
        },
        {
            trigger: "button[name=action_undo]",
            run: "click",
        },
        ...named("Undo Redemption"),
        {
            trigger: "button[name=action_open_payment]",
            run: "click",
        },
        {
            content: "The payment leads back to the card",
            trigger: ".o_form_view button[name=action_open_refill_card]",
            run: "click",
        },
        {
            trigger: ".o_form_view .o_field_widget[name=event_ids]",
        },
        ...openMenu(""),
        {
            trigger: ".o_data_row:contains('Active') .o_data_cell[name=name]",
            run: "click",
        },
        {
            trigger: "button[name=action_change]:contains('Disable')",
            run: "click",
        },
        ...named(
            "Disable",
            {
                content: "What is missing is said after an attempt",
                trigger: ".modal button[name=action_confirm]",
                run: "click",
            },
            {
                trigger: ".modal:contains('Choose why') .modal-footer button:contains('Close')",
                run: "click",
            },
        ),
        {
            trigger: "button[name=action_send]",
            run: "click",
        },
        ...named("Send by E-mail"),
    ];
}

function menuSteps() {
    return [
        ...openMenu("_redeem"),
        ...named("Redeem"),
        ...openMenu("_change"),
        ...named("Change Cards"),
        ...openMenu("_find"),
        ...named("Find a Damaged Card"),
        ...openMenu("_generate"),
        {
            trigger: ".modal .o_field_widget[name=activation_required] input",
            run: "click",
        },
        {
            trigger: ".modal .o_field_widget[name=validity_days] input",
            run: "edit 1 && press Tab",
        },
        {
            content: "The last day is named before",
            trigger:
                ".modal :contains('If activated today') > .o_field_widget[name=last_day]:not(:empty)",
        },
        ...named("Generate"),
        {
            trigger: "button[data-menu-xmlid='refill_cards.menu_refill_cards']",
            run: "click",
        },
        {
            content: "The menu has groups",
            trigger: ".o-dropdown--menu:has(.dropdown-header:contains('Configuration'))",
            run() {
                const headerEls = this.anchor.querySelectorAll(".dropdown-header");
                const groups = Array.from(headerEls, (el) => el.textContent).join();
                if (groups !== "Selling,Printing,Protection,Integration,Reporting,Configuration") {
                    throw new Error(`The menu has other groups: ${groups}`);
                }
            },
        },
        {
            trigger: "a[data-menu-xmlid='refill_cards.menu_refill_card_settings']",
            run: "click",
        },
        {
            content: "The settings are reached",
            trigger: ".o_setting_container .o_setting_box#refill_card_portal",
        },
    ];
}

/** A card of three is used. */
registry.category("web_tour.tours").add("refill_card_screens_accountant", {
    url: "/odoo/refill-card-series",
    steps: () => [...seriesSteps(), ...cardSteps(), ...menuSteps()],
});

registry.category("web_tour.tours").add("refill_card_screens_tablet", {
    url: "/odoo/refill-card-series",
    steps: () => [
        fits("button[aria-label=Actions]"),
        {
            content: "The actions are in the row's menu",
            trigger: ".o_data_row:first button[aria-label=Actions]",
            run: "click",
        },
        ...["View the cards", "Edit", "Print", "Export"].map((name) => ({
            trigger: `.o-dropdown--menu .dropdown-item:contains(/^\\s*${name}\\s*$/)`,
        })),
        {
            trigger: ".o-dropdown--menu .dropdown-item:contains('View the cards')",
            run: "click",
        },
        {
            trigger: ".o_breadcrumb:contains('Cards of')",
        },
        fits("button[aria-label=Actions]"),
    ],
});

registry.category("web_tour.tours").add("refill_card_screens_phone", {
    url: "/odoo/refill-cards",
    steps: () => [
        {
            content: "A card on the phone has its status",
            trigger: ".o_kanban_view .o_kanban_record:contains('Used'):contains('refill_customer')",
        },
        {
            trigger: ".o_kanban_record:contains('Active') button[name=action_redeem]",
            run: "click",
        },
        {
            content: "The window fills the screen, and nothing is wider",
            trigger: ".modal:not(:has(.o_field_invalid)) button[name=action_redeem]",
            run() {
                if (document.documentElement.scrollWidth > window.innerWidth) {
                    throw new Error("The screen is wider than the phone.");
                }
            },
        },
        DISCARD,
        CLOSED,
    ],
});
