// The Calendar API through @googleapis/calendar.
'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { calendar } = require('@googleapis/calendar');
const fake = require('./fake.js');

const client = user => calendar({ version: 'v3', auth: fake.credentials(user, fake.scopes.calendar) });

/** All items of a listing and its sync token. */
async function every(events, parameters) {
  const found = [];
  let data;
  do {
    ({ data } = await events.list({ ...parameters, pageToken: data?.nextPageToken }));
    found.push(...data.items);
  } while (data.nextPageToken);
  return { found, syncToken: data.nextSyncToken };
}

function event(summary, more = {}) {
  const start = new Date(Date.now() + 86_400_000);
  const end = new Date(start.getTime() + 3_600_000);
  return {
    summary,
    start: { dateTime: start.toISOString(), timeZone: 'Europe/Prague' },
    end: { dateTime: end.toISOString(), timeZone: 'Europe/Prague' },
    ...more,
  };
}

test('every event of a listing is the store\'s', async () => {
  const user = fake.users[1];
  const { calendarList, events } = client(user);
  const { calendars } = await fake.admin('truth', { user, source: 'calendar' });
  const { found } = await fake.pages(p => calendarList.list(p), { maxResults: 1, showHidden: true }, 'items');
  assert.deepEqual(found.map(one => one.id).sort(), calendars.map(one => one.id).sort());
  let seen = 0;
  for (const one of calendars) {
    const listed = await every(events, { calendarId: one.id, maxResults: 10 });
    const expected = [...one.events, ...one.cancelled];
    assert.deepEqual(listed.found.map(each => each.etag).sort(), expected.map(each => each.etag).sort());
    seen += listed.found.length;
  }
  assert.ok(seen > 20);
});

test('changes come with the sync token', async () => {
  const { calendars, events } = client(fake.users[1]);
  const calendarId = (await calendars.insert({ requestBody: { summary: 'Node' } })).data.id;
  let { syncToken } = await every(events, { calendarId });
  const step = async () => {
    const listed = await every(events, { calendarId, syncToken });
    ({ syncToken } = listed);
    return listed.found;
  };
  const { data: made } = await events.insert({ calendarId, requestBody: event('One') });
  assert.deepEqual((await step()).map(one => one.id), [made.id]);
  await events.patch({ calendarId, eventId: made.id, requestBody: { summary: 'Two' } });
  await events.update({ calendarId, eventId: made.id, requestBody: event('Three') });
  assert.deepEqual((await step()).map(one => one.summary), ['Three']);
  const recurrence = ['RRULE:FREQ=WEEKLY;COUNT=4'];
  const { data: series } = await events.insert({ calendarId, requestBody: event('Series', { recurrence }) });
  const { found } = await fake.pages(p => events.instances(p), { calendarId, eventId: series.id, maxResults: 3 }, 'items');
  assert.equal(found.length, 4);
  await events.delete({ calendarId, eventId: made.id });
  assert.deepEqual((await step()).map(one => one.status).sort(), ['cancelled', 'confirmed']);
  assert.deepEqual(await step(), []);
  await calendars.delete({ calendarId });
});

test('an expired sync token is gone', async () => {
  const user = fake.users[2];
  const { events } = client(user);
  const { syncToken } = await every(events, { calendarId: 'primary' });
  await fake.admin('calendar.expire', { user });
  await assert.rejects(events.list({ calendarId: 'primary', syncToken }), error => {
    assert.equal(error.response.status, 410);
    assert.equal(error.response.data.error.errors[0].reason, 'fullSyncRequired');
    return true;
  });
});

test('an entity that has not changed is not sent again', async () => {
  const { events } = client(fake.users[2]);
  const { data } = await events.insert({ calendarId: 'primary', requestBody: event('Etag') });
  const answer = await events.get({ calendarId: 'primary', eventId: data.id }, { headers: { 'If-None-Match': data.etag } });
  assert.equal(answer.status, 304);
  await events.delete({ calendarId: 'primary', eventId: data.id });
});
