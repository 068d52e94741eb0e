//! The tests of state: one suite that every store passes, and what is read from damaged bytes.

mod damage;
mod kit;
mod small;
mod suite;
mod value;

use super::{MemoryStore, StateStore};

/// The suite for one store.
macro_rules! suite {
    ($store:ident, $make:expr, $cases:expr) => {
        mod $store {
            use super::*;

            #[test]
            fn agrees_with_the_model() {
                suite::agrees_with_the_model(&$make, $cases);
            }

            #[test]
            fn a_batch_is_seen_whole_or_not_at_all() {
                small::a_batch_is_seen_whole_or_not_at_all(&*$make());
            }

            #[test]
            fn changes_of_the_wrong_batch_lane_or_columns_are_refused() {
                small::wrong_changes_are_refused(&*$make());
            }

            #[test]
            fn odd_floats_and_nulls_are_one_key_each() {
                small::odd_floats_and_nulls_are_one_key_each(&*$make());
            }

            #[test]
            fn timers_are_due_in_order_and_follow_their_rows() {
                small::timers_follow_their_rows(&*$make());
            }

            #[test]
            fn snapshots_in_the_background_stay_within_their_bytes() {
                small::snapshots_stay_within_their_bytes(&$make);
            }

            #[test]
            fn a_missing_or_exchanged_part_is_named() {
                damage::a_missing_or_exchanged_part_is_named(&$make);
            }

            #[test]
            fn a_failed_restore_leaves_no_state() {
                damage::a_failed_restore_leaves_no_state(&$make);
            }
        }
    };
}

suite!(memory, || Box::new(MemoryStore::new(kit::GROUPS, 2)) as Box<dyn StateStore>, 200);

#[cfg(feature = "lsm")]
suite!(lsm, kit::lsm, 20);
