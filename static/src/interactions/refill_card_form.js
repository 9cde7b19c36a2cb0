import { browser } from "@web/core/browser/browser";
import { isBarcodeScannerSupported } from "@web/core/barcode/barcode_video_scanner";
import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";
import { scanBarcode } from "@web/core/barcode/barcode_dialog";

import { findFormat, groupField } from "./refill_card_code";
import { readCode, takeLinkedCode } from "./refill_card_link";

const KEY = "refill_card_typed";
const TYPING = ["insertText", "insertCompositionText"];

/** Groups the code, shows a typing error before it is sent, scans cards, and sends once only. */
export class RefillCardForm extends Interaction {
    static selector = ".o_refill_card_form";
    dynamicContent = {
        // Before a captcha's listener, which sends the form whatever happens to the event.
        _root: { "t-on-submit.capture": this.onSubmit },
        _window: {
            // The browser's Back button brings the page as it was left.
            "t-on-pageshow": () => (this.isSent = false),
            "t-on-hashchange": this.fillFromLink,
        },
        "input[name='code']": {
            "t-on-input": this.onInput,
            // What phone keyboards compose is left alone till it is finished.
            "t-on-compositionend": this.onInput,
            "t-att-class": () => ({ "is-invalid": this.isWrong }),
            "t-att-aria-invalid": () => (this.isWrong ? "true" : undefined),
        },
        ".o_refill_card_typo": {
            "t-out": () => (this.isTypo ? this.typoEl.dataset.sentence : ""),
        },
        ".o_refill_card_scan": {
            "t-att-class": () => ({ "d-none": !isBarcodeScannerSupported() }),
            "t-on-click": this.scan,
        },
        "button[type='submit']": { "t-att-disabled": () => this.isSent },
    };

    setup() {
        this.inputEl = this.el.querySelector("input[name='code']");
        this.typoEl = this.el.querySelector(".o_refill_card_typo");
        this.formats = JSON.parse(this.el.dataset.formats);
        this.isSent = false;
        this.isTypo = false;
        this.isWrong = this.inputEl.classList.contains("is-invalid");
        this.takeTyped();
        this.fillFromLink();
    }

    /** Keep what is sent in the browser: the server then refuses by redirecting, without it. */
    keepTyped() {
        browser.sessionStorage.setItem(KEY, this.inputEl.value);
        this.el.elements.is_typed_kept.disabled = false;
    }

    takeTyped() {
        const typed = browser.sessionStorage.getItem(KEY);
        browser.sessionStorage.removeItem(KEY);
        if (typed && document.getElementById("refill_card_refusal")) {
            this.inputEl.value = typed;
        }
    }

    fillFromLink() {
        const code = takeLinkedCode();
        if (code) {
            this.fill(code);
        }
    }

    /** Put a whole code into the field; nothing is sent. */
    fill(code) {
        this.inputEl.value = code;
        groupField(this.inputEl, this.formats);
        this.check();
    }

    check() {
        this.isTypo = this.formats.length > 0 && !findFormat(this.inputEl.value, this.formats);
        this.isWrong = this.isTypo;
    }

    onInput({ type, inputType, isComposing }) {
        this.isTypo = this.isWrong = false;
        if (isComposing) {
            return;
        }
        const isTyping = type === "compositionend" || TYPING.includes(inputType);
        groupField(this.inputEl, this.formats, isTyping);
        if (inputType === "insertFromPaste") {
            this.check();
        }
    }

    onSubmit(ev) {
        const typed = this.inputEl.value;
        this.check();
        // A series may be newer than the page: who sends the same again is believed.
        if (this.isTypo && typed !== this.warnedOf) {
            this.warnedOf = typed;
            ev.preventDefault();
            ev.stopImmediatePropagation();
            this.inputEl.focus();
        } else {
            this.isSent = true;
            this.keepTyped();
        }
    }

    async scan() {
        this.fill(readCode(await this.waitFor(scanBarcode(this.env))));
        this.updateContent();
        this.inputEl.focus();
    }
}

registry.category("public.interactions").add("refill_cards.refill_card_form", RefillCardForm);
