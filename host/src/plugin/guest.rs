//! An open function on loan from its call site.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::describe::{Determinism, Kind};
use super::error::PluginError;
use super::grant::Counters;
use super::instance::{Called, Instance};
use super::site::CallSite;
use crate::clock::Stopwatch;

/// An open function on loan to a lane. Dropped, a function that is pure stays open for the next
/// batch.
#[derive(Debug)]
pub struct Guest {
    site: Arc<CallSite>,
    partition: u32,
    instance: Option<Instance>,
    counters: Counters,
}

impl Deref for Guest {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        self.instance.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Guest {
    fn deref_mut(&mut self) -> &mut Instance {
        self.instance.as_mut().expect("it is there until it is dropped")
    }
}

impl Guest {
    /// A function of a site, for a partition.
    pub(super) fn new(site: Arc<CallSite>, partition: u32, instance: Instance) -> Self {
        let counters = Counters::new(site.limits().metrics);
        Self { site, partition, instance: Some(instance), counters }
    }

    /// The site it belongs to.
    pub fn site(&self) -> &Arc<CallSite> {
        &self.site
    }

    /// Calls with rows and measures it. Metrics count only if the call succeeds.
    pub fn taking<T>(
        &mut self,
        rows: usize,
        rows_out: impl FnOnce(&T) -> usize,
        call: impl FnOnce(&mut Instance) -> Result<Called<T>, PluginError>,
    ) -> Result<Called<T>, PluginError> {
        let took = Stopwatch::start();
        let called = call(self);
        let counters = self.take_counters();
        let called = called?;
        self.site.stats().count(rows, rows_out(&called.value), took.elapsed());
        self.counters.merge(counters);
        Ok(called)
    }

    /// Calls without rows and measures it.
    pub fn giving<T>(
        &mut self,
        rows_out: impl FnOnce(&T) -> usize,
        call: impl FnOnce(&mut Instance) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let took = Stopwatch::start();
        let value = call(self)?;
        self.site.stats().count(0, rows_out(&value), took.elapsed());
        Ok(value)
    }

    /// Throws the instance away, so that the next lane gets a fresh one.
    pub fn discard(mut self) {
        self.settle();
    }

    /// Hands the counters over; gives the instance.
    fn settle(&mut self) -> Option<Instance> {
        let mut instance = self.instance.take()?;
        instance.tell_dropped();
        let mut counters = self.counters.take();
        if !instance.broken() {
            counters.merge(instance.take_counters());
        }
        self.site.settle(counters, instance.memory_max());
        Some(instance)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let function = self.site.function();
        // The states of an aggregator belong to the batch, whatever it promises.
        let keep = function.determinism == Determinism::Pure
            && !matches!(function.kind, Kind::Aggregator | Kind::Transformer);
        if let Some(instance) = self.settle()
            && keep
            && !instance.broken()
        {
            self.site.keep(self.partition, instance);
        }
    }
}
