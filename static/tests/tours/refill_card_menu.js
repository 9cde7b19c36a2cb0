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
