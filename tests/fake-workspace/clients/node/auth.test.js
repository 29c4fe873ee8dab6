// google-auth-library: all ways to a token, and what happens when one ends.
'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { gmail } = require('@googleapis/gmail');
const { admin } = require('@googleapis/admin');
const { CodeChallengeMethod, Compute, OAuth2Client } = require('google-auth-library');
const fake = require('./fake.js');

async function address(auth) {
  const { data } = await gmail({ version: 'v1', auth }).users.getProfile({ userId: 'me' });
  return data.emailAddress;
}

/** Says yes on the consent page and returns where it leads to. */
async function consent(url, user) {
  const page = await (await fetch(url)).text();
  const form = new URLSearchParams();
  for (const [, name, value] of page.matchAll(/<input type=hidden name="([^"]+)" value="([^"]*)"/g)) {
    form.set(name, value.replaceAll('&amp;', '&'));
  }
  form.set('user', user);
  form.set('decision', 'allow');
  const answer = await fetch(url.split('?')[0], { method: 'POST', body: form, redirect: 'manual' });
  return new URL(answer.headers.get('location'));
}

test('one service account stands for many users', async () => {
  for (const user of fake.users) {
    assert.equal(await address(fake.credentials(user, fake.scopes.readonly)), user);
  }
});

test('no such user is told', async () => {
  await assert.rejects(address(fake.credentials('nobody@example.com', fake.scopes.readonly)), error => {
    assert.equal(error.response.data.error, 'invalid_grant');
    return true;
  });
});

test('an expired token is fetched anew', async () => {
  const user = fake.users[1];
  const auth = fake.credentials(user, fake.scopes.readonly);
  assert.equal(await address(auth), user);
  const first = auth.credentials.access_token;
  await fake.admin('tokens.expire', { user });
  // This client trusts its own clock: it asks again only when that says so, not because of a 401.
  await assert.rejects(address(auth), error => error.response.status === 401);
  auth.credentials.expiry_date = Date.now();
  assert.equal(await address(auth), user);
  assert.notEqual(auth.credentials.access_token, first);
});

test('an installed app asks with PKCE', async () => {
  const user = fake.users[1];
  const app = new OAuth2Client(fake.installed.client_id, fake.installed.client_secret, 'http://127.0.0.1:9/');
  const { codeVerifier, codeChallenge } = await app.generateCodeVerifierAsync();
  const url = app.generateAuthUrl({
    access_type: 'offline',
    scope: ['openid', fake.scopes.email, fake.scopes.readonly],
    state: 'a state & more',
    login_hint: user,
    code_challenge: codeChallenge,
    code_challenge_method: CodeChallengeMethod.S256,
  });
  const back = await consent(url, user);
  assert.equal(back.searchParams.get('state'), 'a state & more');
  const code = back.searchParams.get('code');
  await assert.rejects(app.getToken({ code, codeVerifier: 'x'.repeat(43) }), /invalid_grant/);

  const again = await consent(url, user);
  const { tokens } = await app.getToken({ code: again.searchParams.get('code'), codeVerifier });
  app.setCredentials(tokens);
  assert.equal(await address(app), user);
  const ticket = await app.verifyIdToken({ idToken: tokens.id_token, audience: fake.installed.client_id });
  assert.equal(ticket.getPayload().email, user);
  assert.deepEqual((await app.getTokenInfo(tokens.access_token)).scopes.sort(), [
    fake.scopes.readonly,
    fake.scopes.email,
    'openid',
  ].sort());

  app.setCredentials({ refresh_token: tokens.refresh_token });
  assert.equal(await address(app), user);
  await app.revokeToken(tokens.refresh_token);
  app.setCredentials({ refresh_token: tokens.refresh_token });
  await assert.rejects(address(app), /invalid_grant/);
});

test('the metadata server gives the workload a token', async () => {
  const { token } = await new Compute().getAccessToken();
  assert.ok(token);
});

test('the directory is read page after page', async () => {
  const auth = fake.credentials(fake.adminUser, fake.scopes.directory);
  const { users } = admin({ version: 'directory_v1', auth });
  const { found, pages } = await fake.pages(p => users.list(p), { customer: 'my_customer', maxResults: 2 }, 'users');
  assert.deepEqual(found.map(user => user.primaryEmail).sort(), [...fake.users, ...fake.suspended].sort());
  assert.equal(pages, Math.ceil(found.length / 2));
});
