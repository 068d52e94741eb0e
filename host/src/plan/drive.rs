//! Runs a bound plan: a lane for each partition of each sink.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;

use super::bind::Bound;
use super::error::RunError;
use super::job_plan::JobPlan;
use super::session::Resources;
use crate::operator::place_of;

/// An error of whoever takes the rows.
pub type ReceiverError = Arc<dyn std::error::Error + Send + Sync>;

/// Takes the rows of one partition of one sink.
pub trait RowsOut: Send {
    /// The next rows.
    fn take(&mut self, rows: &arrow::array::RecordBatch) -> std::result::Result<(), ReceiverError>;

    /// There are no more.
    fn close(self: Box<Self>) -> std::result::Result<(), ReceiverError>;
}

/// Opens a receiver for a partition of a sink, on the lane that has its rows.
pub trait Deliver: Send + Sync {
    /// Opens it.
    fn open(
        &self,
        sink: usize,
        partition: usize,
    ) -> std::result::Result<Box<dyn RowsOut>, ReceiverError>;
}

/// Carries a receiver's error through DataFusion.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Received(ReceiverError);

impl JobPlan {
    /// Runs a bound plan to its end. On an error everything that still runs is given up, and the
    /// first cause is told.
    pub fn run(
        &self,
        bound: &Bound,
        deliver: &Arc<dyn Deliver>,
        resources: &Resources,
    ) -> std::result::Result<(), RunError> {
        self.sites.begin(&bound.now);
        let failed: Arc<Mutex<Vec<DataFusionError>>> = Arc::default();
        let sinks = bound.sinks.iter().enumerate().map(|(sink, plan)| (Some(sink), plan));
        for (sink, plan) in sinks.chain(bound.drains.iter().map(|plan| (None, plan))) {
            for partition in 0..plan.output_partitioning().partition_count() {
                let (plan, deliver) = (Arc::clone(plan), Arc::clone(deliver));
                let (context, interrupt) = (Arc::clone(&bound.context), bound.interrupt.clone());
                let failures = Arc::clone(&failed);
                let place = place_of(&plan, partition);
                let work = async move {
                    if let Err(error) =
                        one(&plan, &context, deliver.as_ref(), sink, partition).await
                    {
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                        interrupt.raise();
                    }
                };
                let started = resources.lanes().run(place, work);
                if let Err(error) = started {
                    bound.interrupt.raise();
                    let error = DataFusionError::IoError(error);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                }
            }
        }
        resources.lanes().rest();
        let failures = std::mem::take(&mut *failed.lock().unwrap_or_else(PoisonError::into_inner));
        for site in self.sites.all() {
            site.end(!failures.is_empty());
        }
        first_cause(&failures)
    }
}

fn first_cause(failures: &[DataFusionError]) -> std::result::Result<(), RunError> {
    let mut causes = failures.iter().map(cause);
    let Some(first) = causes.next() else { return Ok(()) };
    if !first.is_consequence() {
        return Err(first);
    }
    Err(causes.find(|cause| !cause.is_consequence()).unwrap_or(first))
}

fn cause(error: &DataFusionError) -> RunError {
    if let DataFusionError::External(inner) = error
        && let Some(received) = inner.downcast_ref::<Received>()
    {
        return RunError::Receiver(Arc::clone(&received.0));
    }
    RunError::from_datafusion(error)
}

async fn one(
    plan: &Arc<dyn ExecutionPlan>,
    context: &Arc<datafusion::execution::TaskContext>,
    deliver: &dyn Deliver,
    sink: Option<usize>,
    partition: usize,
) -> Result<()> {
    let carried = |error| DataFusionError::External(Box::new(Received(error)));
    let mut rows = plan.execute(partition, Arc::clone(context))?;
    let Some(sink) = sink else {
        while let Some(rows) = rows.next().await {
            rows?;
        }
        return Ok(());
    };
    let mut out = deliver.open(sink, partition).map_err(carried)?;
    while let Some(rows) = rows.next().await {
        out.take(&rows?).map_err(carried)?;
    }
    out.close().map_err(carried)
}
