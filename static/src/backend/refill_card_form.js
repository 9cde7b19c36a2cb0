import { registry } from "@web/core/registry";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";

/** Says which cards are deleted, how many and what they are worth, before they are. */
export class RefillCardFormController extends FormController {
    get deleteConfirmationDialogProps() {
        const body = this.model.root.data.deletion_question;
        return { ...super.deleteConfirmationDialogProps, body };
    }
}

registry.category("views").add("refill_card_form", {
    ...formView,
    Controller: RefillCardFormController,
});
