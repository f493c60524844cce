/** Lists what a lease carries: LEASEHOLD_CREDENTIAL=… node build/example.js https://leasehold.example:7400 alice */
import { Client, LeaseHolder, LeaseholdError } from "./src/index.js";

const [address = "http://127.0.0.1:7400", subject = "alice"] = process.argv.slice(2);
const client = new Client({ address, credential: process.env["LEASEHOLD_CREDENTIAL"] ?? "" });
const holder = new LeaseHolder(client);
try {
  const lease = await holder.lease({ mcpServer: "files", connector: "sandbox", subject, scopes: ["files.read"] });
  if (lease.kind === "consent") {
    console.log(`${lease.reason}: open ${lease.connectUrl}`);
  } else {
    // Ask `holder.lease` before each request to the provider: it is served from memory while the lease lives.
    console.log(`${lease.leaseId} carries ${lease.scopes.join(" ")}`);
    await holder.release(lease);
  }
} catch (error) {
  if (!(error instanceof LeaseholdError)) throw error;
  console.error(`${error.reason}: ${error.details}`);
  process.exitCode = 1;
} finally {
  holder.close();
  client.close();
}
