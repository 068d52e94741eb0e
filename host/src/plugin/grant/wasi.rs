//! WASI as a function sees it: no files, no environment, no network, the batch's time as clock,
//! seeded random, and standard output and error as lines of the log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult, subscribe};

use super::{GuestState, Rights, log};
use crate::clock::{Micros, Random};
use crate::job::Limits;
use crate::plugin::error::PluginError;
use crate::plugin::lane::{Lane, LogLevel};
use crate::plugin::limit::LogGate;

/// A line of output that has no end is kept up to so many bytes, and so much is taken at a time.
const PENDING_BYTES_MAX: usize = 64 * 1024;

/// Random bytes that one call gives: the host makes them before they have a place in the guest.
const RANDOM_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The clocks of one instance. The wall clock stands at the batch's time; the monotonic clock
/// moves by a nanosecond a read, and to the deadline of a timer that is waited for.
#[derive(Clone, Debug)]
pub struct GuestClock {
    wall: Arc<AtomicI64>,
    monotonic: Arc<AtomicU64>,
}

impl GuestClock {
    /// Clocks of a batch.
    pub fn at(time: Micros) -> Self {
        let clock = Self { wall: Arc::default(), monotonic: Arc::default() };
        clock.set(time);
        clock
    }

    /// Another batch begins.
    pub fn set(&self, time: Micros) {
        self.wall.store(time.0, Ordering::Relaxed);
        let nanos = u64::try_from(time.0).unwrap_or(0).saturating_mul(1000);
        self.monotonic.store(nanos, Ordering::Relaxed);
    }
}

impl HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.wall.load(Ordering::Relaxed)).unwrap_or(0))
    }
}

impl HostMonotonicClock for GuestClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.monotonic.fetch_add(1, Ordering::Relaxed)
    }
}

/// A timer: ready at once, and then the clock stands at its deadline.
struct Timer {
    clock: GuestClock,
    deadline: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        self.clock.monotonic.fetch_max(self.deadline, Ordering::Relaxed);
    }
}

/// The monotonic clock with timers that never wait.
struct Timers<'a> {
    clock: &'a GuestClock,
    table: &'a mut ResourceTable,
}

struct HasTimers;

impl HasData for HasTimers {
    type Data<'a> = Timers<'a>;
}

impl monotonic_clock::Host for Timers<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(HostMonotonicClock::now(self.clock))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, deadline: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer { clock: self.clock.clone(), deadline })?;
        subscribe(self.table, timer)
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = self.clock.monotonic.load(Ordering::Relaxed);
        self.subscribe_instant(now.saturating_add(nanos))
    }
}

/// Links WASI, with our own monotonic clock in place of the usual one.
pub(super) fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<GuestState, HasTimers>(linker, |state| Timers {
        clock: &state.clock,
        table: &mut state.table,
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What the instance wrote to its standard streams.
#[derive(Clone)]
pub struct Console(Arc<Mutex<Written>>);

struct Written {
    /// Changes with the batch; a guest may keep its streams longer.
    lane: Arc<Lane>,
    stderr: Vec<u8>,
    stderr_max: usize,
    line_max: usize,
    gate: LogGate,
    quiet: bool,
}

impl Console {
    /// Nothing written yet.
    pub fn new(lane: Lane, limits: &Limits) -> Self {
        let bytes = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        Self(Arc::new(Mutex::new(Written {
            lane: Arc::new(lane),
            stderr: Vec::new(),
            stderr_max: bytes(limits.stderr),
            line_max: bytes(limits.log_line),
            gate: LogGate::new(limits.log_rate),
            quiet: false,
        })))
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another batch begins.
    pub fn set_lane(&self, lane: Lane) {
        self.written().lane = Arc::new(lane);
    }

    /// Whether lines go nowhere.
    pub fn set_quiet(&self, quiet: bool) {
        self.written().quiet = quiet;
    }

    /// A line for the log: cut when it is long, dropped when there were too many.
    pub fn log(&self, level: LogLevel, line: &str) {
        let (lane, end) = {
            let mut written = self.written();
            let end = line.floor_char_boundary(written.line_max);
            if written.quiet || !written.gate.admit(end) {
                return;
            }
            (Arc::clone(&written.lane), end)
        };
        log::write(&lane, level, &line[..end]);
    }

    /// Tells how many lines were dropped since the last time.
    pub fn tell_dropped(&self) {
        let (lane, dropped) = {
            let mut written = self.written();
            (Arc::clone(&written.lane), written.gate.take_dropped())
        };
        if dropped > 0 {
            let line = format!("{dropped} lines were dropped: more than `limits.log_rate` allows");
            log::write(&lane, LogLevel::Warn, &line);
        }
    }

    /// A call begins: what was written before belongs to another one.
    pub fn clear(&self) {
        self.written().stderr.clear();
    }

    /// What was written to standard error since.
    pub fn stderr(&self) -> String {
        let written = self.written();
        String::from_utf8_lossy(&written.stderr).trim_end().to_owned()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut written = self.written();
        let room = written.stderr_max.saturating_sub(written.stderr.len());
        written.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// One of the two standard streams: whole lines go to the log.
#[derive(Clone)]
struct LineStream {
    level: LogLevel,
    console: Console,
    pending: Arc<Mutex<Vec<u8>>>,
}

impl LineStream {
    fn take(&self, bytes: &[u8]) {
        if self.level == LogLevel::Warn {
            self.console.keep(bytes);
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = PENDING_BYTES_MAX.saturating_sub(pending.len());
            pending.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&pending).trim_end().to_owned();
                self.console.log(self.level, &line);
                pending.clear();
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for LineStream {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PENDING_BYTES_MAX)
    }
}

impl IsTerminal for LineStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

/// What an instance sees: nothing but what its op grants.
pub(super) fn context(
    lane: &Lane,
    clock: &GuestClock,
    console: &Console,
    rights: &Rights,
) -> Result<WasiCtx, PluginError> {
    let stream = |level| LineStream { level, console: console.clone(), pending: Arc::default() };
    let seed = lane.seed();
    let mut builder = WasiCtx::builder();
    builder
        .stdout(stream(LogLevel::Info))
        .stderr(stream(LogLevel::Warn))
        .wall_clock(clock.clone())
        .monotonic_clock(clock.clone())
        .secure_random(SeededRng(Random::new(seed)))
        .insecure_random(SeededRng(Random::new(seed ^ 1)))
        .insecure_random_seed(u128::from(seed))
        .max_random_size(RANDOM_BYTES_MAX)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    rights.give(&mut builder).map_err(|error| PluginError::Grant(format!("{error:#}")))?;
    Ok(builder.build())
}

/// Random numbers that are the same for a batch that runs again.
struct SeededRng(Random);

impl rand_core::TryRng for SeededRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((self.0.draw() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.draw())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Self::Error> {
        for part in target.chunks_mut(8) {
            part.copy_from_slice(&self.0.draw().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}
