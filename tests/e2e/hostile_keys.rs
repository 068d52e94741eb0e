//! The part of the hostile set that keeps states by key.

use crate::host::Job;
use crate::hostile_set::{does_not_begin_with, goes_on, job_of_set, published, stops, told};

/// What an op of an updater needs besides.
const KEY: &str = "key = [\"n\"]";

fn job(name: &str, policy: &str) -> Job {
    job_of_set(name, policy, KEY)
}

/// Fails at a 7: the batch, or under `skip` the key that is 7, whose state stays as it was.
macro_rules! at_a_seven {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            let name = stringify!($name);
            stops(&job(name, "fail"), name, ($code, $text));
            goes_on(&job(name, "skip"), $code);
        })*
    };
}

at_a_seven! {
    update_of_no_key: "025" "it changes 0 states for 1 keys",
    update_that_is_none: "025" "unexpected discriminant: 9",
    update_without_its_state: "025" "it gave 0 states for 1 keys that it sets",
    update_with_a_state_too_many: "025" "it gave 2 states for 1 keys that it sets",
    state_that_is_null: "025" "its states: column `n`: row 0 is null",
    timer_before_all_time: "025" "its timer for key 0 is at -5, which is no moment",
    timer_after_all_time: "025" "which is no moment",
    timer_too_many: "025" "it gave 2 timers for 1 keys",
    timer_without_a_state: "025" "it sets a timer for key 0, which has no state",
    row_of_no_key: "025" "it names row 99 of 1 as a parent",
    rows_without_a_key: "025" "it names 0 parents for 1 rows",
    refusal_of_no_key: "025" "it rejects row 77 of 1, in `key-errors`",
    refusal_of_no_value: "025" "it rejects row 77 of 1",
    update_that_traps: "020" "unreachable",
    update_without_end: "021" "longer than its limit of 300ms",
}

/// The job does not begin, under any policy.
macro_rules! before_a_call {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            does_not_begin_with(stringify!($name), KEY, ($code, $text));
        })*
    };
}

before_a_call! {
    begin_that_refuses: "011" "does not take the key: no key is right",
    begin_that_traps: "020" "unreachable",
    describe_of_an_updater_without_states: "006" "as an updater has",
    describe_of_an_updater_without_a_version: "006" "have a version, from 1 on",
}

#[test]
fn begin_that_refuses_a_batch() {
    for policy in ["fail", "skip"] {
        let job = job("begin_that_refuses_a_batch", policy);
        told(&job.once(&[]), 1, "007", &["can't be opened: not today", "bad", "batch      1"]);
        assert!(!published(&job, 1), "{policy}");
    }
}
