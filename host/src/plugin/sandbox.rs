//! A store with every limit on, and why a call in it ended.

use wasmtime::{Store, UpdateDeadline};

use super::error::CallFailure;
use super::grant::GuestState;
use super::lane::Lane;
use super::limit::{Deadline, Ended, Refusal, STACK_BYTES};
use super::load::Plugin;
use crate::job::Limits;

/// A store with all limits on.
pub(super) fn sandbox(plugin: &Plugin, lane: Lane, limits: &Limits) -> Store<GuestState> {
    let deadline = Deadline::new(limits.time, lane.now.interrupt.clone());
    let state = GuestState::new(lane, limits, deadline);
    let mut store = Store::new(plugin.engine(), state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(usize::try_from(limits.result).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| match context.data_mut().deadline.check() {
        None => Ok(UpdateDeadline::Continue(1)),
        Some(Ended::Time) => Err(wasmtime::format_err!("time")),
        Some(Ended::Interrupt) => Err(wasmtime::format_err!("interrupt")),
    });
    store
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
    if root.contains("hostcall") || root.contains("fuel allocated for hostcalls") {
        return CallFailure::Result(store.hostcall_fuel() as u64);
    }
    if matches!(error.downcast_ref::<wasmtime::Trap>(), Some(wasmtime::Trap::StackOverflow)) {
        return CallFailure::Stack(STACK_BYTES);
    }
    let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>().map(frames).unwrap_or_default();
    if backtrace.is_empty() && error.downcast_ref::<wasmtime::Trap>().is_none() {
        return CallFailure::Contract(root);
    }
    CallFailure::Trap { reason: root, stderr, backtrace }
}

/// Frames shown of a backtrace.
const FRAMES_MAX: usize = 32;

fn frames(trace: &wasmtime::WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => {
            let known = frame.symbols().first().and_then(|symbol| symbol.name().map(str::to_owned));
            known.unwrap_or_else(|| name.to_owned())
        }
        None => format!("function {}", frame.func_index()),
    };
    trace.frames().iter().take(FRAMES_MAX).map(name).collect()
}
