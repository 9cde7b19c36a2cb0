import { registry } from "@web/core/registry";

/** Tells, wherever the user is in Odoo, that what they asked for is done. */
const refillCardNotificationService = {
    dependencies: ["action", "bus_service", "notification"],
    start(env, { action, bus_service, notification }) {
        bus_service.subscribe("refill_cards/done", ({ message, type, button, next }) => {
            const close = notification.add(message, {
                type,
                sticky: true,
                buttons: [
                    {
                        name: button,
                        primary: true,
                        onClick: () => {
                            close();
                            action.doAction(next);
                        },
                    },
                ],
            });
        });
        bus_service.start();
    },
};

registry.category("services").add("refill_cards_notification", refillCardNotificationService);
