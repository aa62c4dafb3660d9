#!/bin/bash
# node, with OpenSSL of its own in its executable: an HTTP server and a client that keeps its connections, both meshed.
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
command -v node >/dev/null || skip "node is not installed"

cat >"$work/server.js" <<'JS'
// Answers with what came, or a greeting; /big with a megabyte. A wrong use of TLS inside the process would show here.
const http = require('http');
const big = Buffer.alloc(1 << 20, 'meshshim');
http.createServer((request, answer) => {
    if (request.url === '/big')
        return answer.end(big);
    if (request.method === 'POST')
        return request.pipe(answer);
    answer.end('hello ' + request.url);
}).listen(+process.argv[2], '127.0.0.1');
JS
cat >"$work/client.js" <<'JS'
const http = require('http'), crypto = require('crypto'), assert = require('assert');
const port = +process.argv[2];
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const sockets = new Set();
function ask(path, body) {
    return new Promise((done, failed) => {
        const request = http.request({ port, host: '127.0.0.1', path, agent, method: body ? 'POST' : 'GET' }, answer => {
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
(async () => {
    for (let i = 0; i < 50; i++)
        assert.strictEqual((await ask('/' + i)).toString(), 'hello /' + i);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask('/p' + i)));
    answers.forEach((answer, i) => assert.strictEqual(answer.toString(), 'hello /p' + i));
    assert.deepStrictEqual(await ask('/big'), Buffer.alloc(1 << 20, 'meshshim'));
    const body = crypto.randomBytes(4 << 20);
    assert.ok((await ask('/echo', body)).equals(body), 'the echo differs');
    assert.ok(sockets.size <= 8, `${sockets.size} connections for 152 requests`);
    agent.destroy();
})().catch(error => { console.error(error); process.exit(1); });
JS
cat >"$work/own.js" <<'JS'
// node's own TLS to a server of its own, beside ours in the same process.
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
JS

port=$(free_port)
spawn node mesh server node "$work/server.js" "$port"
wait_port "$port" 20
try "node: 152 requests on kept connections, 1 MiB down, 4 MiB both ways" limit 40 mesh client node "$work/client.js" "$port"
try "node: curl to node" limit 20 mesh client curl -sS --fail -o "$work/got" "http://127.0.0.1:$port/hi"
try "node: both sides are proved" both_proved "$port"
# The same process, the same socket calls, another TLS inside: where the mesh is not asked for, nothing is in its way.
sed -e '/^\[service/,$d' -e 's/^mtls .*/mtls = off/' -e '/^allow/d' "$work/client.ini" >"$work/aside.ini"
try "node: its own TLS beside the library" limit 20 mesh aside node "$work/own.js" "$work/ca"
if limit 10 curl -sS --max-time 5 "http://127.0.0.1:$port/" >"$work/plain" 2>&1; then
    not_ok "node: curl without an identity was served"
else
    ok "node: curl without an identity is refused"
fi
[ "$failures" -eq 0 ]
