// The Drive API through @googleapis/drive.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { Readable } = require('node:stream');
const test = require('node:test');
const { drive } = require('@googleapis/drive');
const fake = require('./fake.js');

const client = user => drive({ version: 'v3', auth: fake.credentials(user, fake.scopes.drive) });

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

// The administrator delegated the metadata of Drive only.
test.before(() => fake.admin('delegation.grant', { scope: fake.scopes.drive }));

test('a listing is the store\'s', async () => {
  const user = fake.users[1];
  const { files } = client(user);
  const truth = await fake.admin('truth', { user, source: 'drive' });
  const { found } = await fake.pages(p => files.list(p), { pageSize: 20, fields: 'nextPageToken,files(id,name)' }, 'files');
  const listed = new Map(found.map(file => [file.id, file.name]));
  const own = truth.files.filter(file => !file.driveId);
  assert.ok(own.length > 20);
  for (const file of own) assert.equal(listed.get(file.id), file.name);
});

test('uploads and downloads keep the bytes', async () => {
  const { files } = client(fake.users[1]);
  const data = crypto.randomBytes(700_000);
  const { data: file } = await files.create({
    requestBody: { name: 'node.bin' },
    media: { mimeType: 'application/x-test', body: Readable.from([data.subarray(0, 100_000), data.subarray(100_000)]) },
    fields: 'id,md5Checksum,size',
  });
  assert.equal(file.size, String(data.length));
  assert.equal(file.md5Checksum, crypto.createHash('md5').update(data).digest('hex'));
  const answer = await files.get({ fileId: file.id, alt: 'media' }, { responseType: 'stream' });
  assert.deepEqual(await read(answer.data), data);
  const range = await files.get(
    { fileId: file.id, alt: 'media' },
    { responseType: 'arraybuffer', headers: { Range: 'bytes=10-19' } },
  );
  assert.deepEqual(Buffer.from(range.data), data.subarray(10, 20));
  await files.update({ fileId: file.id, media: { mimeType: 'text/plain', body: 'short' } });
  assert.equal((await files.get({ fileId: file.id, alt: 'media' }, { responseType: 'text' })).data, 'short');
  await files.delete({ fileId: file.id });
  await assert.rejects(files.get({ fileId: file.id }), error => {
    assert.equal(error.response.data.error.errors[0].reason, 'notFound');
    return error.status === 404;
  });
});

test('changes, sharing and shared drives', async () => {
  const { changes, drives, files, permissions } = client(fake.users[1]);
  const start = (await changes.getStartPageToken()).data.startPageToken;
  const { data: file } = await files.create({ requestBody: { name: 'Shared by Node' } });
  const requestBody = { type: 'user', role: 'reader', emailAddress: fake.users[2] };
  await permissions.create({ fileId: file.id, requestBody, sendNotificationEmail: false });
  assert.equal((await client(fake.users[2]).files.get({ fileId: file.id })).data.name, 'Shared by Node');
  const { data: log } = await changes.list({ pageToken: start });
  assert.ok(log.changes.some(change => change.fileId === file.id));
  assert.ok(log.newStartPageToken);
  const { data: team } = await drives.create({ requestId: 'node-clients-1', requestBody: { name: 'Node team' } });
  const all = await files.list({ driveId: team.id, corpora: 'drive', includeItemsFromAllDrives: true, supportsAllDrives: true });
  assert.deepEqual(all.data.files, []);
  await drives.delete({ driveId: team.id });
  await files.delete({ fileId: file.id });
});
