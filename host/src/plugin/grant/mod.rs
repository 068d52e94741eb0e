//! What a component may call: the package's own capabilities, and WASI without any rights.

mod context;
mod log;
mod metrics;
mod rights;
mod wasi;

pub use metrics::Counters;
pub use rights::{Folder, Rights};
pub use wasi::{Console, GuestClock};

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::abi::v0_1::weir::operator;
use super::error::PluginError;
use super::lane::Lane;
use super::limit::{Deadline, Meter};
use crate::job::Limits;

/// What belongs to one instance on the host's side of the wall.
pub struct GuestState {
    pub(super) lane: Lane,
    pub(super) meter: Meter,
    pub(super) deadline: Deadline,
    pub(super) counters: Counters,
    pub(super) clock: GuestClock,
    pub(super) console: Console,
    rights: Arc<Rights>,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl GuestState {
    /// The state of a new instance.
    pub fn new(
        lane: Lane,
        limits: &Limits,
        rights: &Arc<Rights>,
        deadline: Deadline,
    ) -> Result<Self, PluginError> {
        let clock = GuestClock::at(lane.now.time);
        let console = Console::new(lane.clone(), limits);
        let wasi = wasi::context(&lane, &clock, &console, rights)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let (meter, counters) = (Meter::new(limits), Counters::new(limits.metrics));
        let rights = Arc::clone(rights);
        Ok(Self { lane, meter, deadline, counters, clock, console, rights, wasi, table })
    }

    /// Tells how many lines were dropped because there were too many.
    pub fn tell_dropped(&self) {
        self.console.tell_dropped();
    }

    /// Another batch begins for an instance that is kept.
    pub fn rebind(&mut self, lane: Lane) -> Result<(), PluginError> {
        self.clock.set(lane.now.time);
        self.deadline.rebind(lane.now.interrupt.clone());
        self.console.set_lane(lane.clone());
        self.wasi = wasi::context(&lane, &self.clock, &self.console, &self.rights)?;
        self.lane = lane;
        Ok(())
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Links everything, once per engine.
pub fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasi::link(linker)?;
    operator::log::add_to_linker::<_, HasSelf<GuestState>>(linker, |state| state)?;
    operator::metrics::add_to_linker::<_, HasSelf<GuestState>>(linker, |state| state)?;
    operator::context::add_to_linker::<_, HasSelf<GuestState>>(linker, |state| state)?;
    operator::schema::add_to_linker::<_, HasSelf<GuestState>>(linker, |state| state)?;
    operator::rows::add_to_linker::<_, HasSelf<GuestState>>(linker, |state| state)
}

impl operator::schema::Host for GuestState {}

impl operator::rows::Host for GuestState {}
