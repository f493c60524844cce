/** Leases of access tokens from a Leasehold cluster: `Client` makes single calls, `LeaseHolder` keeps leases fresh and drops what ends. */
export { Client, type Consent, type Endpoint, Lease, type Want } from "./client.js";
export { LeaseholdError } from "./errors.js";
export { LeaseHolder, type Options } from "./holder.js";
export { HeldLease } from "./table.js";
