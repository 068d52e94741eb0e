//! A job's plan, ready to be bound to the input of a batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionConfig;

use super::bind::SourceExec;
use super::initial::Initial;
use super::timing::Timing;
use crate::id::{Digest, NodeId, SinkId};
use crate::operator::{OpState, Sites};
use crate::plugin::{CallSite, Counters, Usage};

/// The plan of a job: one tree for each sink, joined where they share entries.
#[derive(Clone, Debug)]
pub struct JobPlan {
    /// The sinks, in the order of the job.
    pub sinks: Vec<SinkPlan>,
    /// Ops with a state that are read to their end besides.
    pub(super) drains: Vec<Arc<dyn ExecutionPlan>>,
    /// The call sites.
    pub sites: Arc<Sites>,
    /// The states that its ops keep over batches.
    pub states: Vec<OpState>,
    /// The times that its entries have and wait for.
    pub timing: Timing,
    /// What some of them begin with.
    pub initial: Vec<Initial>,
    pub(super) config: SessionConfig,
}

/// The plan of one sink.
#[derive(Clone, Debug)]
pub struct SinkPlan {
    /// The sink.
    pub id: SinkId,
    /// What it gets.
    pub plan: Arc<dyn ExecutionPlan>,
}

impl SinkPlan {
    /// The columns of its rows.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema()
    }

    /// The sources that its rows come from.
    pub fn sources(&self) -> BTreeSet<NodeId> {
        let (mut found, mut left) = (BTreeSet::new(), vec![&self.plan]);
        while let Some(node) = left.pop() {
            if let Some(source) = node.downcast_ref::<SourceExec>() {
                found.insert(source.source().clone());
            }
            left.extend(node.children());
        }
        found
    }

    /// In how many parts its rows come.
    pub fn partitions(&self) -> usize {
        self.plan.output_partitioning().partition_count()
    }
}

/// Which code an op or function of a job runs.
#[derive(Clone, Debug)]
pub struct OpCode {
    /// The op or function of the job.
    pub op: String,
    /// The function of the component.
    pub function: String,
    /// The component.
    pub digest: Digest,
    /// The interface that it was built for.
    pub interface: &'static str,
    /// The version of its state.
    pub state_version: u32,
}

impl JobPlan {
    /// The code of every op and function, by name.
    pub fn code(&self) -> Vec<OpCode> {
        let code = |site: &Arc<CallSite>| OpCode {
            op: site.op().to_owned(),
            function: site.function().name.clone(),
            digest: site.plugin().digest(),
            interface: site.plugin().abi(),
            state_version: site.function().state_version,
        };
        let mut all: Vec<_> = self.sites.all().map(code).collect();
        all.sort_by(|a, b| a.op.cmp(&b.op));
        all
    }

    /// What each function has done since the start.
    pub fn usage(&self) -> Vec<(String, Usage)> {
        let mut all: Vec<_> =
            self.sites.all().map(|site| (site.op().to_owned(), site.stats().read())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// What each op that has any rights lets its function see of the machine.
    pub fn rights(&self) -> Vec<(String, String)> {
        let granted = self.sites.all().filter(|site| !site.rights().is_none());
        let mut all: Vec<_> =
            granted.map(|site| (site.op().to_owned(), site.rights().to_string())).collect();
        all.sort();
        all
    }

    /// What user code counted since the last time, by op.
    pub fn take_counters(&self) -> Vec<(String, Counters)> {
        let mut all: Vec<_> = self
            .sites
            .all()
            .map(|site| (site.op().to_owned(), site.take_counters()))
            .filter(|(_, counters)| !counters.is_empty())
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}
