import { browser } from "@web/core/browser/browser";
import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const KEY = "refill_card_code";
const KEPT = 5 * 60 * 1000; // milliseconds

/**
 * Return the code in the address that a card's QR opens. It is in the fragment, which stays out of
 * every server's log.
 *
 * @param {string} address what was typed, pasted or scanned; without a fragment it is returned as
 *     it is
 */
export function readCode(address) {
    if (!address.includes("#")) {
        return address;
    }
    const fragment = address.slice(address.indexOf("#") + 1);
    try {
        return decodeURIComponent(fragment);
    } catch {
        return fragment; // a lone percent sign
    }
}

/**
 * What is kept is the code, until when, and the login that was typed with it.
 *
 * @returns {{ code: string, until: number, login?: string } | null}
 */
function getKept() {
    const kept = JSON.parse(browser.sessionStorage.getItem(KEY));
    return kept && kept.until > Date.now() ? kept : null;
}

function forget() {
    browser.sessionStorage.removeItem(KEY);
}

/** Return the code in the browser's address, and take it out of there. */
function takeFromAddress() {
    const { hash, pathname, search } = window.location;
    if (!hash) {
        return "";
    }
    window.history.replaceState(null, "", pathname + search);
    return readCode(hash);
}

/**
 * Return the code that a link brought to this page or to the login before it, once.
 *
 * @returns {{ code: string, isProven: boolean }} the code is empty when there is none. It is not
 *      proven when somebody logged in since: on a shared device that may be somebody else, who has
 *      not got the card.
 */
export function takeLinkedCode() {
    const code = takeFromAddress();
    const kept = getKept();
    forget();
    return { code: code || kept?.code || "", isProven: Boolean(code) };
}

/** Keeps the code of a scanned card for a few minutes while its owner logs in or signs up. */
export class RefillCardLink extends Interaction {
    static selector = "form:has(input[name='redirect'][value*='/my/refill'])";
    dynamicContent = { _root: { "t-on-submit": this.onSubmit } };

    setup() {
        const code = takeFromAddress();
        if (code) {
            const kept = { code, until: Date.now() + KEPT };
            browser.sessionStorage.setItem(KEY, JSON.stringify(kept));
        }
        this.waitForTimeout(() => getKept() || forget(), KEPT);
    }

    /** Whoever logs in by another name than the first one is somebody else. */
    onSubmit() {
        const kept = getKept();
        const login = this.el.querySelector("input[name='login']")?.value.trim();
        if (!kept || (kept.login && kept.login !== login)) {
            forget();
        } else {
            browser.sessionStorage.setItem(KEY, JSON.stringify({ ...kept, login }));
        }
    }
}

registry.category("public.interactions").add("refill_cards.refill_card_link", RefillCardLink);

/** Takes the code out of the address where no card can be redeemed. */
export class RefillCardUnavailable extends Interaction {
    static selector = ".o_refill_card_unavailable";

    setup() {
        takeFromAddress();
    }
}

registry
    .category("public.interactions")
    .add("refill_cards.refill_card_unavailable", RefillCardUnavailable);
