//! All calls of functions in a job, and what they take from outside.

use std::sync::Arc;

use super::{CallSpec, Job, JobError, OpBody, Problem};

impl Job {
    /// Every call of a function in the job.
    pub fn calls(&self) -> impl Iterator<Item = &CallSpec> {
        let ops = self.ops.iter().filter_map(|op| match &op.body {
            OpBody::Wasm(call) => Some(&**call),
            OpBody::Sql(_) | OpBody::Native(_) => None,
        });
        self.functions.iter().map(|function| &function.call).chain(ops)
    }

    /// The same, to fill in what is looked up outside.
    pub fn calls_mut(&mut self) -> impl Iterator<Item = &mut CallSpec> {
        let ops = self.ops.iter_mut().filter_map(|op| match &mut op.body {
            OpBody::Wasm(call) => Some(&mut **call),
            OpBody::Sql(_) | OpBody::Native(_) => None,
        });
        self.functions.iter_mut().map(|function| &mut function.call).chain(ops)
    }

    /// Looks up what the job takes from the environment of the host.
    pub fn resolve(&mut self, look_up: &dyn Fn(&str) -> Option<String>) -> Result<(), JobError> {
        let problems: Vec<Problem> =
            self.calls_mut().flat_map(|call| call.allow.resolve(look_up)).collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(JobError { text: Arc::clone(&self.text), problems }),
        }
    }
}
