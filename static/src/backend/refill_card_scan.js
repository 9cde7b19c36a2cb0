import { isBarcodeScannerSupported } from "@web/core/barcode/barcode_video_scanner";
import { registry } from "@web/core/registry";
import { scanBarcode } from "@web/core/barcode/barcode_dialog";
import { useEffect } from "@odoo/owl";
import { CharField, charField } from "@web/views/fields/char/char_field";

/** A code or serial number, typed or scanned with the camera or a scanner, which presses Enter. */
export class RefillCardScan extends CharField {
    static template = "refill_cards.RefillCardScan";

    setup() {
        super.setup();
        this.isCameraSupported = isBarcodeScannerSupported();
        // A phone's keyboard would begin with a capital: the case of some codes matters.
        useEffect(
            (inputEl) => inputEl?.setAttribute("autocapitalize", "none"),
            () => [this.input.el],
        );
    }

    async scan() {
        const text = await scanBarcode(this.env);
        await this.props.record.update({ [this.props.name]: text });
        this.goOn();
    }

    onKeydown(ev) {
        if (ev.key === "Enter" && this.input.el.value) {
            ev.preventDefault();
            ev.stopPropagation();
            this.goOn();
        }
    }

    /** Go to the next field, as the Tab key does. */
    goOn() {
        const formEl = this.input.el.closest(".o_form_renderer");
        const inputEls = [...formEl.querySelectorAll("input:not([disabled])")];
        inputEls[inputEls.indexOf(this.input.el) + 1]?.focus();
    }
}

registry.category("fields").add("refill_card_scan", {
    ...charField,
    component: RefillCardScan,
});
