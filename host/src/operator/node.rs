//! What all our plan nodes have in common: their properties, and how errors of the plugin room
//! travel through a plan.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::PlanProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};

use crate::plugin::PluginError;
use crate::state::StateError;

/// Properties of a node that gives rows as they come.
pub fn properties(schema: &SchemaRef, partitioning: Partitioning) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        partitioning,
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// Properties of a node with so many partitions in no particular order.
pub fn spread(schema: &SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    properties(schema, Partitioning::UnknownPartitioning(partitions))
}

/// A plugin's error as DataFusion carries it.
pub fn carried(error: PluginError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An error of the state room as DataFusion carries it.
pub fn state_failed(error: StateError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The plugin's error in what a plan gave back, if that is what it is.
pub fn plugin_error(error: &DataFusionError) -> Option<&PluginError> {
    carried_as(error)
}

/// The state's error in what a plan gave back, if that is what it is.
pub fn state_error(error: &DataFusionError) -> Option<&StateError> {
    carried_as(error)
}

fn carried_as<T: std::error::Error + 'static>(error: &DataFusionError) -> Option<&T> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(DataFusionError::Shared(shared)) = error.downcast_ref::<DataFusionError>() {
            return carried_as(shared);
        }
        if let Some(DataFusionError::External(inner)) = error.downcast_ref::<DataFusionError>() {
            cause = Some(inner.as_ref());
            continue;
        }
        cause = error.source();
    }
    None
}

/// The parts of `ExecutionPlan` that are the same for every node of ours: no expressions, children
/// replaced by building the node anew, and nothing kept from batch to batch.
macro_rules! plan_node {
    ($name:literal, children: [$($child:ident),*], rebuild: $rebuild:expr) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn properties(&self) -> &Arc<datafusion::physical_plan::PlanProperties> {
            &self.properties
        }

        fn children(&self) -> Vec<&Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
            vec![$(&self.$child),*]
        }

        fn apply_expressions(
            &self,
            _visit: &mut dyn FnMut(
                &Arc<dyn datafusion::physical_plan::PhysicalExpr>,
            ) -> datafusion::common::Result<
                datafusion::common::tree_node::TreeNodeRecursion,
            >,
        ) -> datafusion::common::Result<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }

        fn with_new_children(
            self: Arc<Self>,
            children: Vec<Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
        ) -> datafusion::common::Result<Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
            let rebuild: fn(
                &Self,
                Vec<Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
            ) -> datafusion::common::Result<
                Arc<dyn datafusion::physical_plan::ExecutionPlan>,
            > = $rebuild;
            rebuild(&self, children)
        }

        fn reset_state(
            self: Arc<Self>,
        ) -> datafusion::common::Result<Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
            Ok(self)
        }
    };
}

pub(crate) use plan_node;
