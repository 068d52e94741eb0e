//! Ops that the host has itself, and what keeps a state over batches.

use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use super::build::Builder;
use super::initial::Initial;
use super::native::{self, Grouped, Grouping, How, Kept};
use super::windows::Cut;
use super::{keyed, mismatch, origin};
use crate::id::NodeId;
use crate::job::{CallSpec, Mode, NativeSpec, OpSpec, Span};
use crate::operator::{AssignExec, Call, ChannelId};

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
        let cut = match self.cut(op, key, input) {
            Ok(cut) => cut,
            Err(problem) => {
                self.problems.push(problem);
                return Ok(false);
            }
        };
        let grouping = self.grouping((op, cut), (key, 1), Arc::clone(input), channel);
        let grouped = match spec {
            NativeSpec::Aggregate { aggregates, .. } => grouping.aggregates(aggregates)?,
            _ => grouping.count()?,
        };
        self.grouped(&op.id, grouped);
        if let Some(cut) = cut {
            self.late_port(op, cut, input)?;
        }
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
        let input = origin::stripped(input)?;
        let cut = match self.cut(op, &spec.key, &input) {
            Ok(cut) => cut,
            Err(problem) => {
                self.problems.push(problem);
                return Ok(false);
            }
        };
        let key = (spec.key.as_slice(), version);
        let grouping = self.grouping((op, cut), key, Arc::clone(&input), channel);
        let grouped = grouping.aggregator(call)?;
        self.grouped(&op.id, grouped);
        if let Some(cut) = cut {
            self.late_port(op, cut, &input)?;
        }
        Ok(true)
    }

    pub(super) fn grouping<'a>(
        &self,
        (op, cut): (&'a OpSpec, Option<Cut>),
        (key, version): (&'a [String], u32),
        input: Arc<dyn ExecutionPlan>,
        id: ChannelId,
    ) -> Grouping<'a> {
        let complete = matches!(self.modes.get(&op.id), Some((Mode::Complete, _)));
        let how = match cut {
            Some((_, windowing)) => Some(How::Window(windowing)),
            None => op.across.is_some().then_some(How::Running(complete)),
        };
        let kept = how.map(|how| Kept { op: &op.id, version, how });
        let input = match cut {
            Some((assigning, _)) => Arc::new(AssignExec::new(op.id.clone(), assigning, input)),
            None => input,
        };
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
                if let Some(files) = &op.1.keeping.initial {
                    match Initial::new(&state, files, self.job.folder.clone()) {
                        Ok(initial) => self.initial.push(initial),
                        Err(problem) => self.problems.push(*problem),
                    }
                }
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
