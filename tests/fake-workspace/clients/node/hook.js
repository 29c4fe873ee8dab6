// Sends Google's host names to the fake Workspace, so that clients run as they are.
//
// It changes where names lead to, and nothing else: certificates, URLs and protocols are the client's. Any other
// host but this machine is refused, so a test cannot reach the world by mistake. Loaded by `node --require`.
'use strict';

const net = require('node:net');

const HERE = ['localhost', '127.0.0.1', '::1'];
const port = Number(process.env.FAKE_PORT);
const connect = net.Socket.prototype.connect;

function isGoogle(host) {
  return host === 'accounts.google.com' || host.endsWith('.googleapis.com');
}

/** Where a connection leads to; a copy, for TLS checks the certificate against the original's host. */
function place(options) {
  const host = options.host ?? 'localhost';
  if (options.path || HERE.includes(host)) return options;
  if (isGoogle(host)) return { ...options, host: '127.0.0.1', port };
  throw new Error(`tests reach Google's names only, not ${host}`);
}

if (port) {
  net.Socket.prototype.connect = function (...given) {
    // Node's own callers hand over an array of options and callback, which they have marked as such.
    if (Array.isArray(given[0])) given[0][0] = place(given[0][0]);
    else if (typeof given[0] === 'object') given[0] = place(given[0]);
    return connect.apply(this, given);
  };
}
