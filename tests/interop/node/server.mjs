// One certified OpenID provider (npm oidc-provider) for tests, on loopback: `node server.mjs CONFIG.json`.
//
// Prints one JSON line {"issuer", "admin"} when it listens, and ends when its standard input closes, so that it
// never outlives the test that started it. The admin port answers only to the bearer secret of the configuration:
//   GET  /__ledger                      what was seen (ledger.mjs)
//   GET  /__live?client=ID              how many of that client's tokens are live: {"access_tokens", "refresh_tokens"}
//   POST /__expire                      every access token is expired from now on; answers {"expired": n}
//   POST /__redirect?client=ID&uri=URI  the client may be answered there too; answers {"redirect_uris": n}

import { createHash, generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider, { errors, interactionPolicy } from 'oidc-provider';

import { Ledger } from './ledger.mjs';
import { pages } from './pages.mjs';
import { Store } from './store.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const store = new Store();
const ledger = new Ledger();

const clients = store.adapter('Client');

const digest = (text) => createHash('sha256').update(text).digest();
const sameSecret = (left, right) => timingSafeEqual(digest(left), digest(right));

function signIn(login, password) {
  const account = config.accounts.find((candidate) => candidate.login === login);
  return account && sameSecret(account.password, password) ? account.subject : undefined;
}

function findAccount(_ctx, subject) {
  const account = config.accounts.find((candidate) => candidate.subject === subject);
  if (!account) return undefined;
  const { email, name, login } = account;
  return {
    accountId: subject,
    claims: async () => ({ sub: subject, email, email_verified: true, name, preferred_username: login }),
  };
}

/// Consent is asked each time and makes a grant of its own, so that one revocation never ends another's tokens.
function policy() {
  const base = interactionPolicy.base();
  base.get('consent').checks.add(
    new interactionPolicy.Check('asked_each_time', 'consent is asked each time', 'consent_required',
      (ctx) => !ctx.oidc.result?.consent),
  );
  return base;
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: randomBytes(8).toString('hex') };
}

const client = ({ id, secret, redirect_uris, grant_types }) => ({
  client_id: id,
  ...(secret === null
    ? { token_endpoint_auth_method: 'none' }
    : { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' }),
  redirect_uris,
  grant_types,
  response_types: grant_types.includes('authorization_code') ? ['code'] : [],
});

function configuration(port) {
  return {
    adapter: (model) => store.adapter(model),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    responseTypes: ['code'],
    jwks: { keys: [signingKey()] },
    findAccount,
    scopes: ['openid', 'offline_access', ...config.scopes],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    conformIdTokenClaims: false,
    clockTolerance: 0,
    // Several providers on 127.0.0.1 share a browser's cookies: ports do not separate them.
    cookies: {
      keys: [randomBytes(32).toString('hex')],
      names: { session: `session_${port}`, interaction: `interaction_${port}`, resume: `resume_${port}` },
    },
    clientBasedCORS: () => false,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, issuedTo) => issuedTo.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    loadExistingGrant: async (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId;
      return grantId ? ctx.oidc.provider.Grant.find(grantId) : undefined;
    },
    interactions: { policy: policy(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    ttl: {
      AccessToken: () => config.access_token_seconds,
      ClientCredentials: () => config.access_token_seconds,
      AuthorizationCode: 60,
      IdToken: 300,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
      Grant: 86_400,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: async (_ctx, caller, token) =>
          caller.clientAuthMethod !== 'none' || token.clientId === caller.clientId,
      },
      revocation: {
        enabled: true,
        allowedPolicy: async (_ctx, caller, token) => {
          if (token.clientId !== caller.clientId) throw new errors.InvalidRequest('the token is not the caller\'s');
          return true;
        },
      },
      resourceIndicators: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: true },
    },
  };
}

const oauthError = (body) => (body && typeof body === 'object' && body.error) || 'unreadable';

/// A request without a scope would end in access_denied: give it the configured default.
async function defaultScope(ctx, next) {
  if (ctx.path === '/auth' && ctx.method === 'GET' && config.default_scope && !ctx.query.scope) {
    ctx.query = { ...ctx.query, scope: config.default_scope };
  }
  return next();
}

async function witness(ctx, next) {
  await next();
  if (ctx.path === '/token/introspection') ledger.introspection();
  if (ctx.path === '/token/revocation') ledger.revocation();
  if (ctx.path !== '/token' || ctx.method !== 'POST') return;
  const params = ctx.oidc?.params ?? {};
  ledger.tokenRequest({
    grantType: params.grant_type ?? 'none',
    client: ctx.oidc?.client?.clientId ?? params.client_id ?? 'unknown',
    outcome: ctx.status === 200 ? 'ok' : oauthError(ctx.body),
    refreshToken: params.refresh_token,
    detail: ctx.state.refusal,
  });
}

/// GET /resource/SCOPE: the protected resource. Answers who the bearer token speaks for, if it carries SCOPE.
const resource = (provider) => async (ctx, next) => {
  if (!ctx.path.startsWith('/resource/')) return next();
  const bearer = /^Bearer ([\w.~+/-]+=*)$/i.exec(ctx.get('authorization'))?.[1];
  const token = bearer
    && (await provider.AccessToken.find(bearer) ?? await provider.ClientCredentials.find(bearer));
  const needed = decodeURIComponent(ctx.path.slice('/resource/'.length));
  const carried = token?.scope?.split(' ') ?? [];
  const accepted = Boolean(token) && carried.includes(needed);
  ledger.resource(accepted);
  if (accepted) {
    ctx.body = { subject: token.accountId ?? null, client: token.clientId, scope: token.scope };
    return undefined;
  }
  const error = token ? 'insufficient_scope' : 'invalid_token';
  ctx.status = token ? 403 : 401;
  ctx.set('www-authenticate', `Bearer error="${error}"`);
  ctx.body = { error };
  return undefined;
};

async function addRedirectUri(id, uri) {
  const known = await clients.find(id);
  if (!known) return undefined;
  const redirect_uris = [...new Set([...known.redirect_uris, uri])];
  await clients.upsert(id, { ...known, redirect_uris });
  return { redirect_uris: redirect_uris.length };
}

async function admin(request, response) {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  };
  if (!sameSecret(request.headers.authorization ?? '', `Bearer ${config.admin_secret}`)) {
    return answer(401, { error: 'unauthorized' });
  }
  const { pathname, searchParams } = new URL(request.url, adminUrl);
  const named = searchParams.get('client') ?? '';
  const calls = {
    'GET /__ledger': () => ledger,
    'GET /__live': () => ({
      access_tokens: store.live('AccessToken', named),
      refresh_tokens: store.live('RefreshToken', named),
    }),
    'POST /__expire': () => ({ expired: store.expireAccessTokens() }),
    'POST /__redirect': () => addRedirectUri(named, searchParams.get('uri') ?? ''),
  };
  const body = await calls[`${request.method} ${pathname}`]?.();
  return body === undefined ? answer(404, { error: 'not_found' }) : answer(200, body);
}

async function listen(server, port) {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

// The issuer names the port, so the port must be held before the provider can be made.
let handle = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response));
const issuer = await listen(server, config.port);
const adminUrl = await listen(createServer(admin), 0);

// In the store, not in the configuration: there a client could never learn another redirect URI.
for (const entry of config.clients) await clients.upsert(entry.id, client(entry));

const provider = new Provider(issuer, configuration(new URL(issuer).port));
provider.on('server_error', (_ctx, error) => {
  ledger.fault();
  console.error(error);
});
provider.on('grant.error', (ctx, error) => {
  ctx.state.refusal = error.error_detail;
});
provider.on('grant.revoked', (ctx, grant) =>
  ledger.grantRevoked({ grant, client: ctx.oidc.client?.clientId ?? 'unknown', route: ctx.oidc.route }));
provider.use(witness);
provider.use(defaultScope);
provider.use(resource(provider));
provider.use(pages(provider, signIn));
handle = provider.callback();

process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ issuer, admin: adminUrl })}\n`);
