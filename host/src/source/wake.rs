//! The bell that sources ring when there may be something new, and that a stop rings too.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A bell: cheap to clone; a ring is remembered until somebody has waited for it.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<(Mutex<bool>, Condvar)>);

impl Wake {
    /// Wakes the one who waits, now or when it comes to wait.
    pub fn ring(&self) {
        let (rung, bell) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
    }

    /// Waits for a ring, for `at_most` if that is given. Says whether it rang.
    pub fn wait(&self, at_most: Option<Duration>) -> bool {
        let (rung, bell) = &*self.0;
        let guard = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guard = match at_most {
            Some(at_most) => {
                bell.wait_timeout_while(guard, at_most, |rung| !*rung)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => bell.wait_while(guard, |rung| !*rung).unwrap_or_else(PoisonError::into_inner),
        };
        std::mem::take(&mut *guard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_counts_once() {
        let wake = Wake::default();
        wake.ring();
        assert!(wake.wait(None));
        assert!(!wake.wait(Some(Duration::ZERO)));
    }

    #[test]
    fn a_ring_from_another_thread_wakes() {
        let wake = Wake::default();
        let bell = wake.clone();
        let ringer = std::thread::spawn(move || bell.ring());
        assert!(wake.wait(None));
        ringer.join().unwrap();
    }
}
