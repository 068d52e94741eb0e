//! One run of the plan over the input of a batch.

use std::sync::Arc;
use std::time::Duration;

use super::deliver::{Delivery, Stage};
use super::error::BatchError;
use super::event::{BatchReport, Event, OpReport};
use super::ranges::Ranges;
use super::run::Runner;
use crate::clock::Stopwatch;
use crate::durable::crash::{self, Point};
use crate::id::{BatchId, NodeId};
use crate::plan::{
    Aside, BatchNow, BatchStates, Bindings, Bound, Deliver, Exclusions, JobPlan, Places, origin_of,
};
use crate::row_error::Letters;
use crate::sink::BatchMark;
use crate::source::{Source, SourceRange};

impl Runner<'_> {
    /// What is done with rows that can't be taken; `known` are those that are left out beforehand.
    pub(super) fn aside(
        &self,
        letters: Arc<dyn Letters>,
        ranges: &Ranges,
        known: Exclusions,
    ) -> Aside {
        let sources = self.start.sources.clone().into_iter();
        let read: Vec<_> = sources.zip(ranges.iter().cloned()).collect();
        let places: Places = Arc::new(move |origin| {
            let (number, within) = origin_of(origin);
            let place = |((id, source), range): &((NodeId, Arc<dyn Source>), SourceRange)| {
                format!("{id}, {}", source.place(range, within))
            };
            read.get(number).map_or(String::new(), place)
        });
        Aside::new(letters, places, self.start.dead_letters.show_rows, known)
    }

    pub(super) fn bind(
        &self,
        plan: &JobPlan,
        mark: &BatchMark,
        ranges: &Ranges,
        (aside, states): (Aside, Arc<BatchStates>),
    ) -> Result<Bound, BatchError> {
        let mut bindings = Bindings::default();
        for ((id, source), range) in self.start.sources.iter().zip(ranges) {
            bindings.bind(id.clone(), Arc::clone(source), range.clone());
        }
        let now = BatchNow {
            job: mark.job.clone(),
            batch: mark.batch,
            time: mark.time,
            interrupt: self.start.stop.interrupt().clone(),
            log: Arc::clone(&self.start.log),
            aside,
        };
        plan.bind(bindings, now, states, self.resources)
            .map_err(|error| BatchError::Machine(error.strip_backtrace()))
    }

    pub(super) fn run_plan(
        &self,
        plan: &JobPlan,
        bound: &Bound,
        staged: &[Arc<Stage>],
        batch: BatchId,
    ) -> Result<(), BatchError> {
        let deliver: Arc<dyn Deliver> = Arc::new(Delivery(staged.to_vec()));
        crash::point(Point::RunBegins);
        let ended = plan.run(bound, &deliver, self.resources);
        crash::point(Point::RunDone);
        match ended {
            Ok(()) if !self.start.stop.at_once() => Ok(()),
            Err(error) if !self.start.stop.at_once() || !error.is_consequence() => {
                let (code, message) = (error.code(), error.to_string());
                self.listener.event(&Event::Failed { batch: batch.0, code, message });
                Err(BatchError::Run { batch, error: Box::new(error) })
            }
            _ => Err(BatchError::GivenUp(batch)),
        }
    }

    pub(super) fn count(&mut self, plan: &JobPlan, report: &mut BatchReport) {
        let counted = plan.take_counters();
        for (op, now) in plan.usage() {
            let before = self.usage.insert(op.clone(), now).unwrap_or_default();
            let usage = now.since(&before);
            let of_op = counted.iter().filter(|(at, _)| *at == op);
            report.ops.push(OpReport {
                metrics_refused: of_op.map(|(_, counters)| counters.refused).sum(),
                op,
                guest_calls: usage.calls,
                guest_rows_in: usage.rows_in,
                guest_rows_out: usage.rows_out,
                guest_ms: usage.nanos as f64 / 1e6,
                instances: usage.instances,
                guest_memory_max: usage.memory_max,
            });
        }
        for (op, counters) in counted {
            let named = |name: String| format!("{op}.{name}");
            report.counters.extend(counters.counts.into_iter().map(|(n, v)| (named(n), v)));
            report.gauges.extend(counters.gauges.into_iter().map(|(n, v)| (named(n), v)));
        }
    }
}

pub(super) fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn lap(report: &mut BatchReport, name: &'static str, step: &mut Stopwatch) {
    report.phases_ms.insert(name, millis(step.elapsed()));
    *step = Stopwatch::start();
}
