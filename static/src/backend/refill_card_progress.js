import { onWillUnmount } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import {
    ProgressBarField,
    progressBarField,
} from "@web/views/fields/progress_bar/progress_bar_field";

/**
 * Hear from the server how far it is with what the user asked for.
 *
 * @param {(model: string, id: number) => void} onProgress
 */
export function useProgress(onProgress) {
    const bus = useService("bus_service");
    const listener = ({ model, id }) => onProgress(model, id);
    bus.subscribe("refill_cards/progress", listener);
    onWillUnmount(() => bus.unsubscribe("refill_cards/progress", listener));
}

/** The progress of an export or a series, as the server makes the file or the cards. */
export class RefillCardProgress extends ProgressBarField {
    setup() {
        super.setup();
        useProgress((model, id) => {
            const { record } = this.props;
            if (model === record.resModel && id === record.resId && !record.dirty) {
                record.load();
            }
        });
    }
}

registry.category("fields").add("refill_card_progress", {
    ...progressBarField,
    component: RefillCardProgress,
});
