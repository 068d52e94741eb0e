//! The real binary on real files: what a person would type, and what must come of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and has an environment"
)]

#[path = "e2e/host.rs"]
mod host;

#[path = "e2e/commands.rs"]
mod commands;
#[path = "e2e/config.rs"]
mod config;
#[path = "e2e/errors.rs"]
mod errors;
#[path = "e2e/etl.rs"]
mod etl;
#[path = "e2e/examples.rs"]
mod examples;
#[path = "e2e/formats.rs"]
mod formats;
#[path = "e2e/hostile.rs"]
mod hostile;
#[path = "e2e/hostile_keys.rs"]
mod hostile_keys;
#[path = "e2e/hostile_kinds.rs"]
mod hostile_kinds;
#[path = "e2e/hostile_set.rs"]
mod hostile_set;
#[path = "e2e/initial.rs"]
mod initial;
#[path = "e2e/keyed.rs"]
mod keyed;
#[path = "e2e/kinds.rs"]
mod kinds;
#[path = "e2e/layout.rs"]
mod layout;
#[path = "e2e/look.rs"]
mod look;
#[path = "e2e/new.rs"]
mod new;
#[path = "e2e/on_error.rs"]
mod on_error;
#[path = "e2e/parquet.rs"]
mod parquet;
#[path = "e2e/resume.rs"]
mod resume;
#[path = "e2e/rights.rs"]
mod rights;
#[path = "e2e/running.rs"]
mod running;
#[path = "e2e/shape.rs"]
mod shape;
#[path = "e2e/shop.rs"]
mod shop;
#[path = "e2e/sockets.rs"]
mod sockets;
#[path = "e2e/sqlite.rs"]
mod sqlite;
#[path = "e2e/standalone.rs"]
mod standalone;
#[path = "e2e/states.rs"]
mod states;
#[path = "e2e/testing.rs"]
mod testing;
#[path = "e2e/vars.rs"]
mod vars;
#[path = "e2e/windows.rs"]
mod windows;
