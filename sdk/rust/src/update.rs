//! What a function with a state for each key works with.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use crate::function::RowError;
use crate::row::Row;
use crate::scalar::Timestamp;

/// The values of one key in a batch, in source order. There are none if only a timer went off, or
/// if the job visits every key in every batch.
pub struct Values<'r, R: Row> {
    reader: Rc<R::Reader<'r>>,
    rows: Range<usize>,
    rejected: Rejected,
}

/// Values that were not taken, by their row in the call.
pub type Rejected = Rc<RefCell<Vec<(usize, RowError)>>>;

impl<'r, R: Row> Values<'r, R> {
    #[doc(hidden)]
    pub fn new(reader: &Rc<R::Reader<'r>>, rows: Range<usize>, rejected: &Rejected) -> Self {
        Self { reader: Rc::clone(reader), rows, rejected: Rc::clone(rejected) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A value. Panics beyond the last.
    #[inline]
    pub fn get(&self, at: usize) -> R::At<'r> {
        assert!(at < self.rows.len(), "there are {} values, not {at}", self.rows.len());
        R::get(&self.reader, self.rows.start + at)
    }

    /// All values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = R::At<'r>> + '_ {
        self.rows.clone().map(|row| R::get(&self.reader, row))
    }

    /// This value can't be taken, the others can: `on_error` of the op says what becomes of it.
    pub fn reject(&self, at: usize, error: RowError) {
        assert!(at < self.rows.len(), "there are {} values, not {at}", self.rows.len());
        self.rejected.borrow_mut().push((self.rows.start + at, error));
    }
}

/// What becomes of a timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timer {
    /// What the job says: its `timeout` after the last values, or as it was before.
    #[default]
    Usual,
    /// There is none.
    Cleared,
    /// It goes off in the first later batch whose time is this moment or after it.
    At(Timestamp),
}

/// The state of one key, and its timer.
#[derive(Clone, Debug)]
pub struct State<S> {
    value: Option<S>,
    changed: bool,
    timed_out: bool,
    timer: Timer,
}

impl<S> State<S> {
    #[doc(hidden)]
    pub fn new(value: Option<S>, timed_out: bool) -> Self {
        Self { value, changed: false, timed_out, timer: Timer::Usual }
    }

    /// The state, if the key has one.
    #[inline]
    pub fn get(&self) -> Option<&S> {
        self.value.as_ref()
    }

    /// Replaces the state.
    #[inline]
    pub fn set(&mut self, value: S) {
        self.value = Some(value);
        self.changed = true;
    }

    /// Takes the state away, and the timer with it. Gives what it was.
    pub fn remove(&mut self) -> Option<S> {
        self.changed |= self.value.is_some();
        self.value.take()
    }

    /// Whether the timer of the key went off: with `timeout`, no values came for so long. Values
    /// may have come in this very batch.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The timer goes off in the first later batch whose time is this moment or after it. Counts
    /// only if the key has a state in the end.
    pub fn set_timer(&mut self, at: Timestamp) {
        self.timer = Timer::At(at);
    }

    /// There is no timer, whatever the job says.
    pub fn clear_timer(&mut self) {
        self.timer = Timer::Cleared;
    }

    /// What becomes of the timer.
    pub fn timer(&self) -> Timer {
        if self.value.is_some() { self.timer } else { Timer::Usual }
    }

    /// The new state, if it was changed: none if it was taken away.
    pub(crate) fn change(&self) -> Option<Option<&S>> {
        self.changed.then_some(self.value.as_ref())
    }
}

impl<S: Default> State<S> {
    /// Changes the state in place; a key without one gets the default first.
    pub fn update<T>(&mut self, change: impl FnOnce(&mut S) -> T) -> T {
        self.changed = true;
        change(self.value.get_or_insert_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{After, Before, Failure, update};
    use crate::{Out, Row, RowError};

    #[derive(Row, Clone, Debug)]
    struct User<'a> {
        user: &'a str,
    }

    #[derive(Row, Clone, Debug)]
    struct Click {
        n: i64,
    }

    #[derive(Row, Clone, Debug, Default, PartialEq)]
    struct Sum {
        sum: i64,
        last: Option<String>,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    struct Told {
        text: String,
        sum: i64,
    }

    /// Adds; 7 is rejected, 13 is no number for anybody, 0 ends it.
    #[weir::updater(state_version = 3)]
    fn track(
        key: User<'_>,
        values: Values<'_, Click>,
        state: &mut State<Sum>,
        told: &mut Out<Told>,
    ) -> Result<(), RowError> {
        if state.timed_out() {
            let sum = state.remove().unwrap_or_default().sum;
            told.push(Told { text: format!("{} is gone", key.user), sum });
        }
        for (at, value) in values.iter().enumerate() {
            match value.n {
                0 => drop(state.remove()),
                7 => values.reject(at, RowError::reject("seven")),
                13 => return Err(RowError::reject("thirteen")),
                n => {
                    let last = Some(key.user.to_owned());
                    state.update(|state| *state = Sum { sum: state.sum + n, last });
                    state.set_timer(Timestamp(n));
                }
            }
        }
        Ok(())
    }

    fn visit(numbers: &[i64], before: Before<Sum>) -> Result<After<Sum, Told>, Failure> {
        let values = numbers.iter().map(|n| Click { n: *n }).collect();
        update::<track, Told>("{}", User { user: "ann" }, values, before)
    }

    fn sum(sum: i64) -> Option<Sum> {
        Some(Sum { sum, last: Some("ann".to_owned()) })
    }

    #[test]
    fn a_state_is_made_changed_and_removed() {
        let after = visit(&[2, 3], Before::default()).unwrap();
        assert_eq!((after.state, after.timer), (sum(5), Timer::At(Timestamp(3))));
        let before = Before { state: sum(5), timed_out: false };
        assert_eq!(visit(&[1], before.clone()).unwrap().state, sum(6));
        let removed = visit(&[1, 0], before.clone()).unwrap();
        assert_eq!((removed.state, removed.timer), (None, Timer::Usual));
        assert_eq!(visit(&[], before).unwrap().state, sum(5));
        assert_eq!(visit(&[], Before::default()).unwrap().state, None);
    }

    #[test]
    fn a_timer_that_goes_off_is_told_with_the_values_that_came() {
        let before = Before { state: sum(5), timed_out: true };
        let after = visit(&[4], before).unwrap();
        assert_eq!(after.state, sum(4));
        assert_eq!(after.given, [Told { text: "ann is gone".to_owned(), sum: 5 }]);
    }

    #[test]
    fn a_value_or_a_whole_key_is_rejected() {
        let wrong = visit(&[1, 7, 2], Before::default());
        assert_eq!(wrong, Err(Failure::Rows(vec![(1, "seven".to_owned())])));
        let wrong = visit(&[1, 13], Before::default());
        assert_eq!(wrong, Err(Failure::Failed("thirteen".to_owned())));
    }

    #[test]
    fn what_is_wanted_of_the_key_is_found_by_name() {
        use crate::bindings::weir::operator::schema::Field;
        use crate::function::Function;
        let field = |name: &str, data_type: &str, nullable| Field {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            nullable,
        };
        let begin = |key: &[Field]| {
            let setup = crate::bindings::exports::weir::operator::guest::Setup {
                function: "track".to_owned(),
                config: "{}".to_owned(),
                input: Vec::new(),
                parents: true,
            };
            track::open(&setup).unwrap().begin(key)
        };
        let user = field("user", "string", false);
        assert_eq!(begin(&[field("day", "date", true), user]), Ok(()));
        let wrong = begin(&[field("name", "string", false)]).unwrap_err();
        assert_eq!(wrong, "it wants `user: string` in the key, which has: name");
        let wrong = begin(&[field("user", "string", true)]).unwrap_err();
        assert!(wrong.ends_with("which has `user: string?`"), "{wrong}");
        assert_eq!(track::describe().state_version, 3);
    }
}
