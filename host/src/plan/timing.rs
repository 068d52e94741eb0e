//! Which time the rows of an entry have, and which entries an op waits for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::assemble::TapExec;
use super::build::{Builder, Entry};
use super::call::no_column;
use super::{mismatch, sql};
use crate::id::NodeId;
use crate::job::{EventTimeSpec, OpBody, OpSpec, Problem};
use crate::operator::WatermarkExec;
use crate::types;

/// When the rows of an entry came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// The column.
    pub column: String,
    /// The entries whose `event_time` it is.
    pub entries: BTreeSet<NodeId>,
}

/// An entry with `event_time`. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// The entry.
    pub entry: NodeId,
    /// Rows are waited for so long after the latest time that was seen.
    pub delay: i64,
    /// Without rows for so long, nobody waits for them any more.
    pub idle: Option<i64>,
}

/// What time an op with windows goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The least watermark of these entries.
    Entries(BTreeSet<NodeId>),
    /// That of batches.
    Batches,
}

/// An op that goes by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The op.
    pub op: NodeId,
    /// What it goes by.
    pub clock: Clock,
    /// How often windows end, in microseconds; none if keys have timers instead.
    pub slide: Option<i64>,
}

/// The times of a plan.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// Entries whose rows say when they came to be.
    pub timed: Vec<Timed>,
    /// Ops that go by time.
    pub waiting: Vec<Waiting>,
}

/// The entry of an op whose rows are watched. No job can have such an id.
pub fn unwatched(op: &NodeId) -> NodeId {
    NodeId::new(format!("{op}\u{0}before"))
}

/// A length of time in microseconds.
pub fn micros(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Builder<'_> {
    /// Watches the event times of an entry, if it has any.
    pub(super) fn watched(
        &mut self,
        entry: &NodeId,
        spec: Option<&EventTimeSpec>,
        plan: Arc<dyn ExecutionPlan>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(spec) = spec else { return Ok(plan) };
        let schema = plan.schema();
        let Some(place) = self.event_column(spec, &schema) else { return Ok(plan) };
        self.timing.timed.push(Timed {
            entry: entry.clone(),
            delay: micros(spec.watermark),
            idle: spec.idle.map(micros),
        });
        let time =
            EventTime { column: spec.column.clone(), entries: BTreeSet::from([entry.clone()]) };
        self.event_times.insert(entry.clone(), time);
        Ok(Arc::new(WatermarkExec::new(entry.clone(), place, plan)?))
    }

    fn event_column(&mut self, spec: &EventTimeSpec, schema: &SchemaRef) -> Option<usize> {
        let Ok(place) = schema.index_of(&spec.column) else {
            let problem = no_column(&spec.column, schema, &spec.column_span, "event_time");
            self.problems.push(problem);
            return None;
        };
        let is = schema.field(place).data_type();
        if *is != types::timestamp() {
            let message = format!(
                "column `{}` is {}, and an event time is a timestamp",
                spec.column,
                types::describe(is)
            );
            let help = "make it a timestamp: in the `schema` of the source, in the function that \
                        gives it, or in SQL by `to_timestamp`";
            let problem = Problem::new("WEIR-PLAN-022", message);
            self.problems.push(problem.at(spec.column_span.clone(), "").help(help));
            return None;
        }
        Some(place)
    }

    /// The entries that an op reads.
    pub(super) fn read_by(&self, op: &OpSpec) -> Vec<NodeId> {
        if let (OpBody::Sql(spec), true) = (&op.body, op.from.is_empty()) {
            let named = sql::tables_of(&spec.sql).unwrap_or_default();
            return named.iter().map(|name| NodeId::new(name.as_str())).collect();
        }
        op.from.iter().map(|from| from.node.clone()).collect()
    }

    /// The event time of what an op reads: the column of its inputs, if they agree.
    pub(super) fn time_of_inputs(&self, op: &OpSpec) -> Option<EventTime> {
        let mut found: Option<EventTime> = None;
        for input in self.read_by(op) {
            let Some(time) = self.event_times.get(&input) else { continue };
            match &mut found {
                None => found = Some(time.clone()),
                Some(found) if found.column == time.column => {
                    found.entries.extend(time.entries.iter().cloned());
                }
                Some(_) => return None,
            }
        }
        found
    }

    /// The time of what an op gives: its own, or that of its input.
    pub(super) fn timed(&mut self, op: &OpSpec) {
        let Some(spec) = &op.event_time else { return self.inherit_time(op) };
        // The rows of the main port are watched behind the op, which keeps its other ports.
        let Some(entry) = self.entries.get(&op.id) else { return };
        let (ports, before) = (entry.ports.clone(), unwatched(&op.id));
        let partitioning = entry.plan.output_partitioning().clone();
        let tap = TapExec::new(before.clone(), 0, &ports[0].1, partitioning);
        match self.watched(&op.id, Some(spec), Arc::new(tap)) {
            Ok(plan) => {
                if let Some(entry) = self.entries.insert(op.id.clone(), Entry { plan, ports }) {
                    self.entries.insert(before, entry);
                }
            }
            Err(error) => self.problems.push(mismatch::internal(&error)),
        }
    }

    /// An op that hands on the event time of its input has it too.
    pub(super) fn inherit_time(&mut self, op: &OpSpec) {
        if op.event_time.is_some() || op.window.is_some() {
            return;
        }
        let Some(time) = self.time_of_inputs(op) else { return };
        let Some(entry) = self.entries.get(&op.id) else { return };
        let schema = &entry.ports[0].1;
        let has = schema.field_with_name(&time.column);
        if has.is_ok_and(|field| *field.data_type() == types::timestamp()) {
            self.event_times.insert(op.id.clone(), time);
        }
    }
}
