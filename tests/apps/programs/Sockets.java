// Java's ways to talk over TCP, each a mode: java Sockets MODE PORT [ARGUMENT…]. A client ends with an exception, and so with
// status 1, where what it got is not what it should have got.
import com.sun.net.httpserver.HttpServer;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;

public class Sockets {
    static final String HOST = "127.0.0.1";
    static final int PATIENCE = 20; // seconds
    static InetSocketAddress address;

    static void check(boolean right, String what) {
        if (!right)
            throw new IllegalStateException(what);
    }

    static byte[] random(int size) {
        byte[] bytes = new byte[size];
        ThreadLocalRandom.current().nextBytes(bytes);
        return bytes;
    }

    // ---- java.net.http and com.sun.net.httpserver

    static void httpServer() throws IOException {
        HttpServer server = HttpServer.create(address, 128);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            byte[] answer = body.length > 0 ? body : ("hello " + exchange.getRequestURI()).getBytes();
            exchange.sendResponseHeaders(200, answer.length);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write(answer);
            }
        });
        server.start();
    }

    static void httpClient() throws Exception {
        HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(PATIENCE)).build();
        URI root = URI.create("http://" + HOST + ":" + address.getPort());
        for (int i = 0; i < 20; i++)
            check(client.send(HttpRequest.newBuilder(root.resolve("/" + i)).build(), HttpResponse.BodyHandlers.ofString())
                      .body().equals("hello /" + i), "answer " + i);
        List<CompletableFuture<String>> answers = new ArrayList<>();
        for (int i = 0; i < 50; i++)
            answers.add(client.sendAsync(HttpRequest.newBuilder(root.resolve("/p" + i)).build(),
                            HttpResponse.BodyHandlers.ofString()).thenApply(HttpResponse::body));
        for (int i = 0; i < 50; i++)
            check(answers.get(i).get(PATIENCE, TimeUnit.SECONDS).equals("hello /p" + i), "parallel answer " + i);
        byte[] body = random(3 << 20);
        HttpRequest post = HttpRequest.newBuilder(root.resolve("/echo")).POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
        check(Arrays.equals(client.send(post, HttpResponse.BodyHandlers.ofByteArray()).body(), body), "3 MiB there and back");
    }

    static void urlConnection() throws Exception {
        byte[] body = random(300000);
        for (int i = 0; i < 10; i++) {
            HttpURLConnection connection =
                (HttpURLConnection) new URL("http", HOST, address.getPort(), "/" + i).openConnection();
            connection.setReadTimeout(PATIENCE * 1000);
            connection.setDoOutput(true);
            connection.getOutputStream().write(body);
            check(Arrays.equals(connection.getInputStream().readAllBytes(), body), "answer " + i);
        }
    }

    // ---- java.net.Socket: a thread a connection. Which ended cleanly and which did not is told to one that asks.

    static final AtomicInteger ended = new AtomicInteger(), broken = new AtomicInteger();

    static void serve(Socket socket) {
        try (socket) {
            byte[] bytes = new byte[65536];
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            for (int n = in.read(bytes); n >= 0; n = in.read(bytes)) {
                if (n == 1 && bytes[0] == '?')
                    out.write((ended + " " + broken + "\n").getBytes());
                else
                    out.write(bytes, 0, n);
            }
            ended.incrementAndGet();
        } catch (IOException failure) {
            System.err.println(failure);
            broken.incrementAndGet();
        }
    }

    static void threadsServer() throws IOException {
        ServerSocket listener = new ServerSocket(address.getPort(), 128, address.getAddress());
        new Thread(() -> {
            try {
                for (;;) {
                    Socket socket = listener.accept();
                    new Thread(() -> serve(socket)).start();
                }
            } catch (IOException failure) {
                failure.printStackTrace();
            }
        }).start();
    }

    static void threadsClient(String... arguments) throws Exception {
        byte[] data = random(Integer.parseInt(arguments[0]));
        ExecutorService pool = Executors.newCachedThreadPool();
        List<Future<byte[]>> echoes = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
            echoes.add(pool.submit(() -> {
                try (Socket socket = new Socket()) {
                    socket.connect(address, PATIENCE * 1000);
                    socket.setTcpNoDelay(true);
                    pool.submit(() -> {
                        socket.getOutputStream().write(data);
                        socket.shutdownOutput();
                        return null;
                    });
                    return socket.getInputStream().readAllBytes();
                }
            }));
        }
        for (Future<byte[]> echo : echoes)
            check(Arrays.equals(echo.get(PATIENCE, TimeUnit.SECONDS), data), "an echo differs");
        pool.shutdown();
    }

    // Started by inetd's like: the connection is standard input, which Java copies and then replaces, with output and errors, by /dev/null.
    static void inherited() throws IOException {
        try (SocketChannel channel = (SocketChannel) System.inheritedChannel()) {
            ByteBuffer buffer = ByteBuffer.allocate(20000);
            while (channel.read(buffer.clear()) >= 0)
                for (buffer.flip(); buffer.hasRemaining();)
                    channel.write(buffer);
        }
    }

    static String ask(Socket socket) throws IOException {
        socket.getOutputStream().write('?');
        return new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
    }

    static void timeoutClient() throws Exception {
        try (Socket socket = new Socket()) {
            socket.connect(address, PATIENCE * 1000);
            socket.setSoTimeout(200);
            try {
                socket.getInputStream().read();
                throw new IllegalStateException("read returned although nothing was sent");
            } catch (SocketTimeoutException expected) {
            }
            // A program that is started meanwhile, by a helper that closes whatever is open, takes nothing away.
            Process other = new ProcessBuilder("/bin/cat").start();
            try (OutputStream words = other.getOutputStream()) {
                words.write("from cat".getBytes());
            }
            check(new String(other.getInputStream().readAllBytes()).equals("from cat") && other.waitFor() == 0, "cat");
            socket.setSoTimeout(PATIENCE * 1000);
            socket.getOutputStream().write("still here".getBytes());
            check(new String(socket.getInputStream().readNBytes(10)).equals("still here"), "after a time-out");
            check(socket.getInputStream().available() == 0, "bytes that nobody sent");
        }
    }

    // Closes what another thread waits in; the class of what that thread is told.
    static String closedUnder(Closeable open, Callable<?> wait, Callable<?> end) throws Exception {
        CountDownLatch waiting = new CountDownLatch(1);
        String[] told = new String[1];
        Thread reader = new Thread(() -> {
            waiting.countDown();
            try {
                told[0] = "returned " + wait.call();
            } catch (Exception failure) {
                told[0] = failure.getClass().getSimpleName();
            }
        });
        reader.start();
        waiting.await();
        // Until it waits in the kernel: native code counts as running, so it is asked of the kernel.
        while (!Files.readString(Path.of("/proc/self/task/" + task(reader) + "/stat")).contains(") S "))
            Thread.onSpinWait();
        end.call();
        reader.join(PATIENCE * 1000);
        check(!reader.isAlive(), "the reader of a closed socket waits on");
        open.close();
        return told[0];
    }

    // The kernel's number of a thread, by the name that Java gives it.
    static String task(Thread thread) throws IOException {
        String name = thread.getName();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path path : tasks)
                if (Files.readString(path.resolve("comm")).trim().equals(name))
                    return path.getFileName().toString();
        }
        throw new IllegalStateException("no thread " + name);
    }

    static void expect(String got, String wanted) {
        check(got.equals(wanted), "a waiting thread was told " + got + ", not " + wanted);
    }

    static void closeClient() throws Exception {
        try (Socket asks = new Socket(HOST, address.getPort())) {
            String[] before = ask(asks).split(" ");
            for (int i = 0; i < 10; i++) {
                Socket socket = new Socket(HOST, address.getPort());
                socket.getOutputStream().write("x".getBytes());
                socket.getInputStream().read();
                expect(closedUnder(socket, () -> socket.getInputStream().read(), () -> {
                    socket.close();
                    return null;
                }), "SocketException");
                SocketChannel channel = SocketChannel.open(address);
                channel.write(ByteBuffer.wrap("x".getBytes()));
                channel.read(ByteBuffer.allocate(1));
                expect(closedUnder(channel, () -> channel.read(ByteBuffer.allocate(1)), () -> {
                    channel.close();
                    return null;
                }), "AsynchronousCloseException");
            }
            ServerSocket listener = new ServerSocket(0);
            expect(closedUnder(listener, listener::accept, () -> {
                listener.close();
                return null;
            }), "SocketException");
            // Ends arrive when they do; what counts is that they do, and cleanly.
            int wanted = Integer.parseInt(before[0]) + 20;
            String after;
            do {
                after = ask(asks);
            } while (Integer.parseInt(after.split(" ")[0]) < wanted && after.endsWith(" " + before[1]));
            check(after.equals(wanted + " " + before[1]), "ends and breaks " + after + ", wanted " + wanted + " ends");
        }
    }

    // ---- SocketChannel and Selector

    static void selectorServer() throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(address, 512).configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        for (;;) {
            selector.select();
            for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); keys.remove())
                step(selector, keys.next());
        }
    }

    static void step(Selector selector, SelectionKey key) throws IOException {
        if (key.isAcceptable()) {
            SocketChannel client = ((ServerSocketChannel) key.channel()).accept();
            if (client != null)
                client.configureBlocking(false).register(selector, SelectionKey.OP_READ, ByteBuffer.allocateDirect(16384));
            return;
        }
        SocketChannel client = (SocketChannel) key.channel();
        ByteBuffer buffer = (ByteBuffer) key.attachment();
        boolean end = key.isReadable() && client.read(buffer) < 0;
        buffer.flip();
        client.write(buffer);
        boolean rest = buffer.hasRemaining();
        buffer.compact();
        if (end && !rest)
            client.close();
        else
            key.interestOps(rest ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
    }

    static class Conversation {
        final ByteBuffer out;
        final ByteArrayOutputStream in = new ByteArrayOutputStream();

        Conversation(int size) {
            out = ByteBuffer.wrap(random(size));
        }
    }

    static void selectorClient(String... arguments) throws IOException {
        int open = Integer.parseInt(arguments[1]);
        Selector selector = Selector.open();
        for (int i = 0; i < open; i++) {
            SocketChannel channel = SocketChannel.open();
            channel.configureBlocking(false);
            channel.connect(address);
            channel.register(selector, SelectionKey.OP_CONNECT, new Conversation(Integer.parseInt(arguments[0])));
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(10000);
        while (open > 0) {
            check(selector.select(PATIENCE * 1000) > 0, "nothing became ready, open: " + open);
            for (SelectionKey key : selector.selectedKeys())
                open -= talk(key, buffer) ? 1 : 0;
            selector.selectedKeys().clear();
        }
    }

    // True when it has ended.
    static boolean talk(SelectionKey key, ByteBuffer buffer) throws IOException {
        SocketChannel channel = (SocketChannel) key.channel();
        Conversation talk = (Conversation) key.attachment();
        if (key.isConnectable()) {
            check(channel.finishConnect(), "finishConnect after OP_CONNECT");
            key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            return false;
        }
        if (key.isWritable()) {
            channel.write(talk.out);
            if (!talk.out.hasRemaining()) {
                channel.shutdownOutput();
                key.interestOps(SelectionKey.OP_READ);
            }
        }
        if (!key.isReadable())
            return false;
        int n = channel.read(buffer.clear());
        if (n > 0)
            talk.in.write(Arrays.copyOfRange(bytes(buffer.flip()), 0, n), 0, n);
        if (n >= 0)
            return false;
        check(Arrays.equals(talk.in.toByteArray(), talk.out.array()), "an echo differs");
        channel.close();
        return true;
    }

    static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    // A channel that blocks: a file by transferTo (sendfile) behind a gathering write, read back by a scattering read.
    static void transferClient(String... arguments) throws Exception {
        byte[] file = Files.readAllBytes(Path.of(arguments[0]));
        try (SocketChannel channel = SocketChannel.open(address); FileChannel from = FileChannel.open(Path.of(arguments[0]))) {
            Thread writer = new Thread(() -> {
                try {
                    ByteBuffer[] head = {ByteBuffer.wrap("one ".getBytes()), ByteBuffer.wrap("two ".getBytes())};
                    check(channel.write(head) == 8, "a gathering write");
                    for (long at = 0; at < file.length;)
                        at += from.transferTo(at, file.length - at, channel);
                    channel.shutdownOutput();
                } catch (IOException failure) {
                    failure.printStackTrace();
                }
            });
            writer.start();
            ByteBuffer head = ByteBuffer.allocate(8), body = ByteBuffer.allocate(file.length + 1);
            while (channel.read(new ByteBuffer[] {head, body}) >= 0)
                ;
            writer.join();
            check(new String(head.array()).equals("one two "), "the head of the file");
            check(body.position() == file.length && Arrays.equals(Arrays.copyOf(body.array(), file.length), file), "the file");
        }
    }

    // ---- AsynchronousSocketChannel: a pool of threads on one-shot epoll

    static void asynchronousServer() throws Exception {
        AsynchronousServerSocketChannel listener = AsynchronousServerSocketChannel.open().bind(address, 128);
        listener.accept(null, new CompletionHandler<AsynchronousSocketChannel, Void>() {
            public void completed(AsynchronousSocketChannel client, Void nothing) {
                listener.accept(null, this);
                new Echo(client).completed(0, null);
            }

            public void failed(Throwable failure, Void nothing) {
                failure.printStackTrace();
            }
        });
        Thread.currentThread().join(); // its threads are daemons
    }

    static class Echo implements CompletionHandler<Integer, Void> {
        final AsynchronousSocketChannel client;
        final ByteBuffer buffer = ByteBuffer.allocateDirect(20000);
        boolean writing = true;

        Echo(AsynchronousSocketChannel client) {
            this.client = client;
            buffer.limit(0);
        }

        public void completed(Integer count, Void nothing) {
            if (count < 0) {
                failed(null, null);
            } else if (writing && !buffer.hasRemaining()) {
                writing = false;
                client.read(buffer.clear(), null, this);
            } else {
                if (!writing)
                    buffer.flip();
                writing = true;
                client.write(buffer, null, this);
            }
        }

        public void failed(Throwable failure, Void nothing) {
            if (failure != null)
                failure.printStackTrace();
            try {
                client.close();
            } catch (IOException ignored) {
            }
        }
    }

    static void asynchronousClient(String... arguments) throws Exception {
        byte[] data = random(Integer.parseInt(arguments[0]));
        try (AsynchronousSocketChannel channel = AsynchronousSocketChannel.open()) {
            channel.connect(address).get(PATIENCE, TimeUnit.SECONDS);
            Thread writer = new Thread(() -> {
                try {
                    for (ByteBuffer out = ByteBuffer.wrap(data); out.hasRemaining();)
                        channel.write(out).get(PATIENCE, TimeUnit.SECONDS);
                    channel.shutdownOutput();
                } catch (Exception failure) {
                    failure.printStackTrace();
                }
            });
            writer.start();
            ByteBuffer in = ByteBuffer.allocate(data.length + 1);
            while (channel.read(in).get(PATIENCE, TimeUnit.SECONDS) >= 0)
                ;
            writer.join();
            check(in.position() == data.length && Arrays.equals(Arrays.copyOf(in.array(), data.length), data), "the echo differs");
        }
    }

    public static void main(String[] arguments) throws Exception {
        address = new InetSocketAddress(HOST, Integer.parseInt(arguments[1]));
        String[] rest = Arrays.copyOfRange(arguments, 2, arguments.length);
        switch (arguments[0]) {
        case "http-server" -> httpServer();
        case "http-client" -> httpClient();
        case "url-connection" -> urlConnection();
        case "threads-server" -> threadsServer();
        case "threads-client" -> threadsClient(rest);
        case "timeout-client" -> timeoutClient();
        case "inherited" -> inherited();
        case "close-client" -> closeClient();
        case "selector-server" -> selectorServer();
        case "selector-client" -> selectorClient(rest);
        case "transfer-client" -> transferClient(rest);
        case "asynchronous-server" -> asynchronousServer();
        case "asynchronous-client" -> asynchronousClient(rest);
        default -> throw new IllegalArgumentException(arguments[0]);
        }
    }
}
