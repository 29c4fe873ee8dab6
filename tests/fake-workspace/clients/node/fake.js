// What the tests of Node clients need of the fake Workspace: its control port and its credentials.
// No test lives here, and nothing that stands between a client and the fake.
'use strict';

const fs = require('node:fs');
const { JWT } = require('google-auth-library');

const line = JSON.parse(fs.readFileSync(process.env.FAKE_LINE, 'utf8'));
const key = JSON.parse(fs.readFileSync(line.key, 'utf8'));
const installed = JSON.parse(fs.readFileSync(line.oauth_client, 'utf8')).installed;

exports.adminUser = line.admin_user;
exports.users = line.users.filter(user => !line.suspended.includes(user));
exports.suspended = line.suspended;
exports.key = key;
exports.installed = installed;
exports.scopes = {
  gmail: 'https://mail.google.com/',
  readonly: 'https://www.googleapis.com/auth/gmail.readonly',
  calendar: 'https://www.googleapis.com/auth/calendar',
  drive: 'https://www.googleapis.com/auth/drive',
  directory: 'https://www.googleapis.com/auth/admin.directory.user.readonly',
  email: 'https://www.googleapis.com/auth/userinfo.email',
};

/** Runs an operation of the control port. */
exports.admin = async (operation, fields = {}) => {
  const answer = await fetch(`${line.admin}/${operation}`, { method: 'POST', body: JSON.stringify(fields) });
  const value = await answer.json();
  if (!answer.ok) throw new Error(`${operation}: ${JSON.stringify(value)}`);
  return value;
};

/** The service account in the name of a user. */
exports.credentials = (subject, ...scopes) =>
  new JWT({ email: key.client_email, key: key.private_key, keyId: key.private_key_id, scopes, subject });

/** All items of a listing, page after page. */
exports.pages = async (list, parameters, items) => {
  const found = [];
  let pageToken;
  let pages = 0;
  do {
    const { data } = await list({ ...parameters, pageToken });
    found.push(...(data[items] ?? []));
    pageToken = data.nextPageToken;
    pages += 1;
  } while (pageToken);
  return { found, pages };
};
