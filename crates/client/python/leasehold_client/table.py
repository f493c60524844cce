"""What is held, and every rule about it. Without a clock and without a connection: the present moment comes in as a parameter."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from dataclasses import dataclass

from leasehold.v1 import lease_pb2

from .client import Lease, Want

#: How many ends are remembered, against answers that they overtake.
ENDS_MAX = 4096
#: The grace, in seconds, until the cluster has stated one.
GRACE = 10.0
#: How long before its end a lease is not handed out any more, in seconds.
MARGIN = 1.0
#: The shortest wait before a renewal, in seconds, so that a lease near its end causes no storm.
RENEW_AFTER_MIN = 0.5


class HeldLease:
    """A lease out of a `LeaseHolder`. Look at `live` before using a token that was kept for a while."""

    def __init__(self, lease: Lease, clock) -> None:
        self._lease, self._clock = lease, clock
        self._expires_at = lease.expires_at
        self._ended = asyncio.Event()

    lease_id = property(lambda self: self._lease.lease_id)
    access_token = property(lambda self: self._lease.access_token)
    token_type = property(lambda self: self._lease.token_type)
    scopes = property(lambda self: self._lease.scopes)
    grant = property(lambda self: self._lease.grant)
    metadata = property(lambda self: self._lease.metadata)
    warnings = property(lambda self: self._lease.warnings)
    token_expires_at = property(lambda self: self._lease.token_expires_at)
    #: Moves as the lease is renewed.
    expires_at = property(lambda self: self._expires_at)

    @property
    def live(self) -> bool:
        """Whether the token may still be used."""
        return not self._ended.is_set() and self._clock() < self._expires_at

    async def ended(self) -> None:
        """Waits until the token is not to be used any more. Whoever keeps a request to the provider open ends it then."""
        while self.live:
            # A renewal may have moved the end meanwhile. Not `wait_for`: before Python 3.12 it can lose the cancellation of its caller.
            ended = asyncio.ensure_future(self._ended.wait())
            try:
                await asyncio.wait({ended}, timeout=self._expires_at - self._clock())
            finally:
                ended.cancel()

    def __repr__(self) -> str:
        return repr(self._lease)


@dataclass
class _Entry:
    held: HeldLease
    want: Want
    renew_at: float | None
    asked_for: bool = False


class Table:
    def __init__(self, leases_max: int, clock) -> None:
        self._clock = clock
        self._leases_max = max(leases_max, 1)
        #: The least recently asked for comes first.
        self._entries: OrderedDict[Want, _Entry] = OrderedDict()
        self._ends: OrderedDict[str, None] = OrderedDict()
        #: Raised whenever an end may have gone unremembered: answers to calls from before are not believed.
        self.epoch = 0
        #: Up to which sequence number everything was seen.
        self.seq = 0
        self._heard_at: float | None = None
        self._grace = GRACE

    def watching(self, now: float) -> bool:
        return self._heard_at is not None and now < self._heard_at + self._grace

    def find(self, want: Want, now: float) -> HeldLease | None:
        """A held lease that can be used now and whose token lives long enough."""
        entry = self._entries.get(want) if self.watching(now) else None
        if entry is None or now + MARGIN >= entry.held.expires_at:
            return None
        token_ends = entry.held.token_expires_at
        if token_ends is not None and now + want.min_validity > token_ends:
            return None
        entry.asked_for = True
        self._entries.move_to_end(want)
        return entry.held

    def acquired(self, want: Want, lease: Lease, epoch: int, now: float) -> HeldLease | None:
        """Takes an answer to a call that began in `epoch`. None: it may have ended before it arrived, so ask again."""
        if epoch != self.epoch or lease.lease_id in self._ends:
            return None
        held = HeldLease(lease, self._clock)
        if not self.watching(now):
            return held
        self._drop(want)
        while len(self._entries) >= self._leases_max:
            self._drop(next(iter(self._entries)))
        self._entries[want] = _Entry(held, want, _half_life(lease.expires_at, now))
        return held

    def heard(self, push: lease_pb2.WatchResponse, now: float) -> None:
        """Takes a push."""
        self._heard_at = now
        self.seq = max(self.seq, push.seq)
        change = push.WhichOneof("change")
        if change == "resync":
            self.seq = push.seq
            self.epoch += 1
            self._grace = float(max(push.resync.grace_seconds, 1))
            current = {held.lease_id for held in push.resync.leases}
            self._retain(lambda entry: entry.held.lease_id in current)
        elif change == "ended":
            self.let_go(push.ended.lease_id)
            if len(self._ends) >= ENDS_MAX:
                self._ends.popitem(last=False)
                self.epoch += 1
            self._ends[push.ended.lease_id] = None

    def let_go(self, lease_id: str) -> None:
        self._retain(lambda entry: entry.held.lease_id != lease_id)

    def tick(self, room: int, now: float) -> list[tuple[Want, str]]:
        """Drops what has run out, and everything after a silence; the renewals to make, at most `room`."""
        if self._heard_at is not None and not self.watching(now):
            self._heard_at = None
            self._retain(lambda entry: False)
        self._retain(lambda entry: now < entry.held.expires_at)
        due = []
        for entry in self._entries.values():
            if entry.renew_at is None or entry.renew_at > now:
                continue
            if not entry.asked_for:
                entry.renew_at = None  # Nobody needs it: it lapses.
            elif len(due) < room:
                entry.renew_at = None
                due.append((entry.want, entry.held.lease_id))
        return due

    def renewed(self, want: Want, lease_id: str, until: float, now: float) -> None:
        entry = self._renewing(want, lease_id)
        if entry is not None:
            before, entry.held._expires_at = entry.held.expires_at, until
            entry.asked_for = False
            # Where it could not be made longer, it has reached a bound: the next who asks gets another.
            entry.renew_at = _half_life(until, now) if until > before else None

    def not_renewed(self, want: Want, lease_id: str, refused: bool, now: float) -> None:
        entry = self._renewing(want, lease_id)
        if entry is not None and refused:
            self._drop(want)
        elif entry is not None:
            entry.renew_at = _half_life(entry.held.expires_at, now)

    def next_wake(self, can_renew: bool) -> float | None:
        """When `tick` has something to do next."""
        moments = [] if self._heard_at is None else [self._heard_at + self._grace]
        for entry in self._entries.values():
            moments.append(entry.held.expires_at)
            if can_renew and entry.renew_at is not None:
                moments.append(entry.renew_at)
        return min(moments, default=None)

    def close(self) -> None:
        self._heard_at = None
        self._retain(lambda entry: False)

    def _renewing(self, want: Want, lease_id: str) -> _Entry | None:
        entry = self._entries.get(want)
        return entry if entry is not None and entry.held.lease_id == lease_id else None

    def _retain(self, keep) -> None:
        for want in [want for want, entry in self._entries.items() if not keep(entry)]:
            self._drop(want)

    def _drop(self, want: Want) -> None:
        entry = self._entries.pop(want, None)
        if entry is not None:
            entry.held._ended.set()


def _half_life(expires_at: float, now: float) -> float:
    """About half of what remains, spread at random so that many holders do not move in step."""
    remaining = max(expires_at - now, 0.0)
    return now + max(remaining * random.uniform(0.4, 0.6), min(RENEW_AFTER_MIN, remaining))
