// A consumer in Node, written from the specification alone: makes a durable, reads, acknowledges,
// and prints what it read and what it was refused.
//   node consumer.mjs URL USER PASSWORD INBOX_PREFIX STREAM DURABLE COUNT
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [servers, user, pass, inboxPrefix, name, durable, count] = process.argv.slice(2);
const connection = await connect({ servers: servers.split(","), user, pass, inboxPrefix });
const manager = await jetstreamManager(connection, { timeout: 5000 });
await manager.consumers.add(name, { durable_name: durable, ack_policy: "explicit" });
const consumer = await jetstream(connection).consumers.get(name, durable);
const numbers = [];
const messages = await consumer.consume({ max_messages: 10 });
for await (const message of messages) {
  numbers.push(message.json().number);
  await message.ackAck();
  if (numbers.length === Number(count)) break;
}
const { num_ack_pending: unacknowledged } = await consumer.info();

const refused = [];
const impatient = await jetstreamManager(connection, { timeout: 1000, checkAPI: false });
const acts = {
  purge: () => impatient.streams.purge(name),
  delete: () => impatient.streams.delete(name),
  publish: () => jetstream(connection, { timeout: 1000 }).publish("market.node.X.trade", "forged"),
};
for (const [act, call] of Object.entries(acts)) {
  try {
    await call();
  } catch {
    refused.push(act);
  }
}
await connection.close();
console.log(JSON.stringify({ numbers, unacknowledged, refused }));
