// The login and consent pages: plain HTML forms, no script, so that a cookie jar and a form parser can walk them.
//
//   form#login    fields login, password
//   form#consent  a checkbox `scope` for each scope that may be refused, buttons `decision` = allow | deny

const BODY_LIMIT = 16 * 1024;

const escape = (text) =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (title, body) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title></head>
<body><h1>${escape(title)}</h1>
${body}
</body></html>
`;

const loginPage = (action, message) => page('Sign in', `${message ? `<p id="message">${escape(message)}</p>` : ''}
<form id="login" method="post" action="${escape(action)}">
<label>Login <input name="login" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>`);

const consentPage = (action, client, scopes) => page('Consent', `<p><strong id="client">${escape(client)}</strong> asks for:</p>
<form id="consent" method="post" action="${escape(action)}">
${scopes.map((scope) => `<label><input type="checkbox" name="scope" value="${escape(scope)}" checked> ${escape(scope)}</label>`).join('\n')}
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button>
</form>`);

async function formBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_LIMIT) throw Object.assign(new Error('the form is too large'), { status: 413, expose: true });
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}

// The protocol itself needs `openid`, so the page does not offer to refuse it.
const asked = (params) => [...new Set((params.scope ?? '').split(' ').filter(Boolean))];
const refusable = (params) => asked(params).filter((scope) => scope !== 'openid');

async function consented(provider, { params, session }, form) {
  const ticked = new Set(form.getAll('scope'));
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  for (const scope of asked(params)) {
    if (scope === 'openid' || ticked.has(scope)) grant.addOIDCScope(scope);
    else grant.rejectOIDCScope(scope);
  }
  return { consent: { grantId: await grant.save() } };
}

/// Koa middleware for GET and POST /interaction/:uid. `signIn(login, password)` answers a subject or undefined.
export function pages(provider, signIn) {
  return async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const interaction = await provider.interactionDetails(ctx.req, ctx.res);
    const { prompt, params } = interaction;
    ctx.set('cache-control', 'no-store');
    ctx.type = 'html';

    const finish = async (result) => {
      ctx.status = 303;
      ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true }));
    };

    if (ctx.method === 'GET') {
      ctx.body = prompt.name === 'login'
        ? loginPage(ctx.path)
        : consentPage(ctx.path, params.client_id, refusable(params));
      return undefined;
    }
    if (ctx.method !== 'POST') {
      ctx.status = 405;
      return undefined;
    }

    const form = await formBody(ctx.req);
    if (prompt.name === 'login') {
      const subject = signIn(form.get('login') ?? '', form.get('password') ?? '');
      if (subject === undefined) {
        ctx.status = 401;
        ctx.body = loginPage(ctx.path, 'The login or the password is wrong.');
        return undefined;
      }
      return finish({ login: { accountId: subject } });
    }
    if (form.get('decision') !== 'allow') {
      return finish({ error: 'access_denied', error_description: 'the user refused' });
    }
    return finish(await consented(provider, interaction, form));
  };
}
