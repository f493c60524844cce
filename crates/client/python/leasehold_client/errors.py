"""Why a call failed: the cluster's stable reason where it gave one, and what stands in its place where no node answered."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2, status_pb2

_RETRYABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}


class LeaseholdError(Exception):
    """A failed call. Its text is the message and the reason; neither ever carries a secret."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        metadata: dict[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{message} ({reason})")
        #: The gRPC status code.
        self.code = code
        #: The stable reason (`POLICY_DENIED`, `NO_LEADER`, ...), or `UNREACHABLE`, or the name of the status code.
        self.reason = reason
        #: What the cluster says about it, for people.
        self.message = message
        #: What `google.rpc.ErrorInfo` says beside the reason.
        self.metadata = metadata or {}
        #: After how many seconds another try may help, where the cluster says so.
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return self.retry_after is not None or self.code in _RETRYABLE or self.reason == "OUTCOME_UNKNOWN"

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> LeaseholdError:
        """Reads what a call ended with."""
        code, message = error.code(), error.details() or ""
        reason, metadata, retry_after = None, {}, None
        for detail in _details(error):
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
                reason, metadata = info.reason or None, dict(info.metadata)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        if reason is None:
            reason = "UNREACHABLE" if code is grpc.StatusCode.UNAVAILABLE else code.name
        return cls(code, reason, message, metadata, retry_after)


def _details(error: grpc.aio.AioRpcError) -> list:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            try:
                return list(status_pb2.Status.FromString(value).details)
            except Exception:  # noqa: BLE001 - details that do not decode are as good as none
                return []
    return []
