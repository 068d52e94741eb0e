//! Which entries hand on where their rows were read, so that a dead letter can say it.
//!
//! A source adds a hidden last column only if an op that writes dead letters is fed by it through
//! nothing but functions that work row by row. Every other reader gets the rows without it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;

use super::call::Loaded;
use crate::id::NodeId;
use crate::job::{Job, NativeSpec, OpBody, OpSpec};
use crate::operator::ORIGIN;
use crate::plugin::Kind;
use crate::row_error::OnError;

/// The hidden column.
pub fn field() -> Arc<Field> {
    Arc::new(Field::new(ORIGIN, DataType::UInt64, false))
}

/// Columns with the hidden one.
pub fn with_origin(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(Arc::clone).chain([field()]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The place of the hidden column, which is the last.
pub fn place(schema: &Schema) -> Option<usize> {
    let last = schema.fields().len().checked_sub(1)?;
    (schema.field(last).name() == ORIGIN).then_some(last)
}

/// Columns without the hidden one: what a person may know of.
pub fn public(schema: &SchemaRef) -> SchemaRef {
    match place(schema) {
        Some(last) => Arc::new(Schema::new(schema.fields()[..last].to_vec())),
        None => Arc::clone(schema),
    }
}

/// A plan whose rows have no hidden column.
pub fn stripped(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    let Some(last) = place(&schema) else { return Ok(plan) };
    let columns: Vec<(Arc<dyn PhysicalExpr>, String)> = schema.fields()[..last]
        .iter()
        .enumerate()
        .map(|(place, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), place));
            (column, field.name().clone())
        })
        .collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
}

/// The entries whose rows say where they were read.
pub fn carriers(job: &Job, loaded: &Loaded) -> HashSet<NodeId> {
    let mut can: HashSet<NodeId> = job.sources.iter().map(|source| source.id.clone()).collect();
    for op in &job.ops {
        if passes(op, loaded) && op.from.iter().all(|from| can.contains(&from.node)) {
            can.insert(op.id.clone());
        }
    }
    let mut wanted = HashSet::new();
    for op in job.ops.iter().rev() {
        if writes_letters(op, loaded) || (wanted.contains(&op.id) && passes(op, loaded)) {
            let from = op.from.iter().map(|from| &from.node);
            wanted.extend(from.filter(|node| can.contains(*node)).cloned());
        }
    }
    wanted
}

fn kind(op: &OpSpec, loaded: &Loaded) -> Option<(Kind, OnError)> {
    let OpBody::Wasm(spec) = &op.body else { return None };
    let (plugin, place) = loaded.function(spec).ok()?;
    Some((plugin.functions()[place].kind, spec.on_error))
}

/// Whether rows that come out of an op can say where they were read.
fn passes(op: &OpSpec, loaded: &Loaded) -> bool {
    match &op.body {
        OpBody::Native(NativeSpec::Repartition { .. }) => true,
        OpBody::Native(_) | OpBody::Sql(_) => false,
        OpBody::Wasm(_) => {
            matches!(kind(op, loaded), Some((Kind::Mapper | Kind::Predicate | Kind::FlatMapper, _)))
        }
    }
}

fn writes_letters(op: &OpSpec, loaded: &Loaded) -> bool {
    matches!(kind(op, loaded), Some((kind, OnError::DeadLetter)) if kind != Kind::Aggregator)
}
