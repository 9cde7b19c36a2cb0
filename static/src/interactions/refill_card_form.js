import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

/** Keeps a card from being sent twice by pressing the button twice. */
export class RefillCardForm extends Interaction {
    static selector = ".o_refill_card_form";
    dynamicContent = {
        _root: { "t-on-submit": () => (this.isSent = true) },
        // The browser's Back button brings the page as it was left.
        _window: { "t-on-pageshow": () => (this.isSent = false) },
        "button[type='submit']": { "t-att-disabled": () => this.isSent },
    };

    setup() {
        this.isSent = false;
        // A card's QR brings the code in the fragment, which stays out of every server's log.
        const code = decodeURIComponent(window.location.hash.slice(1));
        if (code) {
            this.el.querySelector("input[name='code']").value = code;
            window.history.replaceState(null, "", window.location.pathname);
        }
    }
}

registry.category("public.interactions").add("refill_cards.refill_card_form", RefillCardForm);
