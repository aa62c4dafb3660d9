// node's net module, each way a mode: node streams.js MODE PORT [ARGUMENT…].
'use strict';
const net = require('net'), crypto = require('crypto'), assert = require('assert'), child_process = require('child_process'), stream = require('stream');
const [mode, port, size = 0, count = 1] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const host = '127.0.0.1';

function fail(error) {
    console.error(error);
    process.exit(1);
}

// What flows past, as one digest.
function digest() {
    const hash = crypto.createHash('sha256');
    let length = 0;
    return {
        pass: new stream.Transform({ transform(part, _, done) { hash.update(part); length += part.length; done(null, part); } }),
        value: () => length + ' ' + hash.digest('hex'),
    };
}

// A stream of random bytes that comes in uneven pieces.
function random(total) {
    let left = total;
    return new stream.Readable({
        read() {
            if (left === 0)
                return this.push(null);
            const part = crypto.randomBytes(Math.min(left, 1 + crypto.randomInt(200000)));
            left -= part.length;
            this.push(part);
        },
    });
}

const modes = {
    // Answers with what comes, and ends its own side when the other has ended.
    'echo-server': () => net.createServer({ allowHalfOpen: true }, socket => stream.pipeline(socket, socket, error => {
        if (error && error.code !== 'ERR_STREAM_PREMATURE_CLOSE')
            console.error(error);
    })).listen(port, host),

    // Many connections at once; each has to get what it sent, and then the end.
    'echo-client': () => Promise.all(Array.from({ length: count }, () => new Promise((done, failed) => {
        const sent = digest(), got = digest();
        const socket = net.connect({ port, host, allowHalfOpen: true });
        stream.pipeline(random(size), sent.pass, socket, error => error && failed(error));
        socket.on('error', failed).pipe(got.pass).resume().on('end', () => {
            try {
                assert.strictEqual(got.value(), sent.value());
                done();
            } catch (error) {
                failed(error);
            }
        });
    }))),

    // Says nothing before the other side has ended; then how much came.
    'half-server': () => net.createServer({ allowHalfOpen: true }, socket => {
        let length = 0;
        socket.on('data', part => length += part.length);
        socket.on('end', () => socket.end('got ' + length));
        socket.on('error', console.error);
    }).listen(port, host),

    'half-client': () => new Promise((done, failed) => {
        let text = '';
        const socket = net.connect({ port, host, allowHalfOpen: true }, () => socket.end(Buffer.alloc(size)));
        socket.on('data', part => text += part).on('error', failed);
        socket.on('end', () => text === 'got ' + size ? done() : failed(new Error(text)));
    }),

    // Neither side reads for a while: both fill, pause, and go on.
    'pause-client': () => new Promise((done, failed) => {
        const data = crypto.randomBytes(size), parts = [];
        const socket = net.connect({ port, host, allowHalfOpen: true });
        socket.pause();
        socket.on('error', failed);
        assert.strictEqual(socket.write(data), false, 'a write beyond the high-water mark');
        setTimeout(() => socket.resume(), 200);
        socket.on('drain', () => socket.end());
        socket.on('data', part => parts.push(part));
        socket.on('end', () => Buffer.concat(parts).equals(data) ? done() : failed(new Error('the echo differs')));
    }),

    // A silent connection: node's own time-out, then it works on; destroyed at last.
    'timeout-client': () => new Promise((done, failed) => {
        const socket = net.connect({ port, host });
        socket.setNoDelay(true).setKeepAlive(true, 1000).setTimeout(100);
        socket.once('timeout', () => {
            // A program that is started meanwhile takes nothing away.
            assert.strictEqual(child_process.execFileSync('/bin/cat', { input: 'from cat' }).toString(), 'from cat');
            socket.setTimeout(0).write('still here');
        });
        socket.once('data', data => {
            assert.strictEqual(data.toString(), 'still here');
            socket.destroy();
        });
        socket.on('error', failed).on('close', () => done());
    }),
};

const running = modes[mode]();
if (running instanceof Promise)
    running.then(() => process.exit(0), fail);
