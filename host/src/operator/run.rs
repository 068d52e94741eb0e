//! What belongs to one run of a plan: carried by DataFusion's task context, so that the plan itself
//! stays the same for every batch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::TaskContext;

use super::batch_time::BatchTime;
use super::lane::Lanes;
use super::mailbox::Mailboxes;
use crate::plugin::{BatchNow, CallSite, Interrupt};

/// The number of an exchange or of a shared node within a plan.
pub type ChannelId = u32;

/// One run of a plan.
pub struct PlanRun {
    lanes: Arc<Lanes>,
    interrupt: Interrupt,
    channels: Mutex<HashMap<ChannelId, Arc<Mailboxes>>>,
}

impl std::fmt::Debug for PlanRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlanRun")
    }
}

impl PlanRun {
    /// A run on these lanes; `interrupt` gives it up.
    pub fn new(lanes: Arc<Lanes>, interrupt: Interrupt) -> Self {
        Self { lanes, interrupt, channels: Mutex::default() }
    }

    /// The run that a task belongs to.
    pub fn of(context: &TaskContext) -> Result<Arc<Self>> {
        context
            .session_config()
            .get_extension::<Self>()
            .ok_or_else(|| internal_datafusion_err!("a plan of Weir was run without its run"))
    }

    /// The lanes.
    pub fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// Whether the run was given up.
    pub fn given_up(&self) -> bool {
        self.interrupt.raised()
    }

    /// The mailboxes of a channel; `start` makes them and starts the producers, once in a run.
    pub fn channel(
        &self,
        id: ChannelId,
        start: impl FnOnce() -> Result<Arc<Mailboxes>>,
    ) -> Result<Arc<Mailboxes>> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(&id) {
            return Ok(Arc::clone(channel));
        }
        let channel = start()?;
        channels.insert(id, Arc::clone(&channel));
        Ok(channel)
    }
}

/// The call sites of a job by op, and the time of its batches: what a plan that was read from bytes
/// is joined to.
#[derive(Debug, Default)]
pub struct Sites {
    by_op: HashMap<String, Arc<CallSite>>,
    time: BatchTime,
}

impl Sites {
    /// Adds a site.
    pub fn insert(&mut self, site: Arc<CallSite>) {
        self.by_op.insert(site.op().to_owned(), site);
    }

    /// The site of an op, which must call this function of this component.
    pub fn find(&self, op: &str, digest: &str, function: &str) -> Result<Arc<CallSite>> {
        let site = self.by_op.get(op).ok_or_else(|| {
            DataFusionError::Plan(format!("the plan calls for op `{op}`, which is not in the job"))
        })?;
        if site.plugin().digest().to_string() != digest || site.function().name != function {
            return Err(DataFusionError::Plan(format!(
                "the plan was made for `{function}` of {digest}, op `{op}` now calls `{}` of {}",
                site.function().name,
                site.plugin().digest()
            )));
        }
        Ok(Arc::clone(site))
    }

    /// All sites.
    pub fn all(&self) -> impl Iterator<Item = &Arc<CallSite>> {
        self.by_op.values()
    }

    /// A run of the job's plan begins.
    pub fn begin(&self, now: &BatchNow) {
        self.time.set(now.time);
        for site in self.all() {
            site.begin(now.clone());
        }
    }

    /// What `now()` of the job's queries tells.
    pub fn time(&self) -> &BatchTime {
        &self.time
    }
}
