import { browser } from "@web/core/browser/browser";
import { isBarcodeScannerSupported } from "@web/core/barcode/barcode_video_scanner";
import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";
import { scanBarcode } from "@web/core/barcode/barcode_dialog";

/** Sends a form once only, and puts what the camera scans into its field. */
export class RefillCardOnce extends Interaction {
    static selector = ".o_refill_card_once";
    dynamicContent = {
        _root: { "t-on-submit": () => (this.isSent = true) },
        _window: { "t-on-pageshow": this.onPageshow },
        ".o_refill_card_scan": {
            "t-att-class": () => ({ "d-none": !isBarcodeScannerSupported() }),
            "t-on-click": this.scan,
        },
        "button[type='submit']": { "t-att-disabled": () => this.isSent },
    };

    setup() {
        this.isSent = false;
    }

    /** The Back button brings the page as it was left. */
    onPageshow() {
        if (this.isSent) {
            browser.location.reload();
        }
    }

    async scan() {
        const inputEl = this.el.querySelector("input[type='text']");
        inputEl.value = await this.waitFor(scanBarcode(this.env));
        inputEl.focus();
    }
}

/** Prints the page. */
export class RefillCardPrint extends Interaction {
    static selector = ".o_refill_card_print";
    dynamicContent = {
        _root: {
            "t-att-class": () => ({ "d-none": false }),
            "t-on-click": () => window.print(),
        },
    };
}

registry.category("public.interactions").add("refill_cards.refill_card_once", RefillCardOnce);
registry.category("public.interactions").add("refill_cards.refill_card_print", RefillCardPrint);
