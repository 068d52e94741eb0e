//! What an instance may use: memory, tables and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::{Engine, ResourceLimiter};

use crate::clock::Stopwatch;
use crate::job::Limits;

/// How often the epoch moves: the grain of every time limit.
pub const TICK: Duration = Duration::from_millis(10);

/// The WebAssembly stack of a call, in bytes.
pub const STACK_BYTES: usize = 512 * 1024;

/// What `describe`, or `open`, may say of functions, in bytes.
pub const TOLD_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Counts what one instance has, as the sum over all its memories and tables, and refuses more.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    memory: u64,
    memory_max: u64,
    elements: u64,
    refused: Option<Refusal>,
}

/// What an instance asked for and did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Memory: bytes in sum.
    Memory(u64),
    /// Tables: elements in sum.
    Elements(u64),
}

impl Meter {
    /// A meter for an instance with these limits.
    pub fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), memory: 0, memory_max: 0, elements: 0, refused: None }
    }

    /// The largest sum of memory so far, in bytes.
    pub fn memory_max(&self) -> u64 {
        self.memory_max
    }

    /// What was refused last, if anything was: a trap that follows is because of it.
    pub fn refused(&self) -> Option<Refusal> {
        self.refused
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let sum = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        if sum > self.limits.memory {
            self.refused = Some(Refusal::Memory(sum));
            return Ok(false);
        }
        self.memory = sum;
        self.memory_max = self.memory_max.max(sum);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let sum = self.elements.saturating_add(desired.saturating_sub(current) as u64);
        if sum > self.limits.elements {
            self.refused = Some(Refusal::Elements(sum));
            return Ok(false);
        }
        self.elements = sum;
        Ok(true)
    }

    fn instances(&self) -> usize {
        usize::try_from(self.limits.instances).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        usize::try_from(self.limits.tables).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        usize::try_from(self.limits.memories).unwrap_or(usize::MAX)
    }
}

/// What is written around each line, about: a short one costs more than its text.
const LINE_BYTES: u64 = 64;

/// How much an instance may still log: as much as a second allows, and no more is saved up.
#[derive(Debug)]
pub struct LogGate {
    rate: u64,
    left: u64,
    since: Stopwatch,
    dropped: u64,
}

impl LogGate {
    /// A gate for so many bytes a second.
    pub fn new(rate: u64) -> Self {
        Self { rate, left: rate, since: Stopwatch::start(), dropped: 0 }
    }

    /// Whether a line may pass. Those that may not are counted.
    pub fn admit(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64 + LINE_BYTES;
        if bytes > self.left && self.since.elapsed() >= Duration::from_secs(1) {
            (self.left, self.since) = (self.rate, Stopwatch::start());
        }
        let passes = bytes <= self.left;
        match passes {
            true => self.left -= bytes,
            false => self.dropped += 1,
        }
        passes
    }

    /// Lines that did not pass since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// Asks every call of a batch to end, at the latest one tick from now.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long the current call may still run. Checked at every tick of the epoch, in real time.
#[derive(Debug)]
pub struct Deadline {
    limit: Duration,
    started: Stopwatch,
    interrupt: Interrupt,
    /// Why the call was ended from outside, if it was.
    pub ended: Option<Ended>,
}

/// Why a call was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time was up.
    Time,
    /// The batch was given up.
    Interrupt,
}

impl Deadline {
    /// A deadline of so long for each call.
    pub fn new(limit: Duration, interrupt: Interrupt) -> Self {
        Self { limit, started: Stopwatch::start(), interrupt, ended: None }
    }

    /// The limit.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Sets the limit of the calls that follow.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// A call begins.
    pub fn restart(&mut self) {
        self.started = Stopwatch::start();
        self.ended = None;
    }

    /// Another batch begins: its interrupt counts from now on.
    pub fn rebind(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// Whether the call must end now.
    pub fn check(&mut self) -> Option<Ended> {
        if self.interrupt.raised() {
            self.ended = Some(Ended::Interrupt);
        } else if self.started.elapsed() >= self.limit {
            self.ended = Some(Ended::Time);
        }
        self.ended
    }
}

/// The thread that moves the epoch of an engine. It ends when it is dropped.
#[derive(Debug)]
pub struct Ticker {
    stop: Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread.
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let stop = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
        let (engine, halt) = (engine.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            let (stopped, bell) = &*halt;
            let mut guard = stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            while !*guard {
                let waited = bell.wait_timeout(guard, TICK);
                guard = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let (stopped, bell) = &*self.stop;
        *stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        bell.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread holds nothing that could make it panic; there is nobody to tell here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_as_a_sum_over_all_memories() {
        let mut meter = Meter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert_eq!(meter.refused(), Some(Refusal::Memory(120)));
        assert!(meter.memory_growing(60, 100, None).unwrap());
        assert_eq!(meter.memory_max(), 100);
    }

    #[test]
    fn no_more_is_logged_than_the_rate_allows() {
        let mut gate = LogGate::new(10 + 2 * LINE_BYTES);
        assert!(gate.admit(6) && gate.admit(4) && !gate.admit(0) && !gate.admit(20));
        assert_eq!((gate.take_dropped(), gate.take_dropped()), (2, 0));
    }

    #[test]
    fn an_interrupt_ends_a_call_before_its_time() {
        let interrupt = Interrupt::default();
        let mut deadline = Deadline::new(Duration::from_secs(3600), interrupt.clone());
        assert_eq!(deadline.check(), None);
        interrupt.raise();
        assert_eq!(deadline.check(), Some(Ended::Interrupt));
    }
}
