"""Single calls for leases, and what they are about."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import grpc
from leasehold.v1 import lease_pb2, lease_pb2_grpc

from .errors import LeaseholdError

#: How long a call may take, in seconds: an answer may wait for a refresh at the provider.
CALL_TIMEOUT = 30.0


@dataclass(frozen=True)
class Want:
    """What is wanted. The subject is named by exactly one of `subject` and `subject_token`."""

    mcp_server: str
    connector: str
    #: By id or user name: the caller vouches, and needs the policy action `act_as`.
    subject: str = ""
    #: By a token of the subject, addressed to the caller or its MCP server. It is never printed.
    subject_token: str = field(default="", repr=False)
    #: None: what the MCP server is registered as needing.
    scopes: tuple[str, ...] = ()
    account: str = ""
    #: How long the token must still live, in seconds.
    min_validity: int = 0
    #: How long the lease may live, in seconds; 0 leaves it to the cluster.
    ttl: int = 0

    def request(self) -> lease_pb2.AcquireRequest:
        if bool(self.subject) == bool(self.subject_token):
            raise ValueError("name the subject by one of subject and subject_token")
        named = {"subject": self.subject} if self.subject else {"subject_token": self.subject_token}
        return lease_pb2.AcquireRequest(
            mcp_server=self.mcp_server,
            connector=self.connector,
            scopes=self.scopes,
            account=self.account,
            min_validity_seconds=self.min_validity,
            ttl_seconds=self.ttl,
            **named,
        )


@dataclass(frozen=True)
class Consent:
    """The subject has to consent first: send it to `connect_url`, and ask again afterwards."""

    #: `NO_GRANT`, `SCOPES_MISSING` or `REAUTHENTICATION`.
    reason: str
    missing_scopes: tuple[str, ...]
    connect_url: str
    authorization: str


@dataclass(frozen=True)
class Lease:
    """A lease with its token. Moments are of `time.monotonic()`, and count from before the call was made, so they are never late."""

    lease_id: str
    access_token: str = field(repr=False)
    token_type: str
    scopes: tuple[str, ...]
    grant: str
    generation: int
    expires_at: float
    token_expires_at: float | None
    metadata: dict[str, str]
    warnings: tuple[str, ...]


class Client:
    """A connection to a cluster, and who calls. To be used in one event loop."""

    def __init__(
        self,
        address: str,
        *,
        credential: str = "",
        ca_pem: bytes | None = None,
        certificate: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Connects with the first call.

        `address` is `https://host:port`, or `http://` to a loopback address. The caller proves who it is by an API credential, or by
        `certificate`: a chain and its key, as PEM.
        """
        target, tls = _target(address)
        if certificate and not tls:
            raise ValueError("a client certificate needs an https:// address")
        options = [("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_timeout_ms", 10_000)]
        if tls:
            chain, key = certificate or (None, None)
            credentials = grpc.ssl_channel_credentials(ca_pem, key, chain)
            self._channel = grpc.aio.secure_channel(target, credentials, options=options)
        else:
            self._channel = grpc.aio.insecure_channel(target, options=options)
        self._metadata = (("authorization", f"Bearer {credential}"),) if credential else ()
        self._leases = lease_pb2_grpc.LeaseServiceStub(self._channel)

    async def close(self) -> None:
        await self._channel.close()

    async def acquire(self, want: Want) -> Lease | Consent:
        """Asks for a lease. Needing a consent is an outcome, and no error."""
        began = time.monotonic()
        answer = await self._call(self._leases.Acquire, want.request())
        outcome = answer.WhichOneof("outcome")
        if outcome == "consent_required":
            needed = answer.consent_required
            reason = lease_pb2.ConsentReason.Name(needed.reason).removeprefix("CONSENT_REASON_")
            return Consent(reason, tuple(needed.missing_scopes), needed.connect_url, needed.authorization)
        if outcome != "lease":
            raise LeaseholdError(grpc.StatusCode.INTERNAL, "MALFORMED_ANSWER", "the answer has no outcome")
        lease = answer.lease
        token_ends = None
        if lease.HasField("token_remaining_seconds"):
            token_ends = began + lease.token_remaining_seconds
        return Lease(
            lease_id=lease.lease_id,
            access_token=lease.access_token,
            token_type=lease.token_type,
            scopes=tuple(lease.scopes),
            grant=lease.grant,
            generation=lease.generation,
            expires_at=began + lease.lease_remaining_seconds,
            token_expires_at=token_ends,
            metadata=dict(lease.metadata),
            warnings=tuple(lease.warnings),
        )

    async def renew(self, lease_id: str, ttl: int = 0) -> float:
        """Lets a lease live longer; until when."""
        began = time.monotonic()
        request = lease_pb2.RenewRequest(lease_id=lease_id, ttl_seconds=ttl)
        answer = await self._call(self._leases.Renew, request)
        return began + answer.lease_remaining_seconds

    async def release(self, lease_id: str) -> None:
        """Gives a lease back."""
        await self._call(self._leases.Release, lease_pb2.ReleaseRequest(lease_id=lease_id))

    async def report_rejected(self, lease_id: str, status: int, challenge: str = "") -> None:
        """Says that the provider refused the token."""
        request = lease_pb2.ReportRejectedRequest(lease_id=lease_id, status=status, challenge=challenge)
        await self._call(self._leases.ReportRejected, request)

    async def watch(self, resume_after: int = 0) -> AsyncIterator[lease_pb2.WatchResponse]:
        """The caller's leases as they change."""
        request = lease_pb2.WatchRequest(resume_after=resume_after)
        try:
            async for push in self._leases.Watch(request, metadata=self._metadata):
                yield push
        except grpc.aio.AioRpcError as error:
            raise LeaseholdError.of(error) from None

    async def _call(self, method, request):
        try:
            return await method(request, metadata=self._metadata, timeout=CALL_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            # Its own text repeats the peer's; ours has the reason.
            raise LeaseholdError.of(error) from None


def _target(address: str) -> tuple[str, bool]:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("the address is not of the form https://host:port")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("without TLS, only a loopback address is spoken to: use https://")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}", parts.scheme == "https"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
