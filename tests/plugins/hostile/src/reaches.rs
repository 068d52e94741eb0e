//! Functions that reach for what no op allowed them. Each says what it got.

use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Number, Seen};

/// Something to say of what was tried: what came of it, or that nothing did.
fn told<T: std::fmt::Debug, E>(what: &str, got: Result<T, E>) -> String {
    match got {
        Ok(got) => format!("{what}: {got:?}"),
        Err(_) => format!("{what}: denied"),
    }
}

/// Reads files, and lists folders.
#[weir::mapper]
pub fn reads_files(row: Number) -> Seen {
    let paths = ["/etc/passwd", "/proc/self/environ", "job.toml", "./job.toml", "../job.toml"];
    let files = paths.map(|path| told(path, std::fs::read(path)));
    let folders = ["/", ".", "..", "/tmp", ""].map(|path| told(path, std::fs::read_dir(path)));
    Seen { seen: format!("{} {} {}", row.n, files.join(" "), folders.join(" ")) }
}

/// Writes, makes and removes files.
#[weir::mapper]
pub fn writes_files(row: Number) -> Seen {
    let seen = [
        told("write", std::fs::write("/tmp/from-a-guest", "x")),
        told("create", std::fs::write("from-a-guest", "x")),
        told("folder", std::fs::create_dir("from-a-guest")),
        told("remove", std::fs::remove_file("job.toml")),
        told("rename", std::fs::rename("job.toml", "other.toml")),
        told("link", std::fs::hard_link("job.toml", "other.toml")),
    ];
    Seen { seen: format!("{} {}", row.n, seen.join(" ")) }
}

/// Reads the environment, the arguments and the folder it works in.
#[weir::mapper]
pub fn reads_environment(row: Number) -> Seen {
    let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    let arguments: Vec<String> = std::env::args().collect();
    let folder = std::env::current_dir().map(|path| path.display().to_string());
    Seen { seen: format!("{} {names:?} {arguments:?} {}", row.n, told("folder", folder)) }
}

/// Reads standard input to its end.
#[weir::mapper]
pub fn reads_standard_input(row: Number) -> Seen {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    Seen { seen: format!("{} {} bytes {}", row.n, bytes.len(), told("read", read)) }
}

/// Connects, listens and sends.
#[weir::mapper]
pub fn uses_the_network(row: Number) -> Seen {
    let seen = [
        told("connect", TcpStream::connect("127.0.0.1:22").map(drop)),
        told("connect6", TcpStream::connect("[::1]:22").map(drop)),
        told("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        told("udp", UdpSocket::bind("127.0.0.1:0").map(drop)),
        told("udp6", UdpSocket::bind("[::]:0").map(drop)),
        told("look up", "localhost:80".to_socket_addrs().map(Iterator::count)),
        told("look up far", "example.com:80".to_socket_addrs().map(Iterator::count)),
    ];
    Seen { seen: format!("{} {}", row.n, seen.join(" ")) }
}

/// Reads the clocks, and works in between.
#[weir::mapper]
pub fn reads_clocks(row: Number) -> Seen {
    let wall = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros());
    let (start, steady) = (wall(), Instant::now());
    let work: u64 = (0..10_000_000_u64).map(std::hint::black_box).sum();
    let batch = weir::context::current().time.0 as u128;
    let same = wall() == start && start == batch;
    let steps = steady.elapsed() < Duration::from_micros(1);
    Seen { seen: format!("{} {work} batch_time={same} steps={steps}", row.n) }
}

/// Draws random numbers.
#[weir::mapper]
pub fn draws_random(row: Number) -> Seen {
    let draw = || {
        let state = std::collections::hash_map::RandomState::new();
        std::hash::BuildHasher::hash_one(&state, row.n)
    };
    Seen { seen: format!("{} {} {}", row.n, draw(), draw()) }
}

/// Starts threads and processes.
#[weir::mapper]
pub fn starts_others(row: Number) -> Seen {
    let thread = std::thread::Builder::new().spawn(|| ());
    let process = std::process::Command::new("/bin/true").status();
    let seen = [told("thread", thread.map(drop)), told("process", process)];
    Seen { seen: format!("{} {}", row.n, seen.join(" ")) }
}

/// Ends the process with an error, at a 7.
#[weir::mapper]
pub fn exits_with_failure(row: Number) -> Number {
    if row.n == 7 {
        std::process::exit(1);
    }
    row
}

/// Aborts the process, at a 7.
#[weir::mapper]
pub fn aborts(row: Number) -> Number {
    if row.n == 7 {
        std::process::abort();
    }
    row
}

/// Leaves something in its memory, and says what an earlier batch or partition left there.
#[weir::mapper]
pub fn reads_what_others_left(row: Number) -> Seen {
    static LEFT: std::sync::Mutex<Vec<i64>> = std::sync::Mutex::new(Vec::new());
    let mut left = LEFT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    left.push(row.n);
    Seen { seen: format!("{} {left:?}", row.n) }
}
