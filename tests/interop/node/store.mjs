// The in-memory store behind oidc-provider: tokens, grants, sessions, interactions.
// It lives as long as the process and holds at most LIMIT entries; a test that needs more is wrong.
// Every call answers at once. oidc-provider waits for nothing else between finding a token unused and consuming it,
// so of two requests with one token the second finds it used.

const LIMIT = 50_000;

/// Each oidc-provider model sees the store through an adapter of its own, made by `adapter(name)`.
export class Store {
  #entries = new Map();

  adapter(model) {
    const key = (id) => `${model}:${id}`;
    const entries = this.#entries;
    const first = (field, value) =>
      [...entries.values()].find((entry) => entry.model === model && entry.payload[field] === value)?.payload;

    return {
      async upsert(id, payload) {
        if (entries.size >= LIMIT && !entries.has(key(id))) throw new Error(`the store holds ${LIMIT} entries`);
        entries.set(key(id), { model, payload });
      },
      async find(id) {
        return entries.get(key(id))?.payload;
      },
      async findByUid(uid) {
        return first('uid', uid);
      },
      async findByUserCode(userCode) {
        return first('userCode', userCode);
      },
      async destroy(id) {
        entries.delete(key(id));
      },
      async consume(id) {
        entries.get(key(id)).payload.consumed = Math.floor(Date.now() / 1000);
      },
      async revokeByGrantId(grantId) {
        for (const [name, entry] of entries) {
          if (entry.model === model && entry.payload.grantId === grantId) entries.delete(name);
        }
      },
    };
  }

  /// How many entries of a token model a client could still use.
  live(model, clientId) {
    const now = Date.now() / 1000;
    return [...this.#entries.values()].filter(({ model: kind, payload }) =>
      kind === model && payload.clientId === clientId && !payload.consumed && payload.exp > now).length;
  }

  /// Forgets every access token, as if all had expired this moment. Returns how many there were.
  expireAccessTokens() {
    let expired = 0;
    for (const [name, entry] of this.#entries) {
      if (entry.model === 'AccessToken' || entry.model === 'ClientCredentials') {
        this.#entries.delete(name);
        expired += 1;
      }
    }
    return expired;
  }
}
