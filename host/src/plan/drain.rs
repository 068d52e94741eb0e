//! Ops with a state are read to their end, whoever else reads them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::assemble::TapExec;
use super::timing::unwatched;
use crate::id::NodeId;
use crate::job::{Job, OpBody};
use crate::operator::OpState;

/// The main ports of ops with a state, to be read to their end whoever else reads them: a query
/// may stop early, and a state that no sink needs is kept all the same.
pub fn drained(
    job: &Job,
    states: &[OpState],
    plans: &HashMap<NodeId, Arc<dyn ExecutionPlan>>,
) -> Vec<Arc<dyn ExecutionPlan>> {
    let queries = job.ops.iter().any(|op| matches!(op.body, OpBody::Sql(_)));
    let mut reached: HashSet<&NodeId> = job.sinks.iter().map(|sink| &sink.from.node).collect();
    for op in job.ops.iter().rev() {
        if reached.contains(&op.id) {
            reached.extend(op.from.iter().map(|from| &from.node));
        }
    }
    let drained = states.iter().filter(|state| queries || !reached.contains(&state.op));
    let tap = |state: &OpState| {
        let before = unwatched(&state.op);
        let node = if plans.contains_key(&before) { before } else { state.op.clone() };
        let plan = plans.get(&node)?;
        let partitioning = plan.output_partitioning().clone();
        let tap = TapExec::new(node, 0, &plan.schema(), partitioning);
        Some(Arc::new(tap) as Arc<dyn ExecutionPlan>)
    };
    drained.filter_map(tap).collect()
}
