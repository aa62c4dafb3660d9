/*
 * Node's own mutual TLS 1.3: an echo server, or a client that sends a line and reads it back, again and again.
 *
 * interop.js server|client PORT DIRECTORY CIPHER GROUPS [COUNT]
 */
'use strict';
const fs = require('fs');
const tls = require('tls');

const [role, port, directory, cipher, groups, count] = process.argv.slice(2);
const line = Buffer.from('the words that come back\n');
const options = {
    key: fs.readFileSync(`${directory}/key.pem`),
    cert: fs.readFileSync(`${directory}/cert.pem`),
    ca: fs.readFileSync(`${directory}/ca.pem`),
    minVersion: 'TLSv1.3',
    ciphers: cipher,
    ecdhCurve: groups,
};

function serve() {
    const server = tls.createServer({ ...options, requestCert: true, rejectUnauthorized: true }, socket => {
        console.log('client', socket.getPeerCertificate().subjectaltname);
        socket.on('error', error => console.log('ended:', error.code));
        socket.on('end', () => console.log('closed cleanly'));
        socket.pipe(socket);
    });
    server.on('tlsClientError', error => console.log('refused:', error.code));
    server.listen(Number(port), '127.0.0.1');
}

function ask() {
    /* Names of hosts are not what these certificates prove. */
    const socket = tls.connect({ ...options, port: Number(port), host: '127.0.0.1', checkServerIdentity: () => undefined });
    let left = Number(count), got = Buffer.alloc(0);
    socket.on('secureConnect', () => socket.write(line));
    socket.on('data', data => {
        got = Buffer.concat([got, data]);
        if (got.length < line.length)
            return;
        if (!got.equals(line))
            throw new Error(`other words: ${got}`);
        got = Buffer.alloc(0);
        if (--left > 0) {
            socket.write(line);
            return;
        }
        console.log('done with', socket.getCipher().name, socket.getPeerCertificate().subjectaltname);
        socket.end();
    });
}

(role === 'server' ? serve : ask)();
