//! Joins the plans of a job's entries: an entry that is read once is put where it is read, one
//! that is read several times is shared.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::id::NodeId;
use crate::operator::{ChannelId, FlatMapExec, SharedExec, TransformExec, UpdateExec, properties};

/// A place where an entry is read: stands in for its plan until the job is assembled.
#[derive(Debug)]
pub struct TapExec {
    node: NodeId,
    port: usize,
    properties: Arc<PlanProperties>,
}

impl TapExec {
    /// Reads a port of an entry.
    pub fn new(
        node: NodeId,
        port: usize,
        schema: &arrow::datatypes::SchemaRef,
        partitioning: Partitioning,
    ) -> Self {
        Self { node, port, properties: properties(schema, partitioning) }
    }
}

impl DisplayAs for TapExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TapExec: {}", self.node)
    }
}

impl ExecutionPlan for TapExec {
    crate::operator::plan_node!("TapExec", children: [], rebuild: |node, _| {
        Ok(Arc::new(Self {
            node: node.node.clone(),
            port: node.port,
            properties: Arc::clone(&node.properties),
        }))
    });

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("`{}` was run before the job was assembled", self.node)
    }
}

/// The plans of a job's entries and who reads them.
pub struct Assembly<'a> {
    plans: &'a HashMap<NodeId, Arc<dyn ExecutionPlan>>,
    readers: HashMap<NodeId, Vec<usize>>,
    given: HashMap<NodeId, HashSet<usize>>,
    done: HashMap<NodeId, Arc<dyn ExecutionPlan>>,
    first_id: ChannelId,
    shared: Vec<NodeId>,
}

impl<'a> Assembly<'a> {
    /// Counts the readers of every entry that a sink needs. Channel numbers from `first_id` on are
    /// free.
    pub fn new(
        plans: &'a HashMap<NodeId, Arc<dyn ExecutionPlan>>,
        roots: &[Arc<dyn ExecutionPlan>],
        first_id: ChannelId,
    ) -> Result<Self> {
        let mut assembly = Self {
            plans,
            readers: HashMap::new(),
            given: HashMap::new(),
            done: HashMap::new(),
            first_id,
            shared: Vec::new(),
        };
        for root in roots {
            assembly.count(root)?;
        }
        Ok(assembly)
    }

    fn count(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
        let mut taps = Vec::new();
        plan.apply(|node| {
            if let Some(tap) = node.downcast_ref::<TapExec>() {
                taps.push((tap.node.clone(), tap.port));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        for (node, port) in taps {
            let readers = self.readers.entry(node.clone()).or_default();
            readers.push(port);
            if readers.len() == 1 {
                let plan = Arc::clone(self.plan(&node)?);
                self.count(&plan)?;
            }
        }
        Ok(())
    }

    fn plan(&self, node: &NodeId) -> Result<&'a Arc<dyn ExecutionPlan>> {
        match self.plans.get(node) {
            Some(plan) => Ok(plan),
            None => internal_err!("entry `{node}` has no plan"),
        }
    }

    /// A plan with all its taps replaced.
    pub fn join(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        Arc::clone(plan)
            .transform_up(|node| {
                let Some(tap) = node.downcast_ref::<TapExec>() else {
                    return Ok(Transformed::no(node));
                };
                let (id, port) = (tap.node.clone(), tap.port);
                Ok(Transformed::yes(self.read(&id, port)?))
            })
            .data()
    }

    fn read(&mut self, node: &NodeId, port: usize) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = match self.done.get(node) {
            Some(plan) => Arc::clone(plan),
            None => {
                let plan = Arc::clone(self.plan(node)?);
                let plan = self.join(&plan)?;
                self.done.insert(node.clone(), Arc::clone(&plan));
                plan
            }
        };
        let outlets = self.readers.get(node).cloned().unwrap_or_default();
        // States are changed by all of a batch, however much of what comes out is read.
        if outlets.len() <= 1 && !plan.is::<UpdateExec>() {
            return at_port(plan, port);
        }
        let place = match self.shared.iter().position(|known| known == node) {
            Some(place) => place,
            None => {
                self.shared.push(node.clone());
                self.shared.len() - 1
            }
        };
        let given = self.given.entry(node.clone()).or_default();
        // Readers of one port are alike, so any of them that is still free will do.
        let outlet = outlets
            .iter()
            .enumerate()
            .filter(|(_, outlet)| **outlet == port)
            .map(|(at, _)| at)
            .find(|at| !given.contains(at));
        let Some(outlet) = outlet else {
            return internal_err!("entry `{node}` has more readers than were counted");
        };
        given.insert(outlet);
        Ok(Arc::new(SharedExec::new(self.first_id + place as u32, outlets, outlet, plan)?))
    }
}

/// The plan of an entry, for another port than the main one.
fn at_port(plan: Arc<dyn ExecutionPlan>, port: usize) -> Result<Arc<dyn ExecutionPlan>> {
    if port == 0 {
        return Ok(plan);
    }
    if let Some(node) = plan.downcast_ref::<FlatMapExec>() {
        return Ok(Arc::new(node.at_port(port)));
    }
    if let Some(node) = plan.downcast_ref::<TransformExec>() {
        return Ok(Arc::new(node.at_port(port)?));
    }
    internal_err!("{} has no port {port}", plan.name())
}
