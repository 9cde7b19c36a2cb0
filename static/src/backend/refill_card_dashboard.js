/* global Chart */

import { Component, onWillStart, useEffect, useRef, useState } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { getColor } from "@web/core/colors/colors";
import { formatDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { formatInteger } from "@web/views/fields/formatters";
import { Layout } from "@web/search/layout";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

const { DateTime } = luxon;

const MODEL = "refill.card.dashboard";
const ICONS = {
    active: "fa-ticket",
    used: "fa-check-circle",
    expiring: "fa-hourglass-half",
    owed: "fa-balance-scale",
    to_settle: "fa-handshake-o",
    low_stock: "fa-battery-quarter",
    refused: "fa-ban",
    exports: "fa-download",
};

/** How many cards were redeemed on each of the last days, as bars, and as a table. */
export class RefillCardDays extends Component {
    static template = "refill_cards.RefillCardDays";
    static props = { days: Array, open: Function };

    setup() {
        this.rootRef = useRef("root");
        this.canvasRef = useRef("canvas");
        onWillStart(() => loadBundle("web.chartjs_lib"));
        useEffect(
            () => {
                const chart = new Chart(this.canvasRef.el, this.config);
                return () => chart.destroy();
            },
            () => [this.props.days],
        );
    }

    get rows() {
        return this.props.days.map((each) => ({
            ...each,
            title: formatDate(DateTime.fromISO(each.day)),
            number: formatInteger(each.count),
            worth: each.amounts.join(", "),
        }));
    }

    get summary() {
        const total = this.props.days.reduce((sum, { count }) => sum + count, 0);
        return _t("Bars of the cards redeemed on each of %(days)s days, in all %(total)s", {
            days: this.props.days.length,
            total: formatInteger(total),
        });
    }

    get config() {
        const { rows } = this;
        // Those of the page, light or dark.
        const { color, borderColor } = getComputedStyle(this.rootRef.el);
        const open = ([element]) => element && this.props.open(rows[element.index]);
        return {
            type: "bar",
            data: {
                labels: rows.map(({ day }) =>
                    DateTime.fromISO(day).toLocaleString({ day: "numeric", month: "short" }),
                ),
                datasets: [
                    {
                        data: rows.map(({ count }) => count),
                        backgroundColor: getColor(0, null, "sm"),
                        borderRadius: 3,
                    },
                ],
            },
            options: {
                maintainAspectRatio: false,
                animation: false,
                onClick: (ev, elements) => open(elements),
                onHover: ({ native }, elements) => {
                    native.target.style.cursor = elements.length ? "pointer" : "";
                },
                interaction: { mode: "index", intersect: false },
                plugins: {
                    legend: { display: false },
                    tooltip: {
                        displayColors: false,
                        callbacks: {
                            title: ([{ dataIndex }]) => rows[dataIndex].title,
                            label: ({ dataIndex }) => [
                                _t("Cards: %s", rows[dataIndex].number),
                                ...rows[dataIndex].amounts,
                            ],
                        },
                    },
                },
                scales: {
                    x: {
                        grid: { display: false },
                        ticks: { color, maxRotation: 0, autoSkipPadding: 12 },
                    },
                    y: {
                        beginAtZero: true,
                        suggestedMax: 4,
                        grid: { color: borderColor },
                        border: { display: false },
                        ticks: {
                            color,
                            precision: 0,
                            callback: (value) => formatInteger(value),
                        },
                    },
                },
            },
        };
    }
}

/** What the menu opens with: tiles that open the list of what they count, and the last days. */
export class RefillCardDashboard extends Component {
    static template = "refill_cards.RefillCardDashboard";
    static components = { Layout, RefillCardDays };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.state = useState({ status: "loading", figures: null });
        this.icons = ICONS;
        this.display = { controlPanel: {} };
        this.load();
    }

    async load() {
        this.state.status = "loading";
        try {
            const figures = await this.orm.silent.call(MODEL, "get_figures");
            Object.assign(this.state, { figures, status: figures.is_any ? "ready" : "empty" });
        } catch {
            this.state.status = "error";
            return;
        }
        this.state.figures.tiles.filter(({ later }) => later).forEach(this.complete.bind(this));
    }

    /** Ask for what takes longer, while the other figures are on the screen. */
    async complete(tile) {
        try {
            tile.amounts = await this.orm.silent.call(MODEL, tile.later);
        } catch {
            tile.note = _t("The amount could not be read.");
        }
        tile.later = false;
    }

    open(action) {
        return this.action.doAction(action);
    }

    openDay({ domain, title }) {
        const { days_action } = this.state.figures;
        const name = `${days_action.name}: ${title}`;
        return this.open({ ...days_action, domain, name, display_name: name });
    }

    generate() {
        return this.open("refill_cards.refill_card_generate_action");
    }
}

registry.category("actions").add("refill_card_dashboard", RefillCardDashboard);
