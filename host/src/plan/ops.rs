//! Ops that the host has itself, and what keeps a state over batches.

use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use super::build::Builder;
use super::native::{self, Grouped, Grouping};
use super::{keyed, mismatch, origin};
use crate::id::NodeId;
use crate::job::{CallSpec, NativeSpec, OpSpec, Span};
use crate::operator::{Call, ChannelId};

impl Builder<'_> {
    pub(super) fn native(&mut self, op: &OpSpec, spec: &NativeSpec) -> PlanResult<bool> {
        let carries = self.carriers.contains(&op.id);
        let tap = if carries { Self::full_tap } else { Self::tap };
        let taps: Vec<_> = op.from.iter().map(|from| tap(self, from)).collect();
        let Some(inputs) = taps.into_iter().collect::<Option<Vec<_>>>() else { return Ok(false) };
        let channel = self.id();
        let plan = match spec {
            NativeSpec::Union => {
                if let Some(problem) = mismatch::different(op, &inputs) {
                    self.problems.push(problem);
                    return Ok(false);
                }
                UnionExec::try_new(inputs)?
            }
            NativeSpec::Count { key, key_span } | NativeSpec::Aggregate { key, key_span, .. } => {
                return self.aggregate(op, (spec, key, key_span), &inputs[0], channel);
            }
            NativeSpec::Repartition { key, key_span } => {
                let input = Arc::clone(&inputs[0]);
                let problems = keyed::wrong_key_columns(key, key_span, &input.schema());
                if !problems.is_empty() {
                    self.problems.extend(problems);
                    return Ok(false);
                }
                native::repartition(key, input, channel, self.partitions)?
            }
        };
        self.single(&op.id, plan);
        Ok(true)
    }
    /// Aggregates of the host's own, over a batch or on over all.
    fn aggregate(
        &mut self,
        op: &OpSpec,
        (spec, key, key_span): (&NativeSpec, &[String], &Span),
        input: &Arc<dyn ExecutionPlan>,
        channel: ChannelId,
    ) -> PlanResult<bool> {
        let mut problems = keyed::wrong_key_columns(key, key_span, &input.schema());
        problems.extend(keyed::wrong_across(op, None));
        if let NativeSpec::Aggregate { aggregates, .. } = spec {
            problems.extend(native::wrong_aggregates(aggregates, &input.schema()));
        }
        if !problems.is_empty() {
            self.problems.extend(problems);
            return Ok(false);
        }
        let grouping = self.grouping(op, (key, 1), Arc::clone(input), channel);
        let grouped = match spec {
            NativeSpec::Aggregate { aggregates, .. } => grouping.aggregates(aggregates)?,
            _ => grouping.count()?,
        };
        self.grouped(&op.id, grouped);
        Ok(true)
    }

    /// The aggregator of a plugin.
    pub(super) fn aggregator(
        &mut self,
        (op, spec): (&OpSpec, &CallSpec),
        call: &Call,
        input: Arc<dyn ExecutionPlan>,
        channel: ChannelId,
    ) -> PlanResult<bool> {
        if call.reads.is_empty() {
            self.problems.push(mismatch::reads_nothing(spec, &call.site.function().name));
            return Ok(false);
        }
        let version = call.site.function().state_version;
        let grouping = self.grouping(op, (&spec.key, version), origin::stripped(input)?, channel);
        let grouped = grouping.aggregator(call)?;
        self.grouped(&op.id, grouped);
        Ok(true)
    }

    pub(super) fn grouping<'a>(
        &self,
        op: &'a OpSpec,
        (key, version): (&'a [String], u32),
        input: Arc<dyn ExecutionPlan>,
        id: ChannelId,
    ) -> Grouping<'a> {
        let kept = op.across.is_some().then_some((&op.id, version));
        Grouping { key, input, id, partitions: self.partitions, kept }
    }
    pub(super) fn grouped(&mut self, id: &NodeId, (plan, state): Grouped) {
        self.states.extend(state);
        self.single(id, plan);
    }
    pub(super) fn updater(
        &mut self,
        op: (&OpSpec, &CallSpec),
        call: Call,
        input: Arc<dyn ExecutionPlan>,
        channel: ChannelId,
    ) -> PlanResult<bool> {
        match keyed::update(op, call, input, (channel, self.partitions))? {
            Ok((plan, state)) => {
                self.states.push(state);
                let ports = plan.ports();
                self.add(&op.0.id, Arc::new(plan), ports);
                Ok(true)
            }
            Err(problem) => {
                self.problems.push(problem);
                Ok(false)
            }
        }
    }
}
