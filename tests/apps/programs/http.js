// node's HTTP server, and a client that keeps its connections: node http.js server|client PORT.
'use strict';
const http = require('http'), crypto = require('crypto'), assert = require('assert');
const port = +process.argv[3], host = '127.0.0.1';
const big = Buffer.alloc(1 << 20, 'meshshim');

// Answers with what came, or a greeting; /big with a megabyte.
function serve() {
    http.createServer((request, answer) => {
        if (request.url === '/big')
            return answer.end(big);
        if (request.method === 'POST')
            return request.pipe(answer);
        answer.end('hello ' + request.url);
    }).listen(port, host);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const sockets = new Set();
function ask(path, body) {
    return new Promise((done, failed) => {
        const request = http.request({ port, host, path, agent, method: body ? 'POST' : 'GET' }, answer => {
            const parts = [];
            answer.on('data', part => parts.push(part));
            answer.on('end', () => done(Buffer.concat(parts)));
            answer.on('error', failed);
        });
        request.on('socket', socket => sockets.add(socket));
        request.on('error', failed);
        request.end(body);
    });
}

async function client() {
    for (let i = 0; i < 50; i++)
        assert.strictEqual((await ask('/' + i)).toString(), 'hello /' + i);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask('/p' + i)));
    answers.forEach((answer, i) => assert.strictEqual(answer.toString(), 'hello /p' + i));
    assert.deepStrictEqual(await ask('/big'), big);
    const body = crypto.randomBytes(4 << 20);
    assert.ok((await ask('/echo', body)).equals(body), 'the echo differs');
    assert.ok(sockets.size <= 8, `${sockets.size} connections for 152 requests`);
    agent.destroy();
}

if (process.argv[2] === 'server')
    serve();
else
    client().catch(error => { console.error(error); process.exit(1); });
