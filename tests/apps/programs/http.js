// node's HTTP server, and clients that keep their connections; HTTP/2: node http.js server|client|server-2|client-2 PORT.
'use strict';
const http = require('http'), http2 = require('http2'), crypto = require('crypto'), assert = require('assert');
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
    // fetch is another client, with a parser and connections of its own.
    const texts = await Promise.all(Array.from({ length: 20 }, async (_, i) => (await fetch(`http://${host}:${port}/f${i}`)).text()));
    texts.forEach((text, i) => assert.strictEqual(text, 'hello /f' + i));
    const echo = await fetch(`http://${host}:${port}/echo`, { method: 'POST', body });
    assert.ok(Buffer.from(await echo.arrayBuffer()).equals(body), 'the echo of fetch differs');
    process.exit(0);
}

// HTTP/2 without TLS of its own: many streams at once on one connection.
function serve2() {
    http2.createServer((request, answer) => request.pipe(answer)).listen(port, host);
}

function ask2(session, body) {
    return new Promise((done, failed) => {
        const stream = session.request({ ':method': 'POST', ':path': '/' }), parts = [];
        stream.on('data', part => parts.push(part)).on('end', () => done(Buffer.concat(parts))).on('error', failed).end(body);
    });
}

async function client2() {
    const session = http2.connect(`http://${host}:${port}`);
    const bodies = Array.from({ length: 30 }, (_, i) => crypto.randomBytes(1000 + i * 10000));
    const echoes = await Promise.all(bodies.map(body => ask2(session, body)));
    echoes.forEach((echo, i) => assert.ok(echo.equals(bodies[i]), `stream ${i} differs`));
    session.close();
}

const modes = { server: serve, client, 'server-2': serve2, 'client-2': client2 };
Promise.resolve(modes[process.argv[2]]()).catch(error => { console.error(error); process.exit(1); });
