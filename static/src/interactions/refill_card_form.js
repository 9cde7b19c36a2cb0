import { browser } from "@web/core/browser/browser";
import { isBarcodeScannerSupported } from "@web/core/barcode/barcode_video_scanner";
import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";
import { scanBarcode } from "@web/core/barcode/barcode_dialog";

import { findFormat, fitsForeign, groupField, isSerial, normalize } from "./refill_card_code";
import { readCode, takeLinkedCode } from "./refill_card_link";

const KEY = "refill_card_typed";
const TYPING = ["insertText", "insertCompositionText"];
const ENDING = 4;
const TRIES = 2;

/** Groups the code, shows a typing error before it is sent, scans cards, and sends once only. */
export class RefillCardForm extends Interaction {
    static selector = ".o_refill_card_form";
    dynamicContent = {
        // Before a captcha's listener, which sends the form whatever happens to the event.
        _root: { "t-on-submit.capture": this.onSubmit },
        _window: {
            "t-on-pageshow": this.onPageshow,
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
            "t-out": () => (this.isTypo ? this.typoEl.dataset[this.getSentence()] : ""),
        },
        ".o_refill_card_linked": {
            "t-att-class": () => ({ "d-none": !this.linked }),
        },
        ".o_refill_card_linked input": { "t-on-keydown": this.onEndingKeydown },
        ".o_refill_card_linked button": { "t-on-click": this.proveLinked },
        ".o_refill_card_linked_wrong": {
            "t-out": () => (this.wrongEndings ? this.wrongEl.dataset.sentence : ""),
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
        this.wrongEl = this.el.querySelector(".o_refill_card_linked_wrong");
        this.formats = JSON.parse(this.el.dataset.formats);
        this.foreign = JSON.parse(this.el.dataset.foreign);
        this.serials = JSON.parse(this.el.dataset.serials);
        this.linked = "";
        this.wrongEndings = 0;
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
        const { code, isProven } = takeLinkedCode();
        if (isProven) {
            this.fill(code);
        } else if (this.canBeCode(code)) {
            this.linked = code;
        }
    }

    /** Fill in the code that was scanned before the login, for whoever has the card in hand. */
    proveLinked() {
        const endingEl = this.el.querySelector(".o_refill_card_linked input");
        if (normalize(endingEl.value).slice(-ENDING) === normalize(this.linked).slice(-ENDING)) {
            this.fill(this.linked);
            this.linked = "";
            this.inputEl.focus();
        } else if (++this.wrongEndings === TRIES) {
            this.linked = "";
            this.inputEl.focus();
        }
        endingEl.value = "";
    }

    onEndingKeydown(ev) {
        if (ev.key === "Enter") {
            ev.preventDefault();
            this.proveLinked();
        }
    }

    /** Return which sentence tells what is wrong. */
    getSentence() {
        return isSerial(this.inputEl.value, this.serials) ? "serial" : "sentence";
    }

    /** Put a whole code into the field; nothing is sent. */
    fill(code) {
        this.inputEl.value = code;
        this.group(false, true);
        this.check();
    }

    canBeCode(text) {
        return !!findFormat(text, this.formats) || fitsForeign(text, this.foreign);
    }

    /** Whether it may be grouped, in capitals: the case of another system's codes may matter. */
    canBeGrouped(text, isWhole) {
        return (
            !this.foreign.length ||
            (!fitsForeign(text, this.foreign, !isWhole) && !!findFormat(text, this.formats))
        );
    }

    /**
     * Group a code; a serial number is left as it is printed.
     *
     * @param {boolean} [isTyping] whether a character was just typed
     * @param {boolean} [isWhole] whether no more is typed: else it may become a longer code
     */
    group(isTyping = false, isWhole = false) {
        const typed = this.inputEl.value;
        if (!isSerial(typed, this.serials, isTyping) && this.canBeGrouped(typed, isWhole)) {
            groupField(this.inputEl, this.formats, isTyping);
        }
    }

    check() {
        this.isTypo = this.formats.length > 0 && !this.canBeCode(this.inputEl.value);
        this.isWrong = this.isTypo;
    }

    onInput({ type, inputType, isComposing }) {
        this.isTypo = this.isWrong = false;
        if (isComposing) {
            return;
        }
        this.group(type === "compositionend" || TYPING.includes(inputType));
        if (inputType === "insertFromPaste") {
            this.check();
        }
    }

    /** The Back button brings the page as it was left: old balance, a captcha's spinner and token. */
    onPageshow() {
        if (this.isSent) {
            browser.location.reload();
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
