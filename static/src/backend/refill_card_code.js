import { Component, onWillUnmount, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { CopyButton } from "@web/core/copy_button/copy_button";
import { Dialog } from "@web/core/dialog/dialog";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

const SECONDS = 60;

/** A card's code, or a secret, in a window that closes by itself; no table holds it. */
export class RefillCardCode extends Component {
    static template = "refill_cards.RefillCardCode";
    static components = { CopyButton, Dialog };
    static props = {
        serial: { type: String, optional: true },
        title: { type: String, optional: true },
        code: String,
        close: Function,
    };

    setup() {
        this.title = this.props.title || _t("Code of %s", this.props.serial);
        this.copied = _t("Copied");
        this.state = useState({ left: SECONDS });
        const end = Date.now() + SECONDS * 1000;
        // By the clock, because a tab in the background counts late.
        const tick = () => {
            this.state.left = Math.ceil((end - Date.now()) / 1000);
            if (this.state.left <= 0) {
                this.props.close();
            }
        };
        const timer = browser.setInterval(tick, 1000);
        onWillUnmount(() => browser.clearInterval(timer));
    }

    /** The groups of the code, each with its dash, so that lines break between them only. */
    get groups() {
        return this.props.code.match(/[^-]+-?/g);
    }
}

function showCode(env, { params }) {
    // The form behind the window then shows in its history who looked.
    const onClose = () => env.services.action.doAction("soft_reload");
    const { serial, title, code } = params;
    env.services.dialog.add(RefillCardCode, { serial, title, code }, { onClose });
}

registry.category("actions").add("refill_card_code", showCode);
