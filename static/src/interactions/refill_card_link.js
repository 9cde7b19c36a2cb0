import { browser } from "@web/core/browser/browser";
import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const KEY = "refill_card_code";

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

/** Move the code from the browser's address to where it outlives login and sign-up. */
function putAside() {
    if (window.location.hash) {
        browser.sessionStorage.setItem(KEY, readCode(window.location.hash));
        const { pathname, search } = window.location;
        window.history.replaceState(null, "", pathname + search);
    }
}

/** Return the code that a link brought to this page or to the login before it, once. */
export function takeLinkedCode() {
    putAside();
    const code = browser.sessionStorage.getItem(KEY);
    browser.sessionStorage.removeItem(KEY);
    return code;
}

/** Keeps the code of a scanned card while its owner logs in or signs up. */
export class RefillCardLink extends Interaction {
    static selector = "form:has(input[name='redirect'][value*='/my/refill'])";

    setup() {
        putAside();
    }
}

registry.category("public.interactions").add("refill_cards.refill_card_link", RefillCardLink);
