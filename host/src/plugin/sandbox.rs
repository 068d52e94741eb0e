//! A store with every limit on, and why a call in it ended.

use std::sync::Arc;

use wasmtime::{Store, UpdateDeadline};

use super::error::{CallFailure, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, PluginError, cut};
use super::grant::{GuestState, Rights};
use super::lane::Lane;
use super::limit::{Deadline, Ended, Refusal, STACK_BYTES};
use super::load::Plugin;
use crate::job::Limits;

/// A store with all limits on.
pub(super) fn sandbox(
    plugin: &Plugin,
    lane: Lane,
    limits: &Limits,
    rights: &Arc<Rights>,
) -> Result<Store<GuestState>, PluginError> {
    let deadline = Deadline::new(limits.time, lane.now.interrupt.clone());
    let state = GuestState::new(lane, limits, rights, deadline)?;
    let mut store = Store::new(plugin.engine(), state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(usize::try_from(limits.result).unwrap_or(usize::MAX));
    store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| match context.data_mut().deadline.check() {
        None => Ok(UpdateDeadline::Continue(1)),
        Some(Ended::Time) => Err(wasmtime::format_err!("time")),
        Some(Ended::Interrupt) => Err(wasmtime::format_err!("interrupt")),
    });
    Ok(store)
}

/// Why a call ended, from what the engine says and what the limits saw.
pub(super) fn failure(store: &Store<GuestState>, error: &wasmtime::Error) -> CallFailure {
    let state = store.data();
    match state.deadline.ended {
        Some(Ended::Time) => return CallFailure::Time(state.deadline.limit()),
        Some(Ended::Interrupt) => return CallFailure::Interrupted,
        None => {}
    }
    let stderr = state.console.stderr();
    let limits = state.meter.limits();
    match state.meter.refused() {
        Some(Refusal::Memory(wanted)) => {
            return CallFailure::Memory { wanted, limit: limits.memory, stderr };
        }
        Some(Refusal::Elements(wanted)) => {
            return CallFailure::Elements { wanted, limit: limits.elements };
        }
        None => {}
    }
    let root = format!("{:#}", error.root_cause());
    if let Some(failure) = too_many(&root, limits) {
        return failure;
    }
    if root.contains("hostcall") || root.contains("fuel allocated for hostcalls") {
        return CallFailure::Result(store.hostcall_fuel() as u64);
    }
    if matches!(error.downcast_ref::<wasmtime::Trap>(), Some(wasmtime::Trap::StackOverflow)) {
        return CallFailure::Stack(STACK_BYTES);
    }
    let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>().map(frames).unwrap_or_default();
    if backtrace.is_empty() && error.downcast_ref::<wasmtime::Trap>().is_none() {
        return CallFailure::Contract(cut(root, MESSAGE_BYTES_MAX));
    }
    let reason = panic_message(&stderr).unwrap_or_else(|| root.replace("wasm trap: ", ""));
    CallFailure::Trap { reason: cut(reason, MESSAGE_BYTES_MAX), stderr, backtrace }
}

/// A limit on how many things there may be, which the engine itself keeps.
fn too_many(root: &str, limits: &Limits) -> Option<CallFailure> {
    let counts = [
        ("store handle limit exceeded", "handles", limits.handles),
        // The first count is of the guest's own resources, the second of WASI's.
        ("resource table has no free keys", "handles", limits.handles),
        ("memory count too high", "memories", limits.memories),
        ("table count too high", "tables", limits.tables),
        ("instance count too high", "instances", limits.instances),
    ];
    let (_, what, limit) = counts.into_iter().find(|(text, ..)| root.contains(text))?;
    Some(CallFailure::Many { what, limit })
}

/// What a panic of Rust wrote to standard error: place and message, in one line.
fn panic_message(stderr: &str) -> Option<String> {
    let mut lines = stderr.lines().skip_while(|line| !line.contains("panicked at "));
    let (_, place) = lines.next()?.split_once("panicked at ")?;
    let message = lines.take_while(|line| !line.starts_with("note: ")).collect::<Vec<_>>();
    let text = format!("panicked at {place} {}", message.join(" "));
    Some(text.trim_end().to_owned())
}

/// Frames shown of a backtrace.
const FRAMES_MAX: usize = 32;

/// The functions that were called, innermost first, without what a panic itself calls.
fn frames(trace: &wasmtime::WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => {
            let name = &name[..name.floor_char_boundary(4 * NAME_BYTES_MAX)];
            cut(format!("{:#}", rustc_demangle::demangle(name)), NAME_BYTES_MAX)
        }
        None => format!("function {}", frame.func_index()),
    };
    let names: Vec<String> = trace.frames().iter().map(name).collect();
    let of_panic = |name: &&String| {
        OF_PANIC.iter().any(|part| name.starts_with(part) || name.contains("rust_end_short"))
    };
    let first = names.iter().take_while(of_panic).count();
    let kept = if first < names.len() { &names[first..] } else { &names[..] };
    kept.iter().take(FRAMES_MAX).cloned().collect()
}

/// How the names begin of functions that a panic of Rust calls before it traps.
const OF_PANIC: [&str; 7] = [
    "abort",
    "std::",
    "core::panicking",
    "core::result::unwrap",
    "core::option",
    "__rust",
    "rust_",
];
