//! What was received and not acknowledged: blocks of whole lines, numbered by receiver.
//!
//! A block never changes once it is sealed, so that a range of positions gives the same lines
//! whenever it is read. A full buffer makes receivers wait, and through TCP the senders.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::durable::defence::{Defence, stands};
use crate::source::wal::{Bytes, Logged};
use crate::source::{BlockRange, Connection, Position};

/// A block ends with the line that reaches so many bytes.
const BLOCK_BYTES_MAX: usize = 1024 * 1024;

/// Whole lines, each with its end.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<u32>,
}

impl Block {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        // A block has fewer than BLOCK_BYTES_MAX bytes before its last line, which is bounded too.
        let ends = memchr::memchr_iter(b'\n', &bytes).map(|end| end as u32 + 1).collect();
        Self { bytes, ends }
    }

    /// How many lines it has.
    pub(super) fn lines(&self) -> u32 {
        self.ends.len() as u32
    }

    /// Where a line begins.
    pub(super) fn begin(&self, line: u32) -> usize {
        line.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize)
    }

    /// The line that has the byte at `at`.
    pub(super) fn line_at(&self, at: usize) -> u32 {
        self.ends.partition_point(|end| *end as usize <= at) as u32
    }

    /// The memory that it takes.
    fn size(&self) -> u64 {
        (self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()) as u64
    }
}

impl Bytes for Arc<Block> {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What one receiver brought.
#[derive(Debug, Default)]
struct Lane {
    /// The number of the first block that is kept.
    first: u64,
    blocks: VecDeque<Arc<Block>>,
    /// Lines of the block that has begun.
    open: Vec<u8>,
    /// Up to where lines were taken into batches.
    cut: Position,
    /// The first block of this process: what came before it was in another one.
    begun: u64,
    /// The number of the first block that is not in the log.
    unsafe_from: u64,
    /// Nothing more will come.
    closed: bool,
}

impl Lane {
    fn seal(&mut self) -> u64 {
        if self.open.is_empty() {
            return 0;
        }
        self.open.shrink_to_fit();
        let block = Block::new(std::mem::take(&mut self.open));
        let size = block.size();
        self.blocks.push_back(Arc::new(block));
        size
    }

    /// Takes up to so many lines of the blocks before `visible` into a batch; says how many.
    fn advance(&mut self, most: u64, visible: u64) -> u64 {
        let mut left = most;
        while let Some(block) = self.blocks.get((self.cut.block - self.first) as usize) {
            if self.cut.block >= visible {
                break;
            }
            let rest = u64::from(block.lines() - self.cut.line);
            if rest > left {
                self.cut.line += left as u32;
                return most;
            }
            left -= rest;
            self.cut = Position { block: self.cut.block + 1, line: 0 };
        }
        most - left
    }

    fn next(&self) -> u64 {
        self.first + self.blocks.len() as u64
    }

    fn is_cut(&self) -> bool {
        self.cut.block == self.next() && self.open.is_empty()
    }
}

#[derive(Debug, Default)]
struct State {
    lanes: Vec<Lane>,
    /// Bytes of sealed blocks.
    held: u64,
    told: Vec<Connection>,
    stopped: bool,
    /// Whether a block counts only when it is in the log.
    logged: bool,
}

/// The blocks of all receivers of a source.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes_max: u64,
    state: Mutex<State>,
    freed: Condvar,
}

impl Buffer {
    pub(super) fn new(bytes_max: u64, receivers: usize) -> Self {
        let lanes = (0..receivers).map(|_| Lane::default()).collect();
        let state = Mutex::new(State { lanes, ..State::default() });
        Self { bytes_max, state, freed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room; false when nothing more is to be received.
    pub(super) fn wait_for_room(&self) -> bool {
        let full = |state: &mut State| state.held >= self.bytes_max && !state.stopped;
        let state = self.freed.wait_while(self.state(), full);
        !state.unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// Whether there is no room.
    pub(super) fn is_full(&self) -> bool {
        self.state().held >= self.bytes_max
    }

    /// Adds whole lines to the block of a receiver. Says whether that ended it.
    pub(super) fn append(&self, receiver: usize, lines: &[u8]) -> bool {
        let state = &mut *self.state();
        if state.stopped {
            return false;
        }
        let lane = &mut state.lanes[receiver];
        lane.open.extend_from_slice(lines);
        let ends = lane.open.len() >= BLOCK_BYTES_MAX;
        if ends {
            state.held += lane.seal();
        }
        ends
    }

    /// Ends the block of a receiver, if it has lines.
    pub(super) fn seal(&self, receiver: usize) {
        let state = &mut *self.state();
        if !state.stopped {
            state.held += state.lanes[receiver].seal();
        }
    }

    /// Nothing more will come from a receiver.
    pub(super) fn close(&self, receiver: usize) {
        self.state().lanes[receiver].closed = true;
    }

    /// Whether nothing more will come, and everything was taken.
    pub(super) fn is_done(&self) -> bool {
        self.state().lanes.iter().all(|lane| lane.closed && lane.is_cut())
    }

    /// Takes up to so many lines into a batch: first an equal share of each receiver, then what
    /// is left in their order. If there are some, every receiver has a range, so that the last
    /// one alone says where each goes on.
    pub(super) fn cut(&self, most: u64) -> Vec<BlockRange> {
        let state = &mut *self.state();
        let before: Vec<Position> = state.lanes.iter().map(|lane| lane.cut).collect();
        let share = most / (state.lanes.len() as u64).max(1);
        let mut left = most;
        let logged = state.logged && stands(Defence::LogBeforeBatch);
        let visible = |lane: &Lane| if logged { lane.unsafe_from } else { u64::MAX };
        for lane in &mut state.lanes {
            left -= lane.advance(share, visible(lane));
        }
        for lane in &mut state.lanes {
            left -= lane.advance(left, visible(lane));
        }
        let lanes = state.lanes.iter().zip(before).enumerate();
        if lanes.clone().all(|(_, (lane, from))| lane.cut == from) {
            return Vec::new();
        }
        lanes
            .map(|(receiver, (lane, from))| BlockRange {
                receiver: receiver as u32,
                from,
                to: lane.cut,
            })
            .collect()
    }

    /// A block that is kept.
    pub(super) fn block(&self, receiver: u32, number: u64) -> Option<Arc<Block>> {
        let state = self.state();
        let lane = state.lanes.get(receiver as usize)?;
        let at = usize::try_from(number.checked_sub(lane.first)?).ok()?;
        lane.blocks.get(at).cloned()
    }

    /// Whether a block was received by another process, and went with it.
    pub(super) fn is_of_another(&self, receiver: u32, number: u64) -> bool {
        let state = self.state();
        state.lanes.get(receiver as usize).is_some_and(|lane| number < lane.begun)
    }

    /// From now on a block counts only when it is in the log, which has these already.
    pub(super) fn log(&self, found: Vec<Logged<Vec<u8>>>) {
        let state = &mut *self.state();
        state.logged = true;
        for Logged { receiver, number, bytes } in found {
            let receiver = receiver as usize;
            while state.lanes.len() <= receiver {
                // The job had more addresses then.
                state.lanes.push(Lane { closed: true, ..Lane::default() });
            }
            let lane = &mut state.lanes[receiver];
            if lane.blocks.is_empty() {
                (lane.first, lane.cut) = (number, Position { block: number, line: 0 });
            }
            let block = Block::new(bytes);
            state.held += block.size();
            lane.blocks.push_back(Arc::new(block));
            (lane.begun, lane.unsafe_from) = (lane.next(), lane.next());
        }
    }

    /// Batches before have taken these lines. A receiver whose blocks are not there any more
    /// counts on behind them. Fails with the receiver, its first block and the one that is needed,
    /// if there is a gap between.
    pub(super) fn go_on(&self, taken: &[BlockRange]) -> Result<(), (u32, u64, u64)> {
        let state = &mut *self.state();
        for range in taken {
            let Some(lane) = state.lanes.get_mut(range.receiver as usize) else { continue };
            while lane.first < range.from.block {
                let Some(block) = lane.blocks.pop_front() else { break };
                lane.first += 1;
                state.held = state.held.saturating_sub(block.size());
            }
            let behind = range.to.block + u64::from(range.to.line > 0);
            if lane.blocks.is_empty() || lane.next() < behind {
                for block in std::mem::take(&mut lane.blocks) {
                    state.held = state.held.saturating_sub(block.size());
                }
                // The rest of a block that was taken in part went with it.
                lane.first = behind;
                lane.cut = Position { block: lane.first, line: 0 };
                (lane.begun, lane.unsafe_from) = (lane.first, lane.first);
            } else if lane.first > range.to.block {
                return Err((range.receiver, lane.first, range.to.block));
            } else {
                lane.cut = range.to;
            }
        }
        Ok(())
    }

    /// The blocks that have ended and are not in the log.
    pub(super) fn unsafe_blocks(&self) -> Vec<Logged<Arc<Block>>> {
        let state = self.state();
        let mut waiting = Vec::new();
        for (receiver, lane) in state.lanes.iter().enumerate() {
            let receiver = receiver as u32;
            let skipped = lane.unsafe_from.saturating_sub(lane.first) as usize;
            let blocks = lane.blocks.iter().enumerate().skip(skipped);
            waiting.extend(blocks.map(|(at, block)| {
                let number = lane.first + at as u64;
                Logged { receiver, number, bytes: Arc::clone(block) }
            }));
        }
        waiting
    }

    /// These blocks are in the log.
    pub(super) fn made_safe(&self, blocks: &[Logged<Arc<Block>>]) {
        let state = &mut *self.state();
        for block in blocks {
            state.lanes[block.receiver as usize].unsafe_from = block.number + 1;
        }
    }

    /// The first block that each receiver keeps.
    pub(super) fn kept(&self) -> Vec<u64> {
        self.state().lanes.iter().map(|lane| lane.first).collect()
    }

    /// These lines are not read again: blocks before the end of them may go.
    pub(super) fn free(&self, ranges: &[BlockRange]) {
        let state = &mut *self.state();
        for range in ranges {
            let Some(lane) = state.lanes.get_mut(range.receiver as usize) else { continue };
            while lane.first < range.to.block.min(lane.cut.block) {
                let Some(block) = lane.blocks.pop_front() else { break };
                lane.first += 1;
                state.held = state.held.saturating_sub(block.size());
            }
        }
        self.freed.notify_all();
    }

    /// Nothing more is taken in; what was received stays.
    pub(super) fn stop(&self) {
        let state = &mut *self.state();
        for lane in &mut state.lanes {
            state.held += lane.seal();
            lane.closed = true;
        }
        state.stopped = true;
        self.freed.notify_all();
    }

    /// Whether nothing more is taken in.
    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// A connection has come or gone.
    pub(super) fn tell(&self, connection: Connection) {
        self.state().told.push(connection);
    }

    /// What was told since the last call.
    pub(super) fn take_told(&self) -> Vec<Connection> {
        std::mem::take(&mut self.state().told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(block: u64, line: u32) -> Position {
        Position { block, line }
    }

    #[test]
    fn lines_are_cut_once_and_blocks_stay_until_they_are_freed() {
        let buffer = Buffer::new(1 << 20, 1);
        buffer.append(0, b"a\nb\nc\n");
        assert!(buffer.cut(u64::MAX).is_empty(), "the block has not ended");
        buffer.seal(0);
        let first = buffer.cut(2);
        assert_eq!(first, [BlockRange { receiver: 0, from: position(0, 0), to: position(0, 2) }]);
        let second = buffer.cut(u64::MAX);
        assert_eq!((second[0].from, second[0].to), (position(0, 2), position(1, 0)));
        assert!(buffer.cut(u64::MAX).is_empty());
        buffer.free(&first);
        assert!(buffer.block(0, 0).is_some(), "a part of it is still to be read");
        buffer.free(&second);
        assert!(buffer.block(0, 0).is_none());
    }

    #[test]
    fn a_limit_is_shared_by_receivers() {
        let buffer = Buffer::new(1 << 20, 2);
        for receiver in [0, 1] {
            buffer.append(receiver, b"a\nb\nc\n");
            buffer.seal(receiver);
        }
        let lines = |ranges: Vec<BlockRange>| -> Vec<u32> {
            ranges.iter().map(|range| range.to.line).collect()
        };
        assert_eq!(lines(buffer.cut(2)), [1, 1]);
        // Every receiver has a range, also one that gives nothing.
        assert_eq!(lines(buffer.cut(1)), [2, 1]);
        assert!(buffer.cut(0).is_empty());
    }

    #[test]
    fn a_full_buffer_waits_for_room_and_a_stop_ends_the_wait() {
        let buffer = Arc::new(Buffer::new(8, 1));
        assert!(buffer.wait_for_room());
        buffer.append(0, &[b'\n'; 64]);
        buffer.seal(0);
        assert!(buffer.is_full());
        let waiting = Arc::clone(&buffer);
        let waiter = std::thread::spawn(move || waiting.wait_for_room());
        let range = buffer.cut(u64::MAX);
        buffer.free(&range);
        assert!(waiter.join().unwrap());
        buffer.append(0, &[b'\n'; 64]);
        buffer.stop();
        assert!(!buffer.wait_for_room());
        assert_eq!(buffer.cut(u64::MAX).len(), 1, "what was received stays");
        assert!(buffer.is_done());
    }
}
