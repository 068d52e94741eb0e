//! The real binary, ended anywhere and started again: nothing is lost and nothing is there twice.
//! What is tested and how to run it for long: crash/README.md.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and has an environment"
)]

#[path = "crash/bench.rs"]
mod bench;
#[path = "crash/chance.rs"]
mod chance;
#[path = "crash/shapes.rs"]
mod shapes;
#[path = "crash/tables.rs"]
mod tables;
#[path = "crash/wire.rs"]
mod wire;

#[path = "crash/clocks.rs"]
mod clocks;
#[path = "crash/damage.rs"]
mod damage;
#[path = "crash/defences.rs"]
mod defences;
#[path = "crash/flips.rs"]
mod flips;
#[path = "crash/full.rs"]
mod full;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/owners.rs"]
mod owners;
#[path = "crash/points.rs"]
mod points;
#[path = "crash/syscalls.rs"]
mod syscalls;
