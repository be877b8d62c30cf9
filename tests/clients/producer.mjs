// A producer in Node, written from the specification alone: publishes, and prints what it was told.
//   node producer.mjs URL USER PASSWORD INBOX_PREFIX SUBJECT COUNT
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [servers, user, pass, inboxPrefix, subject, count] = process.argv.slice(2);
const connection = await connect({ servers: servers.split(","), user, pass, inboxPrefix });
const stream = jetstream(connection);
const sequences = [];
for (let number = 0; number < Number(count); number += 1) {
  const stored = await stream.publish(subject, JSON.stringify({ number }), { msgID: `node-${number}` });
  sequences.push(stored.seq);
}
await connection.close();
console.log(JSON.stringify({ sequences }));
