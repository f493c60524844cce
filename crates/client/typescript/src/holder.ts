/**
 * Keeps a program's leases: acquires, renews those in use, and drops what the cluster ends.
 *
 * - A token out of its memory belongs to a lease that has not ended, by a push or by time, and the pushes it would have heard of an end by
 *   have not been silent for longer than the cluster's grace.
 * - When they have, everything held is dropped. Until they are heard again each call asks the cluster, and nothing is kept.
 * - An answer that a push overtook is not believed: a lease that ended while its answer was on the way is asked for again.
 * - Callers who want the same at the same time cause one call.
 */
import { createHash } from "node:crypto";

import { type ClientReadableStream, status } from "@grpc/grpc-js";

import type { Client, Consent, Want } from "./client.js";
import { LeaseholdError } from "./errors.js";
import type { WatchResponse__Output } from "./generated/leasehold/v1/WatchResponse.js";
import { type Due, type HeldLease, Table } from "./table.js";

const OVERTAKEN_MAX = 3;
/** How long a stream may be silent before it is taken for broken. The table has dropped everything long before. */
const SILENCE_MAX = 60_000;
const WAIT_MIN = 100;
const WAIT_MAX = 5000;

export interface Options {
  /** How many leases are held at most, 1,024 by default. At the bound, the one that was asked for least recently is let go. */
  leasesMax?: number;
  /** How many renewals are under way at most, 8 by default. */
  renewalsMax?: number;
}

/** The leases of a program, until it is closed. */
export class LeaseHolder {
  readonly #table: Table;
  readonly #turns = new Map<string, Promise<HeldLease | Consent>>();
  readonly #renewalsMax: number;
  #renewals = 0;
  #stream: ClientReadableStream<WatchResponse__Output> | undefined;
  #keeping: NodeJS.Timeout | undefined;
  #waiting: NodeJS.Timeout | undefined;
  #wait = WAIT_MIN;
  #closed = false;

  /** Starts to hold leases. It keeps the program from ending until it is closed. */
  constructor(
    private readonly client: Client,
    options: Options = {},
  ) {
    this.#table = new Table(options.leasesMax ?? 1024, () => performance.now());
    this.#renewalsMax = Math.max(options.renewalsMax ?? 8, 1);
    this.#listen();
  }

  /** Ends everything that is held, on this side: leases lapse. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#keeping);
    clearTimeout(this.#waiting);
    this.#stream?.cancel();
    this.#table.close();
  }

  /** Whether pushes are being heard, so that leases are held at all. */
  get watching(): boolean {
    return this.#table.watching(performance.now());
  }

  /** A lease for what is wanted: one that is held, or a new one; or the consent that is needed first. */
  async lease(want: Want): Promise<HeldLease | Consent> {
    const key = keyOf(want);
    const held = this.#table.find(key, performance.now());
    if (held) return held;
    const underWay = this.#turns.get(key);
    if (underWay) return underWay;
    const turn = this.#acquire(key, want).finally(() => this.#turns.delete(key));
    this.#turns.set(key, turn);
    return turn;
  }

  /** Gives a lease back. It is let go in any case. */
  async release(lease: HeldLease): Promise<void> {
    this.#table.letGo(lease.leaseId);
    await this.client.release(lease.leaseId);
  }

  /** Says that the provider refused a lease's token, and lets the lease go: the next `lease` asks the cluster. */
  async reportRejected(lease: HeldLease, httpStatus: number, challenge = ""): Promise<void> {
    this.#table.letGo(lease.leaseId);
    await this.client.reportRejected(lease.leaseId, httpStatus, challenge);
  }

  async #acquire(key: string, want: Want): Promise<HeldLease | Consent> {
    for (let round = 0; round <= OVERTAKEN_MAX; round += 1) {
      const { epoch } = this.#table;
      const outcome = await this.client.acquire(want);
      if (outcome.kind === "consent") return outcome;
      const held = this.#table.acquired(key, want, outcome, epoch, performance.now());
      if (held) {
        this.#keep();
        return held;
      }
    }
    const message = "the lease ended before its answer arrived, again and again";
    throw new LeaseholdError(status.ABORTED, "OVERTAKEN", message);
  }

  #listen(): void {
    const stream = this.client.watch(String(this.#table.seq));
    this.#stream = stream;
    let over = false;
    let silence = setTimeout(() => stream.cancel(), SILENCE_MAX);
    stream.on("data", (push: WatchResponse__Output) => {
      clearTimeout(silence);
      silence = setTimeout(() => stream.cancel(), SILENCE_MAX);
      this.#wait = WAIT_MIN;
      this.#table.heard(push, performance.now());
      this.#keep();
    });
    const again = () => {
      if (over) return;
      over = true;
      clearTimeout(silence);
      if (this.#closed) return;
      this.#waiting = setTimeout(() => this.#listen(), this.#wait * (0.5 + Math.random() / 2));
      this.#wait = Math.min(this.#wait * 2, WAIT_MAX);
    };
    stream.on("error", again);
    stream.on("end", again);
  }

  /** Does what is due now, and comes back when something is next. */
  #keep(): void {
    clearTimeout(this.#keeping);
    if (this.#closed) return;
    for (const due of this.#table.tick(this.#renewalsMax - this.#renewals, performance.now())) {
      this.#renewals += 1;
      void this.#renew(due).finally(() => {
        this.#renewals -= 1;
        this.#keep();
      });
    }
    const wake = this.#table.nextWake(this.#renewals < this.#renewalsMax);
    if (wake === Infinity) return;
    this.#keeping = setTimeout(() => this.#keep(), Math.max(Math.ceil(wake - performance.now()), 0));
  }

  async #renew(due: Due): Promise<void> {
    try {
      const until = await this.client.renew(due.leaseId, due.ttl);
      this.#table.renewed(due, until, performance.now());
    } catch (error) {
      // A refusal is the cluster's word on the lease; anything else says nothing about it.
      const refused = error instanceof LeaseholdError && !error.retryable;
      this.#table.notRenewed(due, refused, performance.now());
    }
  }
}

/** What makes two wants the same. A subject's token is kept as its digest. */
function keyOf(want: Want): string {
  const token = want.subjectToken && createHash("sha256").update(want.subjectToken).digest("base64");
  return JSON.stringify([
    want.mcpServer,
    want.connector,
    want.subject ?? null,
    token ?? null,
    [...(want.scopes ?? [])].sort(),
    want.account ?? "",
    want.minValidity ?? 0,
    want.ttl ?? 0,
  ]);
}
