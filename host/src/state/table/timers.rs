//! The timers of a key group: which rows are due, without looking at all of them.
//!
//! A heap over (due, place of the row). What a row's timer was before stays in it until it gets to
//! the top or the heap is made anew, so that whoever reads it compares with the row.

/// A timer, as the row at the place has it or once had.
type Timer = (i64, u32);

/// The timers, the earliest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    heap: Vec<Timer>,
}

impl Timers {
    /// How many there are, those that do not count any more included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Adds a timer.
    pub fn push(&mut self, due: i64, place: u32) {
        let mut child = self.heap.len();
        self.heap.push((due, place));
        while child > 0 {
            let parent = (child - 1) / 2;
            if self.heap[parent] <= self.heap[child] {
                break;
            }
            self.heap.swap(parent, child);
            child = parent;
        }
    }

    /// Forgets timers at the top that do not count any more.
    pub fn clean(&mut self, counts: impl Fn(Timer) -> bool) {
        while let Some(first) = self.heap.first() {
            if counts(*first) {
                break;
            }
            self.heap.swap_remove(0);
            self.sink(0);
        }
    }

    /// Starts anew with these.
    pub fn rebuild(&mut self, timers: Vec<Timer>) {
        self.heap = timers;
        for place in (0..self.heap.len() / 2).rev() {
            self.sink(place);
        }
    }

    fn sink(&mut self, mut parent: usize) {
        loop {
            let mut least = parent;
            for child in [2 * parent + 1, 2 * parent + 2] {
                if child < self.heap.len() && self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
            if least == parent {
                return;
            }
            self.heap.swap(parent, least);
            parent = least;
        }
    }

    /// All timers up to a moment, ascending and each once.
    pub fn until(&self, moment: i64) -> Vec<Timer> {
        let mut found = Vec::new();
        let mut open = vec![0];
        while let Some(place) = open.pop() {
            let Some(timer) = self.heap.get(place).filter(|timer| timer.0 <= moment) else {
                continue;
            };
            found.push(*timer);
            open.extend([2 * place + 1, 2 * place + 2]);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The bytes of memory that the heap takes.
    pub fn memory(&self) -> usize {
        self.heap.capacity() * size_of::<Timer>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_due_is_found_in_order(
            timers in prop::collection::vec((0_i64..50, 0_u32..50), 0..80),
            cleaned in 0_i64..50,
            moment in 0_i64..50,
            anew: bool,
        ) {
            let mut heap = Timers::default();
            match anew {
                true => heap.rebuild(timers.clone()),
                false => timers.iter().for_each(|(due, place)| heap.push(*due, *place)),
            }
            heap.clean(|(due, _)| due >= cleaned);
            let mut expected = timers;
            expected.retain(|(due, _)| (cleaned..=moment).contains(due));
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(heap.until(moment), expected);
        }
    }
}
