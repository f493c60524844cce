/** The rules of what is held. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Lease } from "../src/client.js";
import type { WatchResponse__Output } from "../src/generated/leasehold/v1/WatchResponse.js";
import { type HeldLease, Table } from "../src/table.js";

const WANT = { mcpServer: "files", connector: "sandbox", subject: "alice" };

class Rig {
  now = 1_000_000;
  table: Table;

  constructor(leasesMax = 8) {
    this.table = new Table(leasesMax, () => this.now);
  }

  lease(leaseId = "lse_1", seconds = 300, token = 3600): Lease {
    return new Lease({
      leaseId,
      accessToken: "a-secret",
      tokenType: "Bearer",
      scopes: ["files.read"],
      grant: "grt_1",
      expiresAt: this.now + seconds * 1000,
      tokenExpiresAt: this.now + token * 1000,
      metadata: {},
      warnings: [],
    });
  }

  hear(change: object): void {
    this.table.heard({ seq: "1", ...change } as WatchResponse__Output, this.now);
  }

  resync(...ids: string[]): void {
    this.hear({ resync: { leases: ids.map((lease_id) => ({ lease_id })), grace_seconds: 10 } });
  }

  keepalive(): void {
    this.hear({ keepalive: {} });
  }

  hold(key = "files", want = WANT, lease = this.lease()): HeldLease | undefined {
    return this.table.acquired(key, want, lease, this.table.epoch, this.now);
  }
}

test("nothing is held before pushes are heard", () => {
  const rig = new Rig();
  assert.equal(rig.hold()?.live, true);
  assert.equal(rig.table.find("files", rig.now), undefined);
});

test("a lease is handed out until shortly before its end", () => {
  const rig = new Rig();
  rig.resync();
  const held = rig.hold();
  for (let second = 0; second < 298; second += 1) {
    rig.now = 1_000_000 + second * 1000;
    rig.keepalive();
    assert.equal(rig.table.find("files", rig.now), held);
  }
  rig.now = 1_299_500;
  rig.keepalive();
  assert.equal(held?.live, true);
  assert.equal(rig.table.find("files", rig.now), undefined);
});

test("an end that is pushed ends the lease, and answers that it overtook", () => {
  const rig = new Rig();
  rig.resync();
  const held = rig.hold();
  rig.hear({ ended: { lease_id: "lse_1", reason: "revoked" } });
  assert.equal(held?.live, false);
  assert.equal(held?.ended.aborted, true);
  assert.equal(rig.table.find("files", rig.now), undefined);
  assert.equal(rig.hold(), undefined, "its answer came after its end");
});

test("a resync replaces what was held and what was on its way", () => {
  const rig = new Rig();
  rig.resync();
  const [kept, lost] = [rig.hold(), rig.hold("mail", WANT, rig.lease("lse_2"))];
  const { epoch } = rig.table;
  rig.resync("lse_1");
  assert.deepEqual([kept?.live, lost?.live], [true, false]);
  assert.equal(rig.table.acquired("files", WANT, rig.lease("lse_3"), epoch, rig.now), undefined);
});

test("a silence of the grace ends everything", () => {
  const rig = new Rig();
  rig.resync();
  const held = rig.hold();
  rig.now += 9999;
  assert.equal(rig.table.find("files", rig.now), held);
  rig.now += 1;
  assert.equal(rig.table.find("files", rig.now), undefined);
  rig.table.tick(8, rig.now);
  assert.equal(held?.live, false);
  rig.keepalive();
  assert.equal(rig.table.find("files", rig.now), undefined, "what was dropped does not come back");
});

test("only what somebody asks for is renewed", () => {
  const rig = new Rig();
  rig.resync();
  rig.hold();
  const held = rig.hold("mail", WANT, rig.lease("lse_2"));
  rig.table.find("mail", rig.now);
  rig.now += 200_000;
  rig.keepalive();
  const due = rig.table.tick(8, rig.now);
  assert.deepEqual(due, [{ key: "mail", leaseId: "lse_2", ttl: 0 }]);
  rig.table.renewed(due[0]!, rig.now + 300_000, rig.now);
  assert.equal(held?.expiresAt, rig.now + 300_000);
  rig.table.notRenewed(due[0]!, true, rig.now);
  assert.equal(held?.live, false, "a refusal is the cluster's word");
});

test("a token that ends too soon is not handed out", () => {
  const rig = new Rig();
  rig.resync();
  rig.hold("files", { ...WANT, minValidity: 120 } as typeof WANT, rig.lease("lse_1", 300, 150));
  assert.notEqual(rig.table.find("files", rig.now), undefined);
  rig.now += 31_000;
  rig.keepalive();
  assert.equal(rig.table.find("files", rig.now), undefined);
});

test("at the bound the least recently asked for is let go", () => {
  const rig = new Rig(2);
  rig.resync();
  const held = [rig.hold("a", WANT, rig.lease("lse_1")), rig.hold("b", WANT, rig.lease("lse_2"))];
  rig.table.find("a", rig.now);
  held.push(rig.hold("c", WANT, rig.lease("lse_3")));
  assert.deepEqual(held.map((each) => each?.live), [true, false, true]);
});

test("nothing prints a secret", () => {
  const rig = new Rig();
  for (const shown of [rig.lease(), rig.hold()]) {
    assert.doesNotMatch(inspect(shown, { depth: 9, showHidden: true }) + JSON.stringify(shown), /a-secret/);
  }
});
