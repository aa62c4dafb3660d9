/*
 * NSS with new keys before each line: tstclnt and selfserv have no command for that.
 *
 *   interop_nss DATABASE NAME client PORT    says lines, and hears each again
 *   interop_nss DATABASE NAME server PORT    one client; says each of its lines again
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cert.h>
#include <keyhi.h>
#include <nspr.h>
#include <nss.h>
#include <pk11pub.h>
#include <ssl.h>
#include <sslexp.h>
#include <sslproto.h>

enum { LINES = 6 };

static const char *name;

static void must(const char *what, int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, PR_ErrorToName(PR_GetError()));
    exit(1);
}

/* The names of meshed certificates are URIs, which NSS does not compare. */
static SECStatus judge(void *argument, PRFileDesc *fd, PRBool check, PRBool is_server)
{
    CERTCertificate *peer = SSL_PeerCertificate(fd);
    SECStatus good = CERT_VerifyCertificateNow(
        CERT_GetDefaultCertDB(), peer, check,
        is_server ? certificateUsageSSLClient : certificateUsageSSLServer, argument, NULL);
    CERT_DestroyCertificate(peer);
    return good;
}

static PRFileDesc *tls(PRFileDesc *socket)
{
    SSLVersionRange only = { SSL_LIBRARY_VERSION_TLS_1_3, SSL_LIBRARY_VERSION_TLS_1_3 };
    PRFileDesc *fd = SSL_ImportFD(NULL, socket);
    must("SSL_ImportFD", !fd);
    must("SSL_VersionRangeSet", SSL_VersionRangeSet(fd, &only));
    must("SSL_AuthCertificateHook", SSL_AuthCertificateHook(fd, judge, NULL));
    return fd;
}

static PRFileDesc *connected(const PRNetAddr *address)
{
    PRFileDesc *fd = tls(PR_NewTCPSocket());
    must("SSL_GetClientAuthDataHook", SSL_GetClientAuthDataHook(fd, NSS_GetClientAuthData, (void *)name));
    must("SSL_SetURL", SSL_SetURL(fd, "127.0.0.1"));
    must("PR_Connect", PR_Connect(fd, address, PR_SecondsToInterval(5)));
    return fd;
}

static PRFileDesc *accepted(const PRNetAddr *address)
{
    CERTCertificate *certificate = PK11_FindCertFromNickname(name, NULL);
    SECKEYPrivateKey *key = certificate ? PK11_FindKeyByAnyCert(certificate, NULL) : NULL;
    PRFileDesc *listener = PR_NewTCPSocket(), *fd;
    must("certificate", !key);
    must("SSL_ConfigServerSessionIDCache", SSL_ConfigServerSessionIDCache(0, 0, 0, NULL));
    must("PR_Bind", PR_Bind(listener, address));
    must("PR_Listen", PR_Listen(listener, 5));
    fd = tls(PR_Accept(listener, NULL, PR_SecondsToInterval(20)));
    must("SSL_ConfigServerCert", SSL_ConfigServerCert(fd, certificate, key, NULL, 0));
    must("SSL_OptionSet", SSL_OptionSet(fd, SSL_REQUEST_CERTIFICATE, PR_TRUE));
    must("SSL_OptionSet", SSL_OptionSet(fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_ALWAYS));
    must("SSL_ResetHandshake", SSL_ResetHandshake(fd, PR_TRUE));
    return fd;
}

/* A line, which ends with '\n'; false: the end. */
static int hear(PRFileDesc *fd, char *line, int room)
{
    int n = 0;
    while (n < room - 1 && (n == 0 || line[n - 1] != '\n')) {
        int got = PR_Recv(fd, line + n, room - 1 - n, 0, PR_SecondsToInterval(5));
        must("PR_Recv", got < 0);
        if (got == 0)
            return 0;
        n += got;
    }
    line[n] = 0;
    return 1;
}

/* New keys first: every other time the peer is asked for its own too. */
static void say(PRFileDesc *fd, const char *line, int number)
{
    must("SSL_KeyUpdate", SSL_KeyUpdate(fd, number % 2));
    must("PR_Send", PR_Send(fd, line, (int)strlen(line), 0, PR_SecondsToInterval(5)) != (int)strlen(line));
}

int main(int count, char **arguments)
{
    PRNetAddr address;
    PRFileDesc *fd;
    char line[256];
    if (count != 5)
        return 2;
    name = arguments[2];
    must("NSS_Init", NSS_Init(arguments[1]));
    PR_InitializeNetAddr(PR_IpAddrLoopback, (PRUint16)atoi(arguments[4]), &address);
    fd = strcmp(arguments[3], "client") == 0 ? connected(&address) : accepted(&address);
    must("SSL_ForceHandshake", SSL_ForceHandshake(fd));
    if (strcmp(arguments[3], "client") != 0) {
        for (int i = 0; hear(fd, line, sizeof line); i++)
            say(fd, line, i);
    } else {
        for (int i = 0; i < LINES; i++) {
            char said[64];
            snprintf(said, sizeof said, "line %d\n", i);
            say(fd, said, i);
            must("the end", !hear(fd, line, sizeof line));
            must(line, strcmp(line, said) != 0);
        }
    }
    PR_Close(fd);
    printf("done\n");
    return 0;
}
