import { Component } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { _t } from "@web/core/l10n/translation";
import { formatInteger } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const STATES = [
    { name: "used", label: _t("Used"), color: "info" },
    { name: "active", label: _t("Active"), color: "success" },
    { name: "inactive", label: _t("Inactive"), color: "secondary" },
    { name: "expired", label: _t("Expired"), color: "warning" },
    { name: "disabled", label: _t("Disabled"), color: "danger" },
];

/** A bar of the states of a series' cards; in lists below their number. */
export class RefillCardStates extends Component {
    static template = "refill_cards.RefillCardStates";
    static props = { ...standardFieldProps, hasNumber: Boolean };

    get total() {
        return this.props.record.data[this.props.name];
    }

    get formattedTotal() {
        return formatInteger(this.total);
    }

    /** The states that any card is in, each with its part of the bar. */
    get states() {
        const { data } = this.props.record;
        return STATES.map((state) => ({ ...state, count: data[`${state.name}_count`] })).filter(
            ({ count }) => count,
        );
    }

    /** What the bar shows, in words and numbers. */
    get summary() {
        return this.states
            .map(({ label, count }) => {
                const share = formatInteger(Math.round((100 * count) / this.total));
                return _t("%(status)s: %(number)s (%(share)s %)", {
                    status: label,
                    number: formatInteger(count),
                    share,
                });
            })
            .join("\n");
    }
}

registry.category("fields").add("refill_card_states", {
    component: RefillCardStates,
    supportedTypes: ["integer"],
    extractProps: ({ viewType }) => ({ hasNumber: viewType === "list" }),
    fieldDependencies: STATES.map(({ name }) => ({
        name: `${name}_count`,
        type: "integer",
        readonly: true,
    })),
});
