import { stepUtils } from "@web_tour/tour_utils";

/**
 * Open the app that has the menu of Refill Cards.
 *
 * @returns {Object[]} steps of a tour
 */
export function openApp() {
    return [
        stepUtils.showAppsMenuItem(),
        {
            content: "Open the app",
            trigger: ".o_app[data-menu-xmlid='account.menu_finance']",
            run: "click",
        },
    ];
}

/**
 * Open a menu of Refill Cards.
 *
 * @param {string} name what the menu's id ends with, such as "_series"
 * @returns {Object[]} steps of a tour
 */
export function openMenu(name) {
    return [
        {
            trigger: "button[data-menu-xmlid='refill_cards.menu_refill_cards']",
            run: "click",
        },
        {
            trigger: `a[data-menu-xmlid='refill_cards.menu_refill_card${name}']`,
            run: "click",
        },
    ];
}
