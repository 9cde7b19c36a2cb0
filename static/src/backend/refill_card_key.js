import { registry } from "@web/core/registry";
import { session } from "@web/session";

/** Warns as long as no code can be read, whatever list is open. */
registry.category("services").add("refill_card_key", {
    dependencies: ["notification"],
    start(env, { notification }) {
        if (session.refill_cards_key_problem) {
            notification.add(session.refill_cards_key_problem, { type: "warning", sticky: true });
        }
    },
});
