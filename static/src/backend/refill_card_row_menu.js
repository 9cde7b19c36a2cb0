import { Component, useRef, useState } from "@odoo/owl";
import { Dropdown } from "@web/core/dropdown/dropdown";
import { DropdownItem } from "@web/core/dropdown/dropdown_item";
import { registry } from "@web/core/registry";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

/** The buttons of a row as a menu, where the screen is too narrow for them. */
export class RefillCardRowMenu extends Component {
    static template = "refill_cards.RefillCardRowMenu";
    static components = { Dropdown, DropdownItem };
    static props = standardWidgetProps;

    setup() {
        this.togglerRef = useRef("toggler");
        this.state = useState({ actions: [] });
    }

    readActions() {
        const buttonEls = this.togglerRef.el
            .closest(".o_data_row")
            .querySelectorAll(".o_list_button button");
        this.state.actions = Array.from(buttonEls, (el) => ({
            name: el.name,
            title: el.ariaLabel || el.dataset.tooltip || el.title,
            icon: el.querySelector("i")?.className,
            run: () => el.click(),
        }));
    }
}

registry.category("view_widgets").add("refill_card_row_menu", {
    component: RefillCardRowMenu,
    listViewWidth: 24,
});
