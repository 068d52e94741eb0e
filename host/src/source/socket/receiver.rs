//! A thread that connects to one address and brings its lines to the buffer.

use std::io::{self, ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use super::buffer::Buffer;
use super::journal::Journal;
use super::lines::Lines;
use crate::clock::Stopwatch;
use crate::source::{Connection, Wake};

/// The first pause before the next try to connect; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long a try to connect may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A read ends after this, so that a stop is noticed.
const READ_MAX: Duration = Duration::from_millis(100);

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// One receiver of a source.
pub(super) struct Receiver {
    pub(super) number: usize,
    pub(super) address: String,
    pub(super) block_interval: Duration,
    pub(super) idle_timeout: Option<Duration>,
    /// Whether it ends when the peer has closed the connection.
    pub(super) once: bool,
    pub(super) buffer: Arc<Buffer>,
    pub(super) journal: Arc<Journal>,
    /// Rung when there is something new for the batch loop.
    pub(super) wake: Wake,
    /// Rung when nothing more is to be received.
    pub(super) end: Wake,
}

/// How a connection ended.
enum Ended {
    /// The peer said that this was all.
    Closed,
    /// It broke.
    Lost(String),
    /// Nothing more is to be received.
    Stopped,
}

impl Receiver {
    /// Receives until there is nothing more to receive.
    pub(super) fn run(self) {
        let (mut pause, mut state) = (PAUSE_MIN, None);
        while !self.buffer.is_stopped() {
            match connect(&self.address) {
                Ok(stream) => {
                    self.tell(&mut state, true, String::new());
                    let (ended, received) = self.receive(stream);
                    if received {
                        pause = PAUSE_MIN;
                    }
                    match ended {
                        Ended::Stopped => return,
                        Ended::Closed => {
                            let closed = "the peer closed the connection";
                            self.tell(&mut state, false, closed.to_owned());
                            if self.once {
                                self.buffer.close(self.number);
                                return self.wake.ring();
                            }
                        }
                        Ended::Lost(reason) => self.tell(&mut state, false, reason),
                    }
                }
                Err(error) => self.tell(&mut state, false, error.to_string()),
            }
            self.end.wait(Some(pause));
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// A block has ended: brings it to the log, and tells of it.
    fn ring(&self) {
        self.journal.write(&self.buffer);
        self.wake.ring();
    }

    /// Says that the connection is up or down, if it was not so before.
    fn tell(&self, state: &mut Option<bool>, up: bool, reason: String) {
        if state.replace(up) != Some(up) {
            let (receiver, address) = (self.number + 1, self.address.clone());
            self.buffer.tell(Connection { receiver, address, up, reason });
            self.wake.ring();
        }
    }

    /// Receives from one connection. Says also whether anything came.
    fn receive(&self, stream: TcpStream) -> (Ended, bool) {
        let mut session = Session {
            receiver: self,
            stream,
            lines: Lines::default(),
            whole: Vec::new(),
            block: None,
            silence: Stopwatch::start(),
            received: false,
        };
        let ended = session.run();
        let ended = session.end(ended);
        (ended, session.received)
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, CONNECT_MAX) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// One connection.
struct Session<'a> {
    receiver: &'a Receiver,
    stream: TcpStream,
    lines: Lines,
    whole: Vec<u8>,
    /// Runs since the block has begun.
    block: Option<Stopwatch>,
    /// Runs since something came.
    silence: Stopwatch,
    received: bool,
}

impl Session<'_> {
    fn run(&mut self) -> Ended {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            if !self.wait_for_room() {
                return Ended::Stopped;
            }
            if let Err(error) = self.stream.set_read_timeout(Some(self.patience())) {
                return Ended::Lost(error.to_string());
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ended::Closed,
                Ok(read) => self.take(&bytes[..read]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Ended::Lost(error.to_string()),
                },
            }
            self.seal_in_time();
            if self.receiver.idle_timeout.is_some_and(|most| self.silence.elapsed() >= most) {
                return Ended::Lost("nothing came for the whole `idle_timeout`".to_owned());
            }
        }
    }

    /// While there is no room nothing is read, and silence is not the sender's.
    fn wait_for_room(&mut self) -> bool {
        if self.receiver.buffer.is_full() {
            self.seal();
            let room = self.receiver.buffer.wait_for_room();
            self.silence = Stopwatch::start();
            return room;
        }
        !self.receiver.buffer.is_stopped()
    }

    /// How long a read may take: up to the end of the block.
    fn patience(&self) -> Duration {
        let left = self
            .block
            .map_or(READ_MAX, |block| self.receiver.block_interval.saturating_sub(block.elapsed()));
        left.clamp(Duration::from_millis(1), READ_MAX)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.received = true;
        self.silence = Stopwatch::start();
        self.lines.feed(bytes, &mut self.whole);
        self.put();
    }

    /// Brings whole lines to the buffer.
    fn put(&mut self) {
        if self.whole.is_empty() {
            return;
        }
        if self.receiver.buffer.append(self.receiver.number, &self.whole) {
            self.block = None;
            self.receiver.ring();
        } else if self.block.is_none() {
            self.block = Some(Stopwatch::start());
        }
        self.whole.clear();
        // One long line must not keep its memory for ever.
        self.whole.shrink_to(2 * READ_BYTES);
    }

    fn seal_in_time(&mut self) {
        let over = |block: Stopwatch| block.elapsed() >= self.receiver.block_interval;
        if self.block.is_some_and(over) {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if self.block.take().is_some() {
            self.receiver.buffer.seal(self.receiver.number);
            self.receiver.ring();
        }
    }

    /// What has begun is a line only if the peer said that this was all.
    fn end(&mut self, mut ended: Ended) -> Ended {
        match &mut ended {
            Ended::Closed => {
                self.lines.end(&mut self.whole);
                self.put();
            }
            Ended::Lost(reason) => {
                let lost = self.lines.give_up();
                if lost > 0 {
                    *reason = format!("{reason}; {lost} bytes of a line without its end are lost");
                }
            }
            Ended::Stopped => {}
        }
        self.seal();
        ended
    }
}
