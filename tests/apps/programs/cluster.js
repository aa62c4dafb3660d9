// node's cluster module and sockets that are sent to a child: node cluster.js MODE PORT. A client ends with status 1 where an answer
// is wrong or does not come from where it should.
'use strict';
const cluster = require('cluster'), http = require('http'), net = require('net'), assert = require('assert');
const child_process = require('child_process'), crypto = require('crypto');
const [mode, port] = [process.argv[2], +process.argv[3]];
const host = '127.0.0.1';

// Workers answer with their process id, or with the request's body. round-robin: the primary accepts, and passes each connection
// on by SCM_RIGHTS; none: each accepts for itself from the listener that it was sent.
function serve(policy) {
    cluster.schedulingPolicy = policy;
    if (cluster.isPrimary) {
        cluster.fork();
        cluster.fork();
        return;
    }
    http.createServer((request, answer) => {
        if (request.method === 'POST')
            return request.pipe(answer);
        answer.end(String(process.pid));
    }).listen(port, host);
}

function ask(body) {
    return new Promise((done, failed) => {
        const request = http.request({ port, host, agent: false, method: body ? 'POST' : 'GET' }, answer => {
            const parts = [];
            answer.on('data', part => parts.push(part)).on('end', () => done(Buffer.concat(parts))).on('error', failed);
        });
        request.on('error', failed).end(body);
    });
}

async function clients(atLeast) {
    const pids = new Set();
    for (let i = 0; i < 20; i++)
        pids.add((await ask()).toString());
    const bodies = Array.from({ length: 8 }, () => crypto.randomBytes(300000));
    const answers = await Promise.all(bodies.map(ask));
    answers.forEach((answer, i) => assert.ok(answer.equals(bodies[i]), 'an echo differs'));
    assert.ok(pids.size >= atLeast && pids.size <= 2, `${pids.size} processes answered`);
}

// The parent accepts, a forked child talks.
function sends() {
    const child = child_process.fork(__filename, ['child', port]);
    net.createServer({ pauseOnConnect: true }, socket => child.send('take', socket)).listen(port, host);
}

function takes() {
    process.on('message', (message, socket) => {
        socket.write('from ' + process.pid + '\n');
        socket.pipe(socket);
        socket.resume();
    });
}

// Each connection becomes the standard input and output of a program.
function starts() {
    function cat(socket) {
        child_process.spawn('/bin/sh', ['-c', 'echo from $$; exec /bin/cat'], { stdio: [socket, socket, 'inherit'] });
        socket.destroy();
    }
    net.createServer({ pauseOnConnect: true }, cat).listen(port, host);
}

function sent() {
    return new Promise((done, failed) => {
        const body = crypto.randomBytes(300000), parts = [];
        const socket = net.connect({ port, host }, () => socket.end(body));
        socket.on('error', failed).on('data', part => parts.push(part)).on('end', () => {
            const got = Buffer.concat(parts), line = got.indexOf('\n') + 1;
            const right = /^from \d+\n$/.test(got.subarray(0, line).toString()) && got.subarray(line).equals(body);
            right ? done() : failed(new Error('the echo differs'));
        });
    });
}

const modes = {
    'round-robin': () => serve(cluster.SCHED_RR),
    none: () => serve(cluster.SCHED_NONE),
    'clients-of-two': () => clients(2),
    clients: () => clients(1),
    send: sends,
    child: takes,
    spawn: starts,
    'clients-of-child': () => Promise.all([sent(), sent(), sent()]),
};
const running = modes[mode]();
if (running instanceof Promise)
    running.then(() => process.exit(0), error => { console.error(error); process.exit(1); });
