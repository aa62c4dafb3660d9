"""A server that hands its connection to a program. Usage: handover.py PORT WAY [PROGRAM]

Each way accepts one connection, may read the first bytes of it, starts PROGRAM (default: cat) on it, and ends."""
import os
import socket
import subprocess
import sys

port, way = int(sys.argv[1]), sys.argv[2]
program = sys.argv[3] if len(sys.argv) > 3 else "/bin/cat"


def accepted():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    connection, _ = listener.accept()
    listener.close()
    return connection


def become(connection, environment=None):
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    os.execve(program, [program], os.environ if environment is None else environment)


connection = accepted()
if way == "exec":  # nothing was read: the program makes the handshake
    become(connection)
elif way == "used":  # three bytes of more were read, and something was said
    print(connection.recv(3), file=sys.stderr)
    connection.sendall(b"taken\n")
    become(connection)
elif way == "bare":  # an environment without anything
    connection.recv(3)
    become(connection, {})
elif way == "disabled":
    connection.recv(3)
    become(connection, {**os.environ, "MESHSHIM_DISABLE": "1"})
elif way == "raw":  # a system call that nobody sees
    import ctypes
    connection.recv(3)
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    code = open(0, "rb", closefd=False)  # keeps the stream's object from being closed
    libc = ctypes.CDLL(None)
    arguments = (ctypes.c_char_p * 2)(program.encode(), None)
    strings = [f"{k}={v}".encode() for k, v in os.environ.items()]
    environment = (ctypes.c_char_p * (len(strings) + 1))(*strings, None)
    # "mov eax,59; syscall; ret"
    import mmap
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x3b\x00\x00\x00\x0f\x05\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)(address)(
        program.encode(), ctypes.addressof(arguments), ctypes.addressof(environment))
elif way == "vfork":
    connection.recv(3)
    child = subprocess.Popen([program], stdin=connection, stdout=connection)
    connection.close()
    child.wait()
elif way == "spawn":
    connection.recv(3)
    end = connection.fileno()
    os.posix_spawn(program, [program], os.environ,
                   file_actions=[(os.POSIX_SPAWN_DUP2, end, 0), (os.POSIX_SPAWN_DUP2, end, 1)])
    connection.close()
    os.wait()
elif way == "inheritable":  # posix_spawn without actions: the program finds the descriptor by its number
    connection.recv(3)
    connection.set_inheritable(True)
    os.posix_spawn(program, [program, str(connection.fileno())], os.environ)
    os.wait()
    connection.sendall(b"not there" if not os.get_inheritable(connection.fileno()) else b"end")
elif way == "system":  # the shell's child talks, then this process does
    connection.set_inheritable(True)
    connection.recv(3)
    end = connection.fileno()
    os.system(f"echo 'the shell speaks' >&{end}; head -c 8 <&{end} >&{end}")
    connection.sendall(b"\nand we again\n")
elif way in ("cleared", "disabled-shell"):  # libc starts the shell, with the environment as it is
    connection.recv(3)
    connection.set_inheritable(True)
    if way == "cleared":
        os.unsetenv("LD_PRELOAD")
    else:
        os.putenv("MESHSHIM_DISABLE", "1")
    os.system(f"echo two >&{connection.fileno()}")
elif way == "moved":  # the new image's loader does not find the library
    connection.recv(3)
    os.unlink(os.environ["LD_PRELOAD"].split()[-1])
    become(connection)
elif way == "failing":  # exec fails, and the connection goes on
    try:
        os.execv("/nowhere/to/be/found", ["it"])
    except OSError as error:
        connection.sendall(error.strerror.encode() + b"\n")
    connection.sendall(connection.recv(11))
elif way == "stranger":  # a process that does not share the keys
    connection.recv(3)
    there = socket.socket(socket.AF_UNIX)
    there.connect(program)
    try:
        socket.send_fds(there, [b"x"], [connection.fileno()])
        connection.sendall(b"sent")
    except OSError as error:
        connection.sendall(error.strerror.encode())
    connection.recv(8)
elif way == "heir":  # of the family, and so was who has made its socket
    connection.recv(3)
    there = socket.socket(socket.AF_UNIX)
    there.bind(program)
    maker = os.fork()
    if maker == 0:
        there.listen()
        if os.fork():
            os._exit(0)
        with socket.socket(fileno=socket.recv_fds(there.accept()[0], 1, 1)[1][0]) as got:
            got.sendall(got.recv(8))
        os._exit(0)
    os.waitpid(maker, 0)
    here = socket.socket(socket.AF_UNIX)
    here.connect(program)
    socket.send_fds(here, [b"x"], [connection.fileno()])
    connection.close()
    here.recv(1)
elif way == "replace":  # exec closes the connection: its end is clean
    connection.sendall(b"the end\n")
    os.execv("/bin/true", ["true"])
elif way in ("aside", "aside-fork"):  # a program is started that does not get it, and it ends before that program runs
    connection.sendall(b"the end\n")
    if way == "aside":
        os.posix_spawn("/bin/true", ["true"], os.environ)
    else:
        channel = socket.socketpair()[0]  # by which connections could come: it is of the family
        channel.set_inheritable(True)
        began, begins = os.pipe()  # exec closes the child's end
        if os.fork() == 0:
            os.execv("/bin/true", ["true"])
        os.close(begins)
        os.read(began, 1)
    connection.close()
    os.wait()
elif way == "killed":  # a child that waits for bytes is killed; nobody has waited for it when its parent reads
    connection.recv(3)
    child = os.fork()
    if child == 0:
        connection.recv(3)
        os._exit(0)
    while open(f"/proc/{child}/stat").read().rsplit(")")[1].split()[0] != "S":
        pass
    os.kill(child, 9)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # until then it may take what arrives, as from a plain socket
    connection.sendall(b"killed")
    connection.sendall(connection.recv(3))
    os.wait()
elif way == "user":  # the program runs as somebody else
    os.setgid(65534)
    os.setuid(65534)
    become(connection)
elif way == "unreadable":  # and may execute the program, but not look into it
    connection.recv(3)
    os.setgid(65534)
    os.setuid(65534)
    become(connection)
