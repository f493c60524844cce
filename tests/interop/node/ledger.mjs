// What this provider saw, counted by itself: the tests' independent witness of how a client behaved.
// Tokens appear only as fingerprints (the first 16 hexadecimal digits of their SHA-256).

import { createHash } from 'node:crypto';

const LIMIT = 10_000;

// oidc-provider's reason, never shown to clients, for refusing a refresh token that was rotated away.
const REUSE = 'refresh token already used';

export const fingerprint = (token) => createHash('sha256').update(token).digest('hex').slice(0, 16);

export class Ledger {
  #requests = new Map();
  #presented = new Map();
  #reuses = [];
  #revoked = [];
  #introspections = 0;
  #revocations = 0;
  #resource = { accepted: 0, refused: 0 };
  #faults = 0;
  #dropped = 0;

  /// One answered request to the token endpoint; `outcome` is `ok` or the OAuth error code.
  tokenRequest({ grantType, client, outcome, refreshToken, detail }) {
    const key = JSON.stringify([grantType, client, outcome]);
    if (this.#requests.has(key) || this.#roomIn(this.#requests.size)) {
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    }
    if (refreshToken === undefined) return;

    const token = fingerprint(refreshToken);
    const seen = this.#presented.get(token) ?? { client, times: 0, accepted: 0 };
    if (!this.#presented.has(token) && !this.#roomIn(this.#presented.size)) return;
    this.#presented.set(token, seen);
    seen.times += 1;
    if (outcome === 'ok') seen.accepted += 1;
    if (detail === REUSE && this.#roomIn(this.#reuses.length)) {
      this.#reuses.push({ client, token, outcome });
    }
  }

  /// oidc-provider ended a grant and every token under it; `route` is the endpoint that caused it.
  grantRevoked({ grant, client, route }) {
    if (this.#roomIn(this.#revoked.length)) this.#revoked.push({ grant: fingerprint(grant), client, route });
  }

  introspection() {
    this.#introspections += 1;
  }

  revocation() {
    this.#revocations += 1;
  }

  resource(accepted) {
    this.#resource[accepted ? 'accepted' : 'refused'] += 1;
  }

  fault() {
    this.#faults += 1;
  }

  toJSON() {
    return {
      token_requests: [...this.#requests].map(([key, count]) => {
        const [grant_type, client, outcome] = JSON.parse(key);
        return { grant_type, client, outcome, count };
      }),
      refresh_tokens: [...this.#presented].map(([token, seen]) => ({ token, ...seen })),
      reuses: this.#reuses,
      revoked_grants: this.#revoked,
      introspections: this.#introspections,
      revocations: this.#revocations,
      resource: this.#resource,
      faults: this.#faults,
      dropped: this.#dropped,
    };
  }

  #roomIn(size) {
    if (size < LIMIT) return true;
    this.#dropped += 1;
    return false;
  }
}
