/** What is held, and every rule about it. Without a clock and without a connection: the present moment comes in as a parameter. */
import { inspect } from "node:util";

import type { Lease, Want } from "./client.js";
import type { WatchResponse__Output } from "./generated/leasehold/v1/WatchResponse.js";

/** How many ends are remembered, against answers that they overtake. */
const ENDS_MAX = 4096;
/** The grace, in milliseconds, until the cluster has stated one. */
const GRACE = 10_000;
/** How long before its end a lease is not handed out any more. */
const MARGIN = 1000;
/** The shortest wait before a renewal, so that a lease near its end causes no storm. */
const RENEW_AFTER_MIN = 500;

/** A lease out of a `LeaseHolder`. Look at `live` before using a token that was kept for a while. */
export class HeldLease {
  readonly kind = "lease";
  readonly #lease: Lease;
  readonly #clock: () => number;
  readonly #ended = new AbortController();
  #expiresAt: number;

  /** @internal */
  constructor(lease: Lease, clock: () => number) {
    this.#lease = lease;
    this.#clock = clock;
    this.#expiresAt = lease.expiresAt;
  }

  get leaseId() {
    return this.#lease.leaseId;
  }
  get accessToken() {
    return this.#lease.accessToken;
  }
  get tokenType() {
    return this.#lease.tokenType;
  }
  get scopes() {
    return this.#lease.scopes;
  }
  get grant() {
    return this.#lease.grant;
  }
  get metadata() {
    return this.#lease.metadata;
  }
  get warnings() {
    return this.#lease.warnings;
  }
  get tokenExpiresAt() {
    return this.#lease.tokenExpiresAt;
  }
  /** Moves as the lease is renewed. */
  get expiresAt() {
    return this.#expiresAt;
  }
  /** Whether the token may still be used. */
  get live() {
    return !this.#ended.signal.aborted && this.#clock() < this.#expiresAt;
  }
  /** Aborts when the token is not to be used any more: give it to the requests that use the token. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  [inspect.custom]() {
    return `HeldLease(${this.leaseId})`;
  }

  /** @internal */
  end() {
    this.#ended.abort();
  }
  /** @internal */
  liveUntil(at: number) {
    this.#expiresAt = at;
  }
}

interface Entry {
  held: HeldLease;
  want: Want;
  renewAt: number | undefined;
  askedFor: boolean;
}

export interface Due {
  key: string;
  leaseId: string;
  ttl: number;
}

export class Table {
  /** Raised whenever an end may have gone unremembered: answers to calls from before are not believed. */
  epoch = 0;
  /** Up to which sequence number everything was seen. */
  seq = 0n;
  // A map keeps its order: the least recently asked for comes first.
  readonly #entries = new Map<string, Entry>();
  readonly #ends = new Set<string>();
  #heardAt: number | undefined;
  #grace = GRACE;

  constructor(
    private readonly leasesMax: number,
    private readonly clock: () => number,
  ) {}

  watching(now: number): boolean {
    return this.#heardAt !== undefined && now < this.#heardAt + this.#grace;
  }

  /** A held lease that can be used now and whose token lives long enough. */
  find(key: string, now: number): HeldLease | undefined {
    const entry = this.watching(now) ? this.#entries.get(key) : undefined;
    if (!entry || now + MARGIN >= entry.held.expiresAt) return undefined;
    const validity = (entry.want.minValidity ?? 0) * 1000;
    if (now + validity > (entry.held.tokenExpiresAt ?? Infinity)) return undefined;
    entry.askedFor = true;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.held;
  }

  /** Takes an answer to a call that began in `epoch`. Nothing: it may have ended before it arrived, so ask again. */
  acquired(key: string, want: Want, lease: Lease, epoch: number, now: number): HeldLease | undefined {
    if (epoch !== this.epoch || this.#ends.has(lease.leaseId)) return undefined;
    const held = new HeldLease(lease, this.clock);
    if (!this.watching(now)) return held;
    this.#drop(key);
    while (this.#entries.size >= Math.max(this.leasesMax, 1)) {
      for (const oldest of this.#entries.keys()) {
        this.#drop(oldest);
        break;
      }
    }
    this.#entries.set(key, { held, want, renewAt: halfLife(lease.expiresAt, now), askedFor: false });
    return held;
  }

  /** Takes a push. */
  heard(push: WatchResponse__Output, now: number): void {
    this.#heardAt = now;
    const seq = BigInt(push.seq);
    if (seq > this.seq) this.seq = seq;
    if (push.resync) {
      this.seq = seq;
      this.epoch += 1;
      this.#grace = Math.max(push.resync.grace_seconds, 1) * 1000;
      const current = new Set(push.resync.leases.map((held) => held.lease_id));
      this.#retain((entry) => current.has(entry.held.leaseId));
    } else if (push.ended) {
      this.letGo(push.ended.lease_id);
      if (this.#ends.size >= ENDS_MAX) {
        for (const oldest of this.#ends) {
          this.#ends.delete(oldest);
          break;
        }
        this.epoch += 1;
      }
      this.#ends.add(push.ended.lease_id);
    }
  }

  letGo(leaseId: string): void {
    this.#retain((entry) => entry.held.leaseId !== leaseId);
  }

  /** Drops what has run out, and everything after a silence; the renewals to make, at most `room`. */
  tick(room: number, now: number): Due[] {
    if (this.#heardAt !== undefined && !this.watching(now)) this.close();
    this.#retain((entry) => now < entry.held.expiresAt);
    const due: Due[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.renewAt === undefined || entry.renewAt > now) continue;
      if (!entry.askedFor) {
        entry.renewAt = undefined; // Nobody needs it: it lapses.
      } else if (due.length < room) {
        entry.renewAt = undefined;
        due.push({ key, leaseId: entry.held.leaseId, ttl: entry.want.ttl ?? 0 });
      }
    }
    return due;
  }

  renewed(due: Due, until: number, now: number): void {
    const entry = this.#renewing(due);
    if (!entry) return;
    const before = entry.held.expiresAt;
    entry.held.liveUntil(until);
    entry.askedFor = false;
    // Where it could not be made longer, it has reached a bound: the next who asks gets another.
    entry.renewAt = until > before ? halfLife(until, now) : undefined;
  }

  notRenewed(due: Due, refused: boolean, now: number): void {
    const entry = this.#renewing(due);
    if (entry && refused) this.#drop(due.key);
    else if (entry) entry.renewAt = halfLife(entry.held.expiresAt, now);
  }

  /** When `tick` has something to do next. */
  nextWake(canRenew: boolean): number {
    let wake = this.#heardAt === undefined ? Infinity : this.#heardAt + this.#grace;
    for (const { held, renewAt } of this.#entries.values()) {
      wake = Math.min(wake, held.expiresAt, canRenew ? (renewAt ?? Infinity) : Infinity);
    }
    return wake;
  }

  close(): void {
    this.#heardAt = undefined;
    this.#retain(() => false);
  }

  #renewing(due: Due): Entry | undefined {
    const entry = this.#entries.get(due.key);
    return entry?.held.leaseId === due.leaseId ? entry : undefined;
  }

  #retain(keep: (entry: Entry) => boolean): void {
    for (const [key, entry] of this.#entries) if (!keep(entry)) this.#drop(key);
  }

  #drop(key: string): void {
    this.#entries.get(key)?.held.end();
    this.#entries.delete(key);
  }
}

/** About half of what remains, spread at random so that many holders do not move in step. */
function halfLife(expiresAt: number, now: number): number {
  const remaining = Math.max(expiresAt - now, 0);
  return now + Math.max(remaining * (0.4 + Math.random() * 0.2), Math.min(RENEW_AFTER_MIN, remaining));
}
