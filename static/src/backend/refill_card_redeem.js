import { onWillUnmount, useSubEnv } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";

/** What is behind the window is fresh once it closes after a refusal, too. */
export class RefillCardRedeemController extends FormController {
    setup() {
        super.setup();
        const action = useService("action");
        const { onClickViewButton } = this.env;
        let isRefused = false;
        useSubEnv({
            onClickViewButton: async (params) => {
                try {
                    await onClickViewButton(params);
                } catch (error) {
                    isRefused = true;
                    throw error;
                }
            },
        });
        onWillUnmount(() => {
            if (isRefused || this.model.root.data.refusal) {
                action.doAction("soft_reload");
            }
        });
    }
}

registry.category("views").add("refill_card_redeem", {
    ...formView,
    Controller: RefillCardRedeemController,
});
