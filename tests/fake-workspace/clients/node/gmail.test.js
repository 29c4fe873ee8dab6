// The Gmail API through @googleapis/gmail, over HTTP/1.1 and HTTP/2.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Readable } = require('node:stream');
const test = require('node:test');
const { gmail } = require('@googleapis/gmail');
const fake = require('./fake.js');

const MAIL = 'From: a@example.org\r\nTo: b@example.org\r\nSubject: Node\r\n\r\nHello\r\n';

const client = (user, options = {}) =>
  gmail({ version: 'v1', auth: fake.credentials(user, fake.scopes.gmail), ...options }).users;
const raw = async (users, id) => {
  const { data } = await users.messages.get({ userId: 'me', id, format: 'raw' });
  return Buffer.from(data.raw, 'base64url');
};

for (const http2 of [false, true]) {
  const name = http2 ? 'HTTP/2' : 'HTTP/1.1';

  test(`every mail byte for byte over ${name}`, async () => {
    const user = fake.users[1];
    const users = client(user, { http2 });
    const { messages } = await fake.admin('truth', { user, all: true });
    const expected = new Map(messages.map(message => [message.id, message]));
    const parameters = { userId: 'me', maxResults: 100, includeSpamTrash: true };
    const { found } = await fake.pages(p => users.messages.list(p), parameters, 'messages');
    assert.deepEqual(found.map(one => one.id).sort(), [...expected.keys()].sort());
    for (let start = 0; start < found.length; start += 20) {
      await Promise.all(
        found.slice(start, start + 20).map(async ({ id }) => {
          const hash = crypto.createHash('sha256').update(await raw(users, id)).digest('hex');
          assert.equal(hash, expected.get(id).sha256);
        }),
      );
    }
  });

  test(`mails come, change and go over ${name}`, async () => {
    const user = fake.users[2];
    const users = client(user, { http2 });
    const start = (await users.getProfile({ userId: 'me' })).data.historyId;
    const requestBody = { raw: Buffer.from(MAIL).toString('base64url'), labelIds: ['INBOX', 'UNREAD'] };
    const { data } = await users.messages.insert({ userId: 'me', requestBody });
    assert.deepEqual(await raw(users, data.id), Buffer.from(MAIL));
    const label = (await users.labels.create({ userId: 'me', requestBody: { name: `Node ${name}` } })).data;
    const changes = { addLabelIds: [label.id], removeLabelIds: ['UNREAD'] };
    await users.messages.modify({ userId: 'me', id: data.id, requestBody: changes });
    // Over HTTP/2 this client never ends a POST without a body, so it would wait for ever, at Google as well.
    if (!http2) await users.messages.trash({ userId: 'me', id: data.id });
    await users.messages.delete({ userId: 'me', id: data.id });
    await users.labels.delete({ userId: 'me', id: label.id });
    const { found } = await fake.pages(
      p => users.history.list(p),
      { userId: 'me', startHistoryId: start, maxResults: 1 },
      'history',
    );
    const kinds = found.flatMap(record => Object.keys(record).filter(key => /^(messages.+|labels.+)$/.test(key)));
    for (const kind of ['messagesAdded', 'labelsAdded', 'labelsRemoved', 'messagesDeleted']) {
      assert.ok(kinds.includes(kind), `${kind} in ${kinds}`);
    }
    await assert.rejects(users.messages.get({ userId: 'me', id: data.id }), error => {
      assert.equal((error.response ?? error.cause).status, 404);
      return true;
    });
  });
}

test('uploads keep the bytes, as a text and as a stream', async () => {
  const users = client(fake.users[2]);
  const long = MAIL + 'line\r\n'.repeat(100_000);
  for (const body of [MAIL, Readable.from([Buffer.from(long)])]) {
    const { data } = await users.messages.insert({
      userId: 'me',
      internalDateSource: 'dateHeader',
      requestBody: { labelIds: ['STARRED'] },
      media: { mimeType: 'message/rfc822', body },
    });
    assert.deepEqual(data.labelIds, ['STARRED']);
    assert.equal((await raw(users, data.id)).toString(), body === MAIL ? MAIL : long);
    await users.messages.delete({ userId: 'me', id: data.id });
  }
  const { data } = await users.messages.import({ userId: 'me', media: { mimeType: 'message/rfc822', body: MAIL } });
  assert.equal((await raw(users, data.id)).toString(), MAIL);
});

test('a mail is sent, and a draft becomes one', async () => {
  const users = client(fake.users[2]);
  const text = MAIL.replace('b@example.org', fake.users[3]).replace('Node', 'From Node to you');
  const message = { raw: Buffer.from(text).toString('base64url') };
  const sent = await users.messages.send({ userId: 'me', requestBody: message });
  assert.deepEqual(sent.data.labelIds, ['SENT']);
  const draft = await users.drafts.create({ userId: 'me', requestBody: { message } });
  const posted = await users.drafts.send({ userId: 'me', requestBody: { id: draft.data.id } });
  assert.ok(posted.data.labelIds.includes('SENT'));
  const there = await client(fake.users[3]).messages.list({ userId: 'me', q: 'subject:"From Node to you"' });
  assert.equal(there.data.messages.length, 2);
});

test('attachments and threads', async () => {
  const users = client(fake.users[1]);
  const { data } = await users.messages.list({ userId: 'me', q: 'has:attachment', maxResults: 3 });
  let seen = 0;
  for (const { id, threadId } of data.messages) {
    const { data: thread } = await users.threads.get({ userId: 'me', id: threadId });
    const stack = [thread.messages.find(message => message.id === id).payload];
    while (stack.length) {
      const part = stack.pop();
      stack.push(...(part.parts ?? []));
      if (part.body.attachmentId) {
        const body = await users.messages.attachments.get({ userId: 'me', messageId: id, id: part.body.attachmentId });
        assert.equal(Buffer.from(body.data.data, 'base64url').length, part.body.size);
        seen += 1;
      }
    }
  }
  assert.ok(seen >= 3);
});

test('what may pass is tried again, what may not is not', async () => {
  const user = fake.users[3];
  const users = client(user);
  // gaxios repeats GET for 408, 429 and 5xx; a 403 is never tried again, whatever its reason.
  for (const [status, reason, calls] of [[503, 'backendError', 3], [429, 'rateLimitExceeded', 3], [403, 'userRateLimitExceeded', 1]]) {
    const { fault } = await fake.admin('fault.on', { user, method: 'gmail.users.getProfile', status, reason, count: 2 });
    await fake.admin('stats', { reset: true });
    const request = users.getProfile({ userId: 'me' }, { retryConfig: { retry: 3, retryDelay: 1 } });
    if (calls > 1) assert.equal((await request).data.emailAddress, user);
    else await assert.rejects(request, error => error.response.data.error.errors[0].reason === reason);
    assert.equal((await fake.admin('stats')).calls[user]['gmail.users.getProfile'], calls);
    await fake.admin('fault.off', { fault });
  }
});
