import { Component, useEffect, useRef, useState } from "@odoo/owl";
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
        this.state = useState({ actions: [], isEmpty: false });
        useEffect(() => {
            this.state.isEmpty = !this.findButtons().length;
        });
    }

    findButtons() {
        const rowEl = this.togglerRef.el.closest(".o_data_row");
        return rowEl.querySelectorAll(".o_list_button button");
    }

    readActions() {
        this.state.actions = Array.from(this.findButtons(), (el) => ({
            name: el.name,
            title: el.ariaLabel || el.dataset.tooltip || el.title || el.textContent.trim(),
            icon: el.querySelector("i")?.className,
            run: () => el.click(),
        }));
    }
}

registry.category("view_widgets").add("refill_card_row_menu", {
    component: RefillCardRowMenu,
    listViewWidth: 24,
});
