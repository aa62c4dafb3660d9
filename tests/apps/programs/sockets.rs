//! Rust's std::net: sockets MODE PORT [ARGUMENT…]. A client panics where an answer is wrong.
use std::env;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn data(size: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as u8
        })
        .collect()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connect");
    stream.set_nodelay(true).expect("set_nodelay");
    assert!(stream.nodelay().expect("nodelay"));
    assert_eq!(stream.peer_addr().expect("peer_addr"), address);
    stream
}

/// io::copy is splice between sockets on Linux.
fn server(address: SocketAddr) {
    for stream in TcpListener::bind(address).expect("bind").incoming() {
        let mut from = stream.expect("accept");
        thread::spawn(move || {
            let mut to = from.try_clone().expect("try_clone");
            match io::copy(&mut from, &mut to) {
                Ok(_) => to.shutdown(Shutdown::Write).unwrap_or(()),
                Err(error) => eprintln!("{}", error),
            }
        });
    }
}

/// A clone writes in a thread of its own, and ends its side.
fn echo(address: SocketAddr, size: usize, seed: usize) {
    let sent = data(size, seed);
    let mut stream = connect(address);
    let mut clone = stream.try_clone().expect("try_clone");
    let copy = sent.clone();
    let writer = thread::spawn(move || {
        clone.write_all(&copy).expect("write");
        clone.shutdown(Shutdown::Write).expect("shutdown");
    });
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("read");
    writer.join().expect("writer");
    assert!(got == sent, "the echo differs: {} bytes of {}", got.len(), sent.len());
}

fn echoes(address: SocketAddr, size: usize, count: usize) {
    let threads: Vec<_> = (0..count).map(|i| thread::spawn(move || echo(address, size, i))).collect();
    for thread in threads {
        thread.join().expect("an echo");
    }
}

/// peek takes nothing, a time-out takes its time, lines come through a buffer, slices go out as one.
fn details(address: SocketAddr) {
    let mut stream = connect(address);
    let mut look = [0; 5];
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("set_read_timeout");
    let start = Instant::now();
    let error = stream.peek(&mut look).expect_err("a peek at nothing");
    assert!(error.kind() == ErrorKind::WouldBlock && start.elapsed() >= Duration::from_millis(150));
    stream.set_read_timeout(Some(PATIENCE)).expect("set_read_timeout");
    // A program that is started meanwhile takes nothing away.
    let other = Command::new("/bin/echo").arg("from echo").output().expect("echo");
    assert_eq!(other.stdout, b"from echo\n");
    let slices = [IoSlice::new(b"hello\n"), IoSlice::new(b"there\n")];
    assert_eq!(stream.write_vectored(&slices).expect("write_vectored"), 12);
    assert_eq!(stream.peek(&mut look).expect("peek"), 5);
    assert_eq!(&look, b"hello");
    let mut lines = BufReader::new(stream.try_clone().expect("try_clone")).lines();
    assert_eq!(lines.next().expect("a line").expect("read"), "hello");
    assert_eq!(lines.next().expect("a line").expect("read"), "there");
    stream.set_nonblocking(true).expect("set_nonblocking");
    assert_eq!(stream.read(&mut look).expect_err("a read of nothing").kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).expect("set_nonblocking");
    assert!(stream.take_error().expect("take_error").is_none());
    // Ends the reader in another thread, too.
    let reader = thread::spawn(move || lines.next().is_none());
    stream.shutdown(Shutdown::Both).expect("shutdown");
    assert!(reader.join().expect("reader"), "a line after the end");
    assert_eq!(stream.write(b"x").expect_err("a write after the end").kind(), ErrorKind::BrokenPipe);
}

/// Nobody listens there.
fn refused(address: SocketAddr) {
    let error = TcpStream::connect_timeout(&address, PATIENCE).expect_err("a connection to nobody");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let number = |i: usize| arguments[i].parse::<usize>().expect("a number");
    let address = SocketAddr::from(([127, 0, 0, 1], number(2) as u16));
    match arguments[1].as_str() {
        "server" => server(address),
        "echoes" => echoes(address, number(3), number(4)),
        "details" => details(address),
        "refused" => refused(address),
        other => panic!("no mode {}", other),
    }
}
