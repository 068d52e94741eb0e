//! Operators that the host has itself: count, union, repartition, and grouping for aggregators.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Literal, col};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::projection::ProjectionExec;

use crate::operator::{Call, ChannelId, ExchangeExec, LeaveOutExec, Routing, WasmAggregate};
use crate::row_error::OnError;

/// The name of the column that a count gives.
pub const COUNT: &str = "count";

type Named = (Arc<dyn PhysicalExpr>, String);

fn columns(names: &[String], schema: &SchemaRef) -> Result<Vec<Named>> {
    names.iter().map(|name| Ok((col(name, schema)?, name.clone()))).collect()
}

/// Partial before the exchange, final after it.
fn grouped(
    key: &[String],
    aggregate: AggregateFunctionExpr,
    input: Arc<dyn ExecutionPlan>,
    id: ChannelId,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let aggregates = vec![Arc::new(aggregate)];
    let group_by = PhysicalGroupBy::new_single(columns(key, &schema)?);
    let partial = Arc::new(AggregateExec::try_new(
        AggregateMode::Partial,
        group_by.clone(),
        aggregates.clone(),
        vec![None],
        input,
        Arc::clone(&schema),
    )?);
    let (routing, mode) = if key.is_empty() {
        (Routing::Gather, AggregateMode::Final)
    } else {
        let key = columns(key, &partial.schema())?.into_iter().map(|(expr, _)| expr).collect();
        (Routing::ByKey { key, partitions }, AggregateMode::FinalPartitioned)
    };
    let exchanged = Arc::new(ExchangeExec::new(id, routing, partial));
    Ok(Arc::new(AggregateExec::try_new(
        mode,
        group_by.as_final(),
        aggregates,
        vec![None],
        exchanged,
        schema,
    )?))
}

/// Rows by key, or all rows.
pub fn count(
    key: &[String],
    input: Arc<dyn ExecutionPlan>,
    id: ChannelId,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let one: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(ScalarValue::Int64(Some(1))));
    let aggregate = AggregateExprBuilder::new(count_udaf(), vec![one])
        .schema(input.schema())
        .alias(COUNT)
        .build()?;
    grouped(key, aggregate, input, id, partitions)
}

/// The aggregator of a plugin by key, or over all rows.
pub fn aggregate(
    key: &[String],
    call: &Call,
    input: Arc<dyn ExecutionPlan>,
    id: ChannelId,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let read = |place: &usize| col(schema.field(*place).name(), &schema);
    let arguments = call.reads.iter().map(read).collect::<Result<Vec<_>>>()?;
    let lossy = call.site.on_error() != OnError::Fail;
    let function = WasmAggregate::new(Arc::clone(&call.site), lossy);
    let function = Arc::new(AggregateUDF::from(function));
    let result = format!("{}()", call.site.op());
    let aggregate = AggregateExprBuilder::new(function, arguments)
        .schema(Arc::clone(&schema))
        .alias(&result)
        .build()?;
    let grouped = grouped(key, aggregate, input, id, partitions)?;
    if lossy {
        return Ok(Arc::new(LeaveOutExec::new(call.clone(), grouped)));
    }
    let schema = grouped.schema();
    let mut out = columns(key, &schema)?;
    let value = col(&result, &schema)?;
    match call.site.ports()[0].fields().as_ref() {
        [only] => out.push((value, only.name().clone())),
        fields => {
            for field in fields {
                out.push((field_of(&value, field.name(), &schema)?, field.name().clone()));
            }
        }
    }
    Ok(Arc::new(ProjectionExec::try_new(out, grouped)?))
}

/// A field of a struct column.
fn field_of(
    value: &Arc<dyn PhysicalExpr>,
    name: &str,
    schema: &SchemaRef,
) -> Result<Arc<dyn PhysicalExpr>> {
    let name: Arc<dyn PhysicalExpr> =
        Arc::new(Literal::new(ScalarValue::Utf8(Some(name.to_owned()))));
    Ok(Arc::new(ScalarFunctionExpr::try_new(
        datafusion::functions::core::get_field(),
        vec![Arc::clone(value), name],
        schema,
        Arc::new(datafusion::config::ConfigOptions::default()),
    )?))
}

/// Rows of one key to one lane.
pub fn repartition(
    key: &[String],
    input: Arc<dyn ExecutionPlan>,
    id: ChannelId,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let key = columns(key, &input.schema())?.into_iter().map(|(expr, _)| expr).collect();
    Ok(Arc::new(ExchangeExec::new(id, Routing::ByKey { key, partitions }, input)))
}
