"""CPython's own mutual TLS 1.3: an echo server, or a client that sends a line and reads it back, again and again.

interop.py server|client PORT DIRECTORY GROUP [COUNT]"""
import socket
import ssl
import sys
import threading

role, port, directory, group = sys.argv[1], int(sys.argv[2]), *sys.argv[3:5]
LINE = b"the words that come back\n"


def context(purpose):
    made = ssl.create_default_context(purpose, cafile=f"{directory}/ca.pem")
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False  # not what these certificates prove
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(f"{directory}/cert.pem", f"{directory}/key.pem")
    if group:
        made.set_ecdh_curve(group)
    return made


def echo(connection):
    try:
        with connection:
            print("client", connection.getpeercert()["subjectAltName"], connection.cipher()[0], flush=True)
            while data := connection.recv(4096):
                connection.sendall(data)
            print("closed cleanly", flush=True)
    except OSError as error:
        print("ended:", error, flush=True)


def serve():
    made = context(ssl.Purpose.CLIENT_AUTH)
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            plain, _ = listener.accept()
            connection = made.wrap_socket(plain, server_side=True, do_handshake_on_connect=True, suppress_ragged_eofs=False)
            threading.Thread(target=echo, args=(connection,), daemon=True).start()


def ask():
    with socket.create_connection(("127.0.0.1", port)) as plain, context(ssl.Purpose.SERVER_AUTH).wrap_socket(
            plain, suppress_ragged_eofs=False) as connection:
        file = connection.makefile("rwb")
        for _ in range(int(sys.argv[5])):
            file.write(LINE)
            file.flush()
            assert file.readline() == LINE
        print("done with", connection.cipher()[0], connection.getpeercert()["subjectAltName"])
        connection.unwrap()  # close_notify, both ways


serve() if role == "server" else ask()
