// Follows the ledger's events on NATS. It handles every event at least once, in order, and goes on where it stopped.
import { AckPolicy, connect, nanos } from "nats";

const handlers = {
  "collaboration.AccessGranted.v1": ({ data }) => console.log(`${data.consultancyId} may act for ${data.clientId} as ${data.roleId}`),
  "collaboration.AccessRevoked.v1": ({ data }) => console.log(`${data.consultancyId} may no longer act for ${data.clientId}`),
};

const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222", maxReconnectAttempts: -1 });
const manager = await nc.jetstreamManager();
await manager.consumers.add("LEDGER", {
  durable_name: "node-example", ack_policy: AckPolicy.Explicit, max_ack_pending: 1, ack_wait: nanos(30_000),
});
const consumer = await nc.jetstream().consumers.get("LEDGER", "node-example");
for await (const message of await consumer.consume({ max_messages: 100 })) {
  const event = message.json(); // CloudEvents; event.sequence is the position in the log, and message.seq as well
  try {
    await handlers[event.type]?.(event);
    message.ack();
  } catch (failure) {
    console.error(`position ${event.sequence}:`, failure);
    message.nak(1_000); // again in a second; what comes after it waits
  }
}
