"""Keeps a program's leases: acquires, renews those in use, and drops what the cluster ends.

- A token out of its memory belongs to a lease that has not ended, by a push or by time, and the pushes it would have heard of an end by
  have not been silent for longer than the cluster's grace.
- When they have, everything held is dropped. Until they are heard again each call asks the cluster, and nothing is kept.
- An answer that a push overtook is not believed: a lease that ended while its answer was on the way is asked for again.
- Callers who want the same at the same time cause one call.
"""

from __future__ import annotations

import asyncio
import random
import time
from weakref import WeakValueDictionary

import grpc

from .client import Client, Consent, Want
from .errors import LeaseholdError
from .table import HeldLease, Table

_OVERTAKEN_MAX = 3
#: How long a stream may be silent before it is taken for broken, in seconds. The table has dropped everything long before.
_SILENCE_MAX = 60.0
_WAIT_MIN, _WAIT_MAX = 0.1, 5.0


class LeaseHolder:
    """The leases of a program. `async with LeaseHolder(client) as holder:`; at its end they lapse."""

    def __init__(self, client: Client, *, leases_max: int = 1024, renewals_max: int = 8) -> None:
        self._client = client
        self._renewals_max = max(renewals_max, 1)
        self._table = Table(leases_max, time.monotonic)
        self._turns: WeakValueDictionary[Want, asyncio.Lock] = WeakValueDictionary()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task] = set()

    async def __aenter__(self) -> LeaseHolder:
        self._tasks = {asyncio.create_task(self._watch()), asyncio.create_task(self._keep())}
        return self

    async def __aexit__(self, *_) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._table.close()

    @property
    def watching(self) -> bool:
        """Whether pushes are being heard, so that leases are held at all."""
        return self._table.watching(time.monotonic())

    async def lease(self, want: Want) -> HeldLease | Consent:
        """A lease for what is wanted: one that is held, or a new one; or the consent that is needed first."""
        held = self._table.find(want, time.monotonic())
        if held is not None:
            return held
        turn = self._turns.setdefault(want, asyncio.Lock())
        async with turn:
            held = self._table.find(want, time.monotonic())
            if held is not None:
                return held
            for _ in range(1 + _OVERTAKEN_MAX):
                epoch = self._table.epoch
                outcome = await self._client.acquire(want)
                if isinstance(outcome, Consent):
                    return outcome
                held = self._table.acquired(want, outcome, epoch, time.monotonic())
                if held is not None:
                    self._changed.set()
                    return held
        message = "the lease ended before its answer arrived, again and again"
        raise LeaseholdError(grpc.StatusCode.ABORTED, "OVERTAKEN", message)

    async def release(self, lease: HeldLease) -> None:
        """Gives a lease back. It is let go in any case."""
        self._table.let_go(lease.lease_id)
        await self._client.release(lease.lease_id)

    async def report_rejected(self, lease: HeldLease, status: int, challenge: str = "") -> None:
        """Says that the provider refused a lease's token, and lets the lease go: the next `lease` asks the cluster."""
        self._table.let_go(lease.lease_id)
        await self._client.report_rejected(lease.lease_id, status, challenge)

    async def _watch(self) -> None:
        wait = _WAIT_MIN
        while True:
            if await self._listen():
                wait = _WAIT_MIN
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, _WAIT_MAX)

    async def _listen(self) -> bool:
        """Listens until the stream ends; whether anything was heard."""
        heard = False
        pushes = self._client.watch(self._table.seq)
        push = None
        try:
            while True:
                # Not `wait_for`: before Python 3.12 it loses the holder's end where that meets a push.
                push = asyncio.ensure_future(anext(pushes))
                await asyncio.wait({push}, timeout=_SILENCE_MAX)
                if not push.done():
                    return heard
                self._table.heard(push.result(), time.monotonic())
                heard = True
                self._changed.set()
        except (LeaseholdError, StopAsyncIteration):
            return heard
        finally:
            if push is not None:
                push.cancel()
                await asyncio.gather(push, return_exceptions=True)
            await pushes.aclose()

    async def _keep(self) -> None:
        renewals: set[asyncio.Task] = set()
        try:
            while True:
                self._changed.clear()
                due = self._table.tick(self._renewals_max - len(renewals), time.monotonic())
                renewals |= {asyncio.create_task(self._renew(want, lease_id)) for want, lease_id in due}
                wake = self._table.next_wake(len(renewals) < self._renewals_max)
                wait = None if wake is None else max(wake - time.monotonic(), 0)
                changed = asyncio.create_task(self._changed.wait())
                try:
                    done, _ = await asyncio.wait(
                        renewals | {changed}, timeout=wait, return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    changed.cancel()
                renewals -= done
        finally:
            for task in renewals:
                task.cancel()

    async def _renew(self, want: Want, lease_id: str) -> None:
        try:
            until = await self._client.renew(lease_id, want.ttl)
        except LeaseholdError as error:
            # A refusal is the cluster's word on the lease; anything else says nothing about it.
            self._table.not_renewed(want, lease_id, not error.retryable, time.monotonic())
        else:
            self._table.renewed(want, lease_id, until, time.monotonic())
