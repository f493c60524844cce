/** Why a call failed: the cluster's stable reason where it gave one, and what stands in its place where no node answered. */
import { type ServiceError, status } from "@grpc/grpc-js";
import protobuf from "protobufjs";

// What a gRPC status carries beside its code, as far as it is read here: google/rpc/status.proto, error_details.proto.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
`, { keepCase: true });

const RETRYABLE = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
]);

/** A failed call. Its text is the message and the reason; neither ever carries a secret. */
export class LeaseholdError extends Error {
  override readonly name = "LeaseholdError";

  constructor(
    /** The gRPC status code. */
    readonly code: status,
    /** The stable reason (`POLICY_DENIED`, `NO_LEADER`, …), or `UNREACHABLE`, or the name of the status code. */
    readonly reason: string,
    /** What the cluster says about it, for people. */
    readonly details: string,
    /** What `google.rpc.ErrorInfo` says beside the reason. */
    readonly metadata: Readonly<Record<string, string>> = {},
    /** After how many milliseconds another try may help, where the cluster says so. */
    readonly retryAfter?: number,
  ) {
    super(`${details} (${reason})`);
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return this.retryAfter !== undefined || RETRYABLE.has(this.code) || this.reason === "OUTCOME_UNKNOWN";
  }

  /** Reads what a call ended with. */
  static of(error: ServiceError): LeaseholdError {
    let reason: string | undefined;
    let metadata: Record<string, string> = {};
    let retryAfter: number | undefined;
    for (const { type_url, value } of detailsOf(error)) {
      if (type_url.endsWith("/google.rpc.ErrorInfo")) {
        const info = read("ErrorInfo", value) as { reason: string; metadata?: Record<string, string> };
        reason = info.reason || undefined;
        metadata = info.metadata ?? {};
      } else if (type_url.endsWith("/google.rpc.RetryInfo")) {
        const { retry_delay: delay } = read("RetryInfo", value) as { retry_delay?: { seconds: number; nanos: number } };
        retryAfter = delay && delay.seconds * 1000 + delay.nanos / 1e6;
      }
    }
    reason ??= error.code === status.UNAVAILABLE ? "UNREACHABLE" : (status[error.code] ?? "UNKNOWN");
    return new LeaseholdError(error.code, reason, error.details, metadata, retryAfter);
  }
}

interface Any {
  type_url: string;
  value: Uint8Array;
}

function detailsOf(error: ServiceError): Any[] {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(bytes instanceof Uint8Array)) return [];
  try {
    return (read("Status", bytes) as { details?: Any[] }).details ?? [];
  } catch {
    return []; // Details that do not decode are as good as none.
  }
}

function read(type: string, bytes: Uint8Array): object {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number, defaults: true, objects: false, arrays: false });
}
