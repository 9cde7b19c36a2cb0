import { registry } from "@web/core/registry";

const MODELS = {
    "refill_cards.report_refill_card": "refill.card",
    "refill_cards.report_refill_card_series": "refill.card.series",
};

/** Print cards by the window that asks for the password, shows progress and keeps a record. */
async function printRefillCards(action, options, env) {
    const model = MODELS[action.report_name];
    if (!model) {
        return false;
    }
    const window = await env.services.orm.call(model, "action_print", [action.context.active_ids]);
    await env.services.action.doAction(window, options);
    return true;
}

registry.category("ir.actions.report handlers").add("refill_cards", printRefillCards);
