//! A job that listens to a peer: lines come over TCP and through the write-ahead log.
//!
//! The peer knows what it sent, and sends nothing twice. TCP tells it nothing of what is durable,
//! so what must be there follows from two rules:
//!
//! - what was ever seen in the log of a process that has ended, or in a sink, is in the sinks once;
//! - of each connection a beginning of what was sent arrives, in its order; all of it if the host
//!   came to its own end after the peer had closed the connection.
//!
//! So only lines may be lost that had not come into the log when the process was killed.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use weir_host::durable::frame;

use crate::shapes::{Batch, Feed, Shape, sink};

/// Lines of a peer, written as they came.
pub const LINES: Shape = Shape {
    name: "lines",
    job: |address| {
        format!(
            "[[source]]\nid = \"lines\"\ntype = \"socket\"\naddress = \"{}\"\n\
             block_interval = \"10ms\"\n{}",
            address[0],
            sink("out", "lines")
        )
    },
    feed: Feed::Wire,
    input: |n| (0..n % 4 + 1).map(|i| format!("line {n:06} {i}\n")).collect(),
    inputs: 14,
    sinks: &["out"],
    tables: &[],
    model: |_| Vec::new(),
    rare: false,
};

/// A peer sends after such a pause, so that blocks and batches differ.
const PAUSE: Duration = Duration::from_millis(12);

/// The peer of a job.
pub struct Wire {
    address: SocketAddr,
    peer: Arc<Mutex<Peer>>,
    thread: Option<JoinHandle<()>>,
    /// Lines that have to arrive.
    must: BTreeSet<String>,
}

/// What a peer has and had.
#[derive(Default)]
struct Peer {
    /// Lines that were not sent yet.
    waiting: VecDeque<String>,
    /// Those of each connection, in their order; some may not have arrived.
    sent: Vec<Vec<String>>,
    stopped: bool,
}

impl Wire {
    /// A peer that waits for connections. To each it sends what there is, and closes it.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let peer = Arc::<Mutex<Peer>>::default();
        let shared = Arc::clone(&peer);
        let thread = std::thread::spawn(move || {
            while !lock(&shared).stopped {
                let (stream, _) = listener.accept().unwrap();
                lock(&shared).sent.push(Vec::new());
                send(&shared, stream);
            }
        });
        Self { address, peer, thread: Some(thread), must: BTreeSet::new() }
    }

    /// Where it waits.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Has it send lines.
    pub fn add(&self, lines: &str) {
        lock(&self.peer).waiting.push_back(lines.to_owned());
    }

    /// Takes note of what has to arrive, after a process has ended.
    pub fn note(&mut self, checkpoint: &Path, found: &[Batch]) {
        self.must.extend(logged(&checkpoint.join("wal/lines")));
        self.must.extend(arrived(found));
    }

    /// Compares what is in the sink with what was sent.
    pub fn check(&self, found: &[Batch]) {
        let arrived = arrived(found);
        let once: BTreeSet<&String> = arrived.iter().collect();
        assert_eq!(once.len(), arrived.len(), "a line is there twice: {arrived:?}");
        assert!(arrived.is_sorted(), "lines are not in the order in which they were sent");
        let lost: Vec<_> = self.must.iter().filter(|line| !once.contains(line)).collect();
        assert!(lost.is_empty(), "durable and not there: {lost:?}");
        let peer = lock(&self.peer);
        let mut left = arrived.len();
        for sent in &peer.sent {
            let there = sent.iter().take_while(|line| once.contains(line)).count();
            let behind = sent[there..].iter().find(|line| once.contains(line));
            assert_eq!(behind, None, "a line before it is missing in {sent:?}");
            left -= there;
        }
        assert_eq!(left, 0, "lines that nobody sent");
        let last = peer.sent.last().unwrap();
        assert!(last.iter().all(|line| once.contains(line)), "all of {last:?} was received");
        assert!(peer.waiting.is_empty(), "the host came to its end before the peer");
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        lock(&self.peer).stopped = true;
        // Wakes it up.
        let _it_may_have_ended = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

fn lock(peer: &Mutex<Peer>) -> MutexGuard<'_, Peer> {
    peer.lock().unwrap()
}

fn send(peer: &Mutex<Peer>, mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    loop {
        let lines = {
            let mut peer = lock(peer);
            let Some(lines) = peer.waiting.pop_front() else { return };
            // Noted before: a part of it may arrive, and the peer never knows.
            peer.sent.last_mut().unwrap().extend(lines.lines().map(str::to_owned));
            lines
        };
        if stream.write_all(lines.as_bytes()).is_err() {
            return;
        }
        // Not waiting for anything: somebody who sends now and then.
        std::thread::sleep(PAUSE);
    }
}

/// The lines of a sink, batch after batch.
fn arrived(found: &[Batch]) -> Vec<String> {
    let row = |row: &String| {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        row["line"].as_str().unwrap().to_owned()
    };
    found.iter().flat_map(|batch| batch[0].iter().map(row)).collect()
}

/// The lines in a log, whatever was received: read here once more, by the frames alone.
fn logged(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut lines = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|end| end != "wal") {
            continue;
        }
        let (bytes, mut at) = (std::fs::read(path).unwrap(), 0);
        while let Ok(frame) = frame::read(&bytes, at) {
            let text = std::str::from_utf8(frame.payload).unwrap();
            lines.extend(text.lines().map(str::to_owned));
            at = frame::start_at(frame.end);
        }
    }
    lines
}
