/**
 * Does with a holder what it is told, one JSON object a line, and answers each with one: for tests that have a cluster.
 *
 * node driver.js ADDRESS, with the credential in LEASEHOLD_CREDENTIAL. Ends with its input.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

import { Client, type HeldLease, LeaseHolder, LeaseholdError } from "../src/index.js";

interface Order {
  do: string;
  want: { mcp_server: string; connector: string; subject: string; scopes: string[]; ttl: number };
  lease: string;
}

const client = new Client({ address: process.argv[2]!, credential: process.env["LEASEHOLD_CREDENTIAL"]! });
const holder = new LeaseHolder(client);
const held = new Map<string, HeldLease>();

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

async function obey(order: Order): Promise<object> {
  if (order.do === "watching") {
    await until(() => holder.watching);
    return {};
  }
  if (order.do === "lease") {
    const { mcp_server: mcpServer, ...want } = order.want;
    const lease = await holder.lease({ mcpServer, ...want });
    if (lease.kind === "consent") {
      return { consent: lease.reason, missing_scopes: lease.missingScopes, connect_url: lease.connectUrl };
    }
    held.set(lease.leaseId, lease);
    return { lease: lease.leaseId, token: lease.accessToken, scopes: lease.scopes };
  }
  const lease = held.get(order.lease)!;
  switch (order.do) {
    case "live":
      return { live: lease.live };
    case "renewed": {
      const before = lease.expiresAt;
      await until(() => lease.expiresAt > before);
      return {};
    }
    case "ended":
      if (!lease.ended.aborted) {
        await new Promise((resolve) => lease.ended.addEventListener("abort", resolve, { once: true }));
      }
      return { live: lease.live };
    case "release":
      await holder.release(lease);
      return {};
    case "shown":
      return { shown: inspect([lease, holder, client], { depth: 9, showHidden: true }) + JSON.stringify(lease) };
    default:
      throw new Error(order.do);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: object;
  try {
    answer = await obey(JSON.parse(line) as Order);
  } catch (error) {
    if (!(error instanceof LeaseholdError)) throw error;
    answer = { error: error.reason, retryable: error.retryable, text: String(error) };
  }
  console.log(JSON.stringify(answer));
}
holder.close();
client.close();
