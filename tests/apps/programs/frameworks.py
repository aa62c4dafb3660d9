#!/usr/bin/python3
"""Python's other ways to talk, each a server and a client: frameworks.py NAME server|client PORT.

Each client asks many times at once, posts a megabyte, and ends with status 1 where an answer is wrong."""
import os
import sys

NAME, ROLE, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
HOST = "127.0.0.1"
ROOT = f"http://{HOST}:{PORT}"
BODY = os.urandom(1 << 20)
TURNS = 40


def check(right, what):
    if not right:
        sys.exit(what)


def aiohttp_server():
    from aiohttp import web

    async def answer(request):
        return web.Response(body=await request.read() or request.path.encode())

    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{rest:.*}", answer)
    web.run_app(app, host=HOST, port=PORT, print=None)


def aiohttp_client():
    import asyncio
    import aiohttp

    async def main():
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def ask(path, data=None):
                async with session.post(ROOT + path, data=data) as answer:
                    return await answer.read()

            got = await asyncio.gather(*(ask(f"/{i}") for i in range(TURNS)))
            check(got == [b"/%d" % i for i in range(TURNS)], f"answers {got}")
            check(await ask("/", BODY) == BODY, "a megabyte differs")

    asyncio.run(main())


def tornado_server():
    import tornado.ioloop
    import tornado.web

    class Answer(tornado.web.RequestHandler):
        def post(self, path):
            self.write(self.request.body or path)

    tornado.web.Application([("(.*)", Answer)]).listen(PORT, HOST)
    tornado.ioloop.IOLoop.current().start()


def tornado_client():
    import asyncio
    import tornado.httpclient

    async def main():
        client = tornado.httpclient.AsyncHTTPClient()

        async def ask(path, body=b""):
            answer = await client.fetch(ROOT + path, method="POST", body=body, request_timeout=20)
            return answer.body

        got = await asyncio.gather(*(ask(f"/{i}") for i in range(TURNS)))
        check(got == [b"/%d" % i for i in range(TURNS)], f"answers {got}")
        check(await ask("/", BODY) == BODY, "a megabyte differs")

    asyncio.run(main())


def twisted_server():
    from twisted.internet import reactor
    from twisted.web.resource import Resource
    from twisted.web.server import Site

    class Answer(Resource):
        isLeaf = True

        def render_POST(self, request):
            return request.content.read() or request.path

    reactor.listenTCP(PORT, Site(Answer()), interface=HOST)
    reactor.run()


def twisted_client():
    from twisted.internet import reactor
    from twisted.internet.defer import ensureDeferred, gatherResults
    from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
    from io import BytesIO

    pool = HTTPConnectionPool(reactor)
    agent = Agent(reactor, pool=pool)
    problems = []

    async def ask(path, body=b""):
        answer = await agent.request(b"POST", (ROOT + path).encode(), bodyProducer=FileBodyProducer(BytesIO(body)))
        return await readBody(answer)

    async def main():
        got = await gatherResults([ensureDeferred(ask(f"/{i}")) for i in range(TURNS)])
        if got != [b"/%d" % i for i in range(TURNS)]:
            problems.append(f"answers {got}")
        if await ask("/", BODY) != BODY:
            problems.append("a megabyte differs")
        await pool.closeCachedConnections()

    def over(failure=None):
        if failure:
            problems.append(str(failure))
        reactor.stop()

    ensureDeferred(main()).addCallbacks(lambda _: over(), over)
    reactor.callLater(25, over, "no end")
    reactor.run()
    check(not problems, "; ".join(problems))


def gevent_server():
    from gevent.pywsgi import WSGIServer

    def answer(environ, start_response):
        body = environ["wsgi.input"].read() or environ["PATH_INFO"].encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    WSGIServer((HOST, PORT), answer, log=None).serve_forever()


def gevent_client():
    from gevent import monkey

    monkey.patch_all()
    import gevent
    import http.client

    def ask(path, body=b""):
        connection = http.client.HTTPConnection(HOST, PORT, timeout=20)
        connection.request("POST", path, body)
        return connection.getresponse().read()

    jobs = [gevent.spawn(ask, f"/{i}") for i in range(TURNS)]
    gevent.joinall(jobs)
    check([job.value for job in jobs] == [b"/%d" % i for i in range(TURNS)], "answers")
    check(ask("/", BODY) == BODY, "a megabyte differs")


def trio_server():
    import trio

    async def echo(stream):
        async for part in stream:
            await stream.send_all(part)

    trio.run(trio.serve_tcp, echo, PORT)


def trio_client():
    import trio

    async def one(size):
        data, got = BODY[:size], bytearray()
        async with await trio.open_tcp_stream(HOST, PORT) as stream, trio.open_nursery() as nursery:

            async def send():
                await stream.send_all(data)
                await stream.send_eof()

            nursery.start_soon(send)
            async for part in stream:
                got += part
        check(got == data, "an echo differs")

    async def main():
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for i in range(TURNS):
                    nursery.start_soon(one, 10000 + i)
            await one(len(BODY))

    trio.run(main)


def grpc_server():
    import grpc
    from concurrent import futures

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == "/test/Echo":
                return grpc.unary_unary_rpc_method_handler(lambda request, context: request)
            if details.method == "/test/Stream":
                return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)
            return None

    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Handler()], options=[("grpc.so_reuseport", 0)])
    if server.add_insecure_port(f"{HOST}:{PORT}") != PORT:
        sys.exit("the port is taken")
    server.start()
    server.wait_for_termination()


def grpc_client():
    import grpc

    with grpc.insecure_channel(f"{HOST}:{PORT}") as channel:
        echo = channel.unary_unary("/test/Echo")
        jobs = [echo.future(b"/%d" % i, timeout=20) for i in range(TURNS)]
        check([job.result() for job in jobs] == [b"/%d" % i for i in range(TURNS)], "answers")
        check(echo(BODY, timeout=20) == BODY, "a megabyte differs")
        stream = channel.stream_stream("/test/Stream")
        parts = [BODY[at : at + 5000] for at in range(0, len(BODY), 5000)]
        check(list(stream(iter(parts), timeout=20)) == parts, "the stream differs")
        try:
            channel.unary_unary("/test/Nothing")(b"", timeout=20)
            sys.exit("a method that is not there answered")
        except grpc.RpcError as error:
            check(error.code() == grpc.StatusCode.UNIMPLEMENTED, str(error))


globals()[f"{NAME}_{ROLE}"]()
