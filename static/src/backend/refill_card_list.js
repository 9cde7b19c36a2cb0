import { useSubEnv } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { registry } from "@web/core/registry";
import { ListController } from "@web/views/list/list_controller";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";
import { useProgress } from "./refill_card_progress";

// The smallest usual laptop, on which the buttons of a row fit beside its columns.
const WIDE = 1366;
// More of them would not be read.
const MAX_QUESTIONS = 10;

/** Let a button that deletes ask with the record's own question. */
function askOwnQuestion(params) {
    const { evalContext } = params.getResParams();
    if (params.clickParams.name !== "action_delete" || !evalContext?.deletion_question) {
        return params;
    }
    const clickParams = { ...params.clickParams, confirm: evalContext.deletion_question };
    return { ...params, clickParams };
}

/** Says which cards are deleted, how many and what they are worth, before they are. */
export class RefillCardListController extends ListController {
    setup() {
        super.setup();
        const { onClickViewButton } = this.env;
        useSubEnv({ onClickViewButton: (params) => onClickViewButton(askOwnQuestion(params)) });
        useProgress((model, id) => this.reload(model, id));
    }

    /** Show the cards of the list's own series as they are generated. */
    async reload(model, id) {
        const { root } = this.model;
        const isOwn =
            model === "refill.card.series" && id === this.props.context.generating_series_id;
        if (isOwn && !root.selection.length && !root.editedRecord) {
            await root.load();
        }
    }

    get deleteConfirmationDialogProps() {
        const { isDomainSelected, selection } = this.model.root;
        if (isDomainSelected || selection.length > MAX_QUESTIONS) {
            return super.deleteConfirmationDialogProps;
        }
        return { body: selection.map(({ data }) => data.deletion_question).join("\n") };
    }
}

/**
 * On narrow screens the buttons of a row are in its menu, and columns with the option `wide` are
 * left to be chosen.
 */
export class RefillCardListRenderer extends ListRenderer {
    get isWide() {
        return browser.innerWidth >= WIDE;
    }

    computeOptionalActiveFields() {
        const active = super.computeOptionalActiveFields();
        if (!this.isWide && !browser.localStorage.getItem(this.keyOptionalFields)) {
            for (const { name, options } of this.allColumns) {
                if (options?.wide) {
                    active[name] = false;
                }
            }
        }
        return active;
    }

    getActiveColumns() {
        const columns = super.getActiveColumns();
        if (this.isWide) {
            return columns.filter(({ name }) => name !== "refill_card_row_menu");
        }
        return columns.map((column) =>
            column.type === "button_group" ? this.hideButtons(column) : column,
        );
    }

    hideButtons(column) {
        const buttons = column.buttons.map((button) => ({
            ...button,
            className: `${button.className || ""} d-none`,
        }));
        return { ...column, buttons, attrs: { width: "1px" } };
    }
}

registry.category("views").add("refill_card_list", {
    ...listView,
    Controller: RefillCardListController,
    Renderer: RefillCardListRenderer,
});
