// node's own TLS to a server of its own, in one process: node own_tls.js DIRECTORY.
'use strict';
const tls = require('tls'), fs = require('fs'), assert = require('assert');
const dir = process.argv[2];
const server = tls.createServer({ key: fs.readFileSync(dir + '/server.key'), cert: fs.readFileSync(dir + '/server.pem') },
    socket => socket.end('from node\'s own TLS ' + socket.getProtocol()));
server.listen(0, '127.0.0.1', () => {
    const client = tls.connect({ port: server.address().port, host: '127.0.0.1', ca: fs.readFileSync(dir + '/ca.pem'),
        checkServerIdentity: () => undefined });
    let text = '';
    client.on('data', data => text += data);
    client.on('end', () => { assert.strictEqual(text, 'from node\'s own TLS TLSv1.3'); server.close(); });
    client.on('error', error => { console.error(error); process.exit(1); });
});
