import { registry } from "@web/core/registry";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";

/**
 * What is behind the window is fresh once it closes after a refusal, too.
 *
 * The reload closes the window, as it does after a redemption: one that begins when the window is
 * gone would close what was opened since.
 */
export class RefillCardRedeemController extends FormController {
    setup() {
        super.setup();
        this.isTried = false;
        if (this.env.inDialog) {
            this.env.dialogData.dismiss = () => this.isStaleBehind && this.closeAndReload();
        }
    }

    /** Whether Redeem was pressed in vain, or the window said before that the card is refused. */
    get isStaleBehind() {
        return this.env.inDialog && (this.isTried || Boolean(this.model.root.data.refusal));
    }

    async closeAndReload() {
        try {
            this.reloading ??= this.actionService.doAction("soft_reload");
            await this.reloading;
        } finally {
            // Not by Odoo's own closing, which would close what was opened meanwhile.
            this.env.dialogData.close();
        }
    }

    async beforeExecuteActionButton(clickParams) {
        if (clickParams.special !== "cancel") {
            this.isTried = true;
        } else if (this.isStaleBehind) {
            await this.closeAndReload();
            return false;
        }
        return super.beforeExecuteActionButton(clickParams);
    }
}

registry.category("views").add("refill_card_redeem", {
    ...formView,
    Controller: RefillCardRedeemController,
});
