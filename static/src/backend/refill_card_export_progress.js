import { onWillUnmount } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import {
    ProgressBarField,
    progressBarField,
} from "@web/views/fields/progress_bar/progress_bar_field";

/** The progress of an export, which the server tells while it makes the file. */
export class RefillCardExportProgress extends ProgressBarField {
    setup() {
        super.setup();
        const bus = useService("bus_service");
        const reload = ({ id }) => {
            if (id === this.props.record.resId) {
                this.props.record.load();
            }
        };
        bus.subscribe("refill_cards/export", reload);
        onWillUnmount(() => bus.unsubscribe("refill_cards/export", reload));
    }
}

registry.category("fields").add("refill_card_export_progress", {
    ...progressBarField,
    component: RefillCardExportProgress,
});
