/* global axe */

import { loadJS } from "@web/core/assets";

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/**
 * The test serves axe-core, which is no part of the addon.
 *
 * @param {string} [selector] of the part of the page that is ours
 * @returns {Object} a step of a tour
 */
export const checkAccessibilityOf = (selector) => ({
    content: "Nothing on the page violates WCAG 2.2 AA",
    trigger: selector || "body",
    async run() {
        await loadJS("/refill_cards_test/axe.js");
        const { passes, violations } = await axe.run(selector || document, { runOnly: WCAG });
        const found = violations.flatMap(({ id, nodes }) =>
            nodes.map(({ html }) => `${id}: ${html}`),
        );
        if (found.length || !passes.length) {
            throw new Error(`${window.location.pathname}:\n${found.join("\n")}`);
        }
        if (document.body.scrollWidth > window.innerWidth) {
            throw new Error(`${window.location.pathname} is wider than the window.`);
        }
    },
});

export const checkAccessibility = checkAccessibilityOf();
