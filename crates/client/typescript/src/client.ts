/** Single calls for leases, and what they are about. */
import path from "node:path";

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

import { LeaseholdError } from "./errors.js";
import type { ProtoGrpcType } from "./generated/lease.js";
import type { LeaseServiceClient } from "./generated/leasehold/v1/LeaseService.js";
import type { AcquireResponse__Output } from "./generated/leasehold/v1/AcquireResponse.js";
import type { RenewResponse__Output } from "./generated/leasehold/v1/RenewResponse.js";
import type { WatchResponse__Output } from "./generated/leasehold/v1/WatchResponse.js";

/** How long a call may take, in milliseconds: an answer may wait for a refresh at the provider. */
const CALL_TIMEOUT = 30_000;

const interfaces = grpc.loadPackageDefinition(
  loadSync("leasehold/v1/lease.proto", {
    includeDirs: [path.join(import.meta.dirname, "../proto")],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  }),
) as unknown as ProtoGrpcType;

/** Where a cluster is, and how the caller proves who it is. */
export interface Endpoint {
  /** `https://host:port`, or `http://` to a loopback address. */
  address: string;
  /** An API credential. */
  credential?: string;
  /** The certificate authorities to believe, as PEM; the machine's own where it is left out. */
  caPem?: Buffer;
  /** A client certificate's chain and key, as PEM. */
  certificate?: { chainPem: Buffer; keyPem: Buffer };
}

/** What is wanted. The subject is named by exactly one of `subject` and `subjectToken`. */
export interface Want {
  mcpServer: string;
  connector: string;
  /** By id or user name: the caller vouches, and needs the policy action `act_as`. */
  subject?: string;
  /** By a token of the subject, addressed to the caller or its MCP server. */
  subjectToken?: string;
  /** Left out: what the MCP server is registered as needing. */
  scopes?: readonly string[];
  account?: string;
  /** How long the token must still live, in seconds. */
  minValidity?: number;
  /** How long the lease may live, in seconds; left to the cluster where it is left out. */
  ttl?: number;
}

/** The subject has to consent first: send it to `connectUrl`, and ask again afterwards. */
export interface Consent {
  readonly kind: "consent";
  readonly reason: "NO_GRANT" | "SCOPES_MISSING" | "REAUTHENTICATION" | "UNSPECIFIED";
  readonly missingScopes: readonly string[];
  readonly connectUrl: string;
  readonly authorization: string;
}

/** A lease with its token. Moments are of `performance.now()`, and count from before the call was made, so they are never late. */
export class Lease {
  readonly kind = "lease";
  readonly leaseId: string;
  readonly tokenType: string;
  readonly scopes: readonly string[];
  readonly grant: string;
  readonly expiresAt: number;
  readonly tokenExpiresAt: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  // Private to the language, so that nothing prints or serializes it.
  readonly #accessToken: string;

  constructor(fields: Omit<Lease, "kind">) {
    this.#accessToken = fields.accessToken;
    this.leaseId = fields.leaseId;
    this.tokenType = fields.tokenType;
    this.scopes = fields.scopes;
    this.grant = fields.grant;
    this.expiresAt = fields.expiresAt;
    this.tokenExpiresAt = fields.tokenExpiresAt;
    this.metadata = fields.metadata;
    this.warnings = fields.warnings;
  }

  get accessToken(): string {
    return this.#accessToken;
  }
}

/** A connection to a cluster, and who calls. */
export class Client {
  readonly #leases: LeaseServiceClient;
  readonly #credential: string | undefined;

  /** Connects with the first call. */
  constructor(endpoint: Endpoint) {
    const { target, tls } = targetOf(endpoint.address);
    if (endpoint.certificate && !tls) throw new TypeError("a client certificate needs an https:// address");
    const { chainPem, keyPem } = endpoint.certificate ?? {};
    const credentials = tls
      ? grpc.credentials.createSsl(endpoint.caPem, keyPem, chainPem)
      : grpc.credentials.createInsecure();
    this.#leases = new interfaces.leasehold.v1.LeaseService(target, credentials, {
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
    });
    this.#credential = endpoint.credential;
  }

  close(): void {
    this.#leases.close();
  }

  /** Asks for a lease. Needing a consent is an outcome, and no error. */
  async acquire(want: Want): Promise<Lease | Consent> {
    const began = performance.now();
    const answer = await this.#call<AcquireResponse__Output>((metadata, options, done) =>
      this.#leases.Acquire(requestOf(want), metadata, options, done),
    );
    const { lease, consent_required: needed } = answer;
    if (needed) {
      return {
        kind: "consent",
        reason: needed.reason.replace("CONSENT_REASON_", "") as Consent["reason"],
        missingScopes: needed.missing_scopes,
        connectUrl: needed.connect_url,
        authorization: needed.authorization,
      };
    }
    if (!lease) throw new LeaseholdError(grpc.status.INTERNAL, "MALFORMED_ANSWER", "the answer has no outcome");
    const tokenEnds = lease.token_remaining_seconds;
    return new Lease({
      leaseId: lease.lease_id,
      accessToken: lease.access_token,
      tokenType: lease.token_type,
      scopes: lease.scopes,
      grant: lease.grant,
      expiresAt: began + lease.lease_remaining_seconds * 1000,
      tokenExpiresAt: lease._token_remaining_seconds && began + (tokenEnds ?? 0) * 1000,
      metadata: lease.metadata,
      warnings: lease.warnings,
    } as Omit<Lease, "kind">);
  }

  /** Lets a lease live longer; until when. */
  async renew(leaseId: string, ttl = 0): Promise<number> {
    const began = performance.now();
    const answer = await this.#call<RenewResponse__Output>((metadata, options, done) =>
      this.#leases.Renew({ lease_id: leaseId, ttl_seconds: ttl }, metadata, options, done),
    );
    return began + answer.lease_remaining_seconds * 1000;
  }

  /** Gives a lease back. */
  async release(leaseId: string): Promise<void> {
    await this.#call((metadata, options, done) =>
      this.#leases.Release({ lease_id: leaseId }, metadata, options, done),
    );
  }

  /** Says that the provider refused the token. */
  async reportRejected(leaseId: string, status: number, challenge = ""): Promise<void> {
    await this.#call((metadata, options, done) =>
      this.#leases.ReportRejected({ lease_id: leaseId, status, challenge }, metadata, options, done),
    );
  }

  /** The caller's leases as they change. */
  watch(resumeAfter: string): grpc.ClientReadableStream<WatchResponse__Output> {
    return this.#leases.Watch({ resume_after: resumeAfter }, this.#metadata());
  }

  #metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    if (this.#credential) metadata.set("authorization", `Bearer ${this.#credential}`);
    return metadata;
  }

  #call<T>(
    send: (
      metadata: grpc.Metadata,
      options: grpc.CallOptions,
      done: (error: grpc.ServiceError | null, answer?: T) => void,
    ) => void,
  ): Promise<T> {
    const options = { deadline: Date.now() + CALL_TIMEOUT };
    return new Promise((resolve, reject) => {
      send(this.#metadata(), options, (error, answer) => {
        if (error) reject(LeaseholdError.of(error));
        else resolve(answer as T);
      });
    });
  }
}

function requestOf(want: Want) {
  if (!want.subject === !want.subjectToken) throw new TypeError("name the subject by one of subject and subjectToken");
  const named = want.subject ? { subject: want.subject } : { subject_token: want.subjectToken };
  return {
    mcp_server: want.mcpServer,
    connector: want.connector,
    scopes: [...(want.scopes ?? [])],
    account: want.account ?? "",
    min_validity_seconds: want.minValidity ?? 0,
    ttl_seconds: want.ttl ?? 0,
    ...named,
  };
}

function targetOf(address: string): { target: string; tls: boolean } {
  const url = new URL(address);
  const bare = url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password;
  if (!["http:", "https:"].includes(url.protocol) || !bare) {
    throw new TypeError("the address is not of the form https://host:port");
  }
  const tls = url.protocol === "https:";
  const loopback = url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d+){3}$/.test(url.hostname);
  if (!tls && !loopback) throw new TypeError("without TLS, only a loopback address is spoken to: use https://");
  return { target: `${url.hostname}:${url.port || (tls ? 443 : 80)}`, tls };
}
