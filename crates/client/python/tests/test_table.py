"""The rules of what is held. Run with the generated stubs on the path: python -m unittest discover -s tests"""

import unittest

from leasehold.v1 import lease_pb2

from leasehold_client.client import Lease, Want
from leasehold_client.table import Table

WANT = Want(mcp_server="files", connector="sandbox", subject="alice")


class Rig:
    def __init__(self, leases_max: int = 8) -> None:
        self.now = 1000.0
        self.table = Table(leases_max, lambda: self.now)

    def lease(self, lease_id: str = "lse_1", seconds: float = 300.0, token: float | None = 3600.0) -> Lease:
        return Lease(
            lease_id, "a-secret", "Bearer", ("files.read",), "grt_1", 1, self.now + seconds,
            None if token is None else self.now + token, {}, (),
        )

    def hear(self, **change) -> None:
        self.table.heard(lease_pb2.WatchResponse(seq=1, **change), self.now)

    def resync(self, *ids: str) -> None:
        leases = [lease_pb2.HeldLease(lease_id=each) for each in ids]
        self.hear(resync=lease_pb2.Resync(leases=leases, grace_seconds=10))

    def keepalive(self) -> None:
        self.hear(keepalive=lease_pb2.Keepalive())

    def hold(self, want: Want = WANT, **lease):
        return self.table.acquired(want, self.lease(**lease), self.table.epoch, self.now)


class Rules(unittest.TestCase):
    def test_nothing_is_held_before_pushes_are_heard(self) -> None:
        rig = Rig()
        held = rig.hold()
        self.assertTrue(held.live)
        self.assertIsNone(rig.table.find(WANT, rig.now))

    def test_a_lease_is_handed_out_until_shortly_before_its_end(self) -> None:
        rig = Rig()
        rig.resync()
        held = rig.hold()
        for second in range(0, 298):
            rig.now = 1000.0 + second
            rig.keepalive()
            self.assertIs(rig.table.find(WANT, rig.now), held)
        rig.now = 1299.5
        rig.keepalive()
        self.assertTrue(held.live)
        self.assertIsNone(rig.table.find(WANT, rig.now))

    def test_an_end_that_is_pushed_ends_the_lease_and_answers_that_it_overtook(self) -> None:
        rig = Rig()
        rig.resync()
        held = rig.hold()
        rig.hear(ended=lease_pb2.LeaseEnded(lease_id="lse_1", reason="revoked"))
        self.assertFalse(held.live)
        self.assertIsNone(rig.table.find(WANT, rig.now))
        self.assertIsNone(rig.hold(), "its answer came after its end")

    def test_a_resync_replaces_what_was_held_and_what_was_on_its_way(self) -> None:
        rig = Rig()
        rig.resync()
        kept, lost = rig.hold(), rig.hold(Want("mail", "sandbox", subject="alice"), lease_id="lse_2")
        epoch = rig.table.epoch
        rig.resync("lse_1")
        self.assertEqual((kept.live, lost.live), (True, False))
        self.assertIsNone(rig.table.acquired(WANT, rig.lease("lse_3"), epoch, rig.now))

    def test_a_silence_of_the_grace_ends_everything(self) -> None:
        rig = Rig()
        rig.resync()
        held = rig.hold()
        rig.now += 9.9
        self.assertIs(rig.table.find(WANT, rig.now), held)
        rig.now += 0.1
        self.assertIsNone(rig.table.find(WANT, rig.now))
        rig.table.tick(8, rig.now)
        self.assertFalse(held.live)
        rig.keepalive()
        self.assertIsNone(rig.table.find(WANT, rig.now), "what was dropped does not come back")

    def test_only_what_somebody_asks_for_is_renewed(self) -> None:
        rig = Rig()
        rig.resync()
        rig.hold()
        held = rig.hold(Want("mail", "sandbox", subject="alice"), lease_id="lse_2")
        rig.table.find(Want("mail", "sandbox", subject="alice"), rig.now)
        rig.now += 200
        rig.keepalive()
        due = rig.table.tick(8, rig.now)
        self.assertEqual([lease_id for _, lease_id in due], ["lse_2"])
        rig.table.renewed(*due[0], rig.now + 300, rig.now)
        self.assertEqual(held.expires_at, rig.now + 300)
        rig.table.not_renewed(*due[0], True, rig.now)
        self.assertFalse(held.live, "a refusal is the cluster's word")

    def test_a_token_that_ends_too_soon_is_not_handed_out(self) -> None:
        rig = Rig()
        rig.resync()
        want = Want("files", "sandbox", subject="alice", min_validity=120)
        rig.hold(want, token=150.0)
        self.assertIsNotNone(rig.table.find(want, rig.now))
        rig.now += 31
        rig.keepalive()
        self.assertIsNone(rig.table.find(want, rig.now))

    def test_at_the_bound_the_least_recently_asked_for_is_let_go(self) -> None:
        rig = Rig(leases_max=2)
        rig.resync()
        wants = [Want(name, "sandbox", subject="alice") for name in ("a", "b", "c")]
        held = [rig.hold(wants[0], lease_id="lse_1"), rig.hold(wants[1], lease_id="lse_2")]
        rig.table.find(wants[0], rig.now)
        held.append(rig.hold(wants[2], lease_id="lse_3"))
        self.assertEqual([each.live for each in held], [True, False, True])

    def test_nothing_prints_a_secret(self) -> None:
        rig = Rig()
        want = Want("files", "sandbox", subject_token="eyJ.secret")
        self.assertNotIn("secret", repr(want))
        self.assertNotIn("a-secret", repr(rig.lease()) + repr(rig.hold()))


if __name__ == "__main__":
    unittest.main()
