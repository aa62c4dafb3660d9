import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * JSSE's own mutual TLS 1.3: an echo server, or a client that sends a line and reads it back, again and again. Both change their keys every
 * four kilobytes.
 *
 * <p>Interop server|client PORT DIRECTORY CIPHER [COUNT]
 */
public class Interop {
    private static SSLContext context(Path directory) throws Exception {
        KeyStore own = KeyStore.getInstance("PKCS12");
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        try (InputStream in = Files.newInputStream(directory.resolve("own.p12"))) {
            own.load(in, "secret".toCharArray());
        }
        trusted.load(null, null);
        try (InputStream in = Files.newInputStream(directory.resolve("ca.pem"))) {
            trusted.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        keys.init(own, "secret".toCharArray());
        trust.init(trusted);
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static void echo(SSLSocket socket) {
        byte[] bytes = new byte[4096];
        try (socket) {
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            for (int n; (n = in.read(bytes)) > 0; ) {
                out.write(bytes, 0, n);
            }
            System.out.println("closed cleanly");
        } catch (Exception e) {
            System.out.println("ended: " + e);
        }
    }

    private static void serve(SSLContext context, int port, String cipher) throws Exception {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port);
        listener.setNeedClientAuth(true);
        listener.setEnabledCipherSuites(new String[] {cipher});
        while (true) {
            SSLSocket socket = (SSLSocket) listener.accept();
            new Thread(() -> echo(socket)).start();
        }
    }

    private static void ask(SSLContext context, int port, String cipher, int count) throws Exception {
        byte[] line = "the words that come back\n".getBytes(StandardCharsets.US_ASCII);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
            socket.setEnabledCipherSuites(new String[] {cipher});
            for (int i = 0; i < count; i++) {
                socket.getOutputStream().write(line);
                if (!Arrays.equals(socket.getInputStream().readNBytes(line.length), line)) {
                    throw new IllegalStateException("other words");
                }
            }
            System.out.println("done with " + socket.getSession().getPeerCertificates().length + " certificates");
        }
    }

    public static void main(String[] args) throws Exception {
        Security.setProperty("jdk.tls.keyLimits", "AES/GCM/NoPadding KeyUpdate 2^12, ChaCha20-Poly1305 KeyUpdate 2^12");
        SSLContext context = context(Path.of(args[2]));
        if (args[0].equals("server")) {
            serve(context, Integer.parseInt(args[1]), args[3]);
        } else {
            ask(context, Integer.parseInt(args[1]), args[3], Integer.parseInt(args[4]));
        }
    }
}
