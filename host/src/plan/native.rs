//! Operators that the host has itself: count, union, repartition, and grouping for aggregators.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Literal, cast, col};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::projection::ProjectionExec;

use super::call::no_column;
use crate::id::NodeId;
use crate::job::{AggregateFunction, AggregateSpec, Problem};
use crate::operator::{
    Call, ChannelId, ExchangeExec, LeaveOutExec, OpState, PANE, Routing, RunningExec, WINDOW,
    WasmAggregate, WindowExec, Windowing,
};
use crate::row_error::OnError;
use crate::types;

/// The name of the column that a count gives.
pub const COUNT: &str = "count";

type Named = (Arc<dyn PhysicalExpr>, String);

fn columns(names: &[String], schema: &SchemaRef) -> Result<Vec<Named>> {
    names.iter().map(|name| Ok((col(name, schema)?, name.clone()))).collect()
}

/// What is grouped, and how.
pub struct Grouping<'a> {
    /// The key; empty = all rows are one group.
    pub key: &'a [String],
    /// The rows.
    pub input: Arc<dyn ExecutionPlan>,
    /// The channel of the exchange.
    pub id: ChannelId,
    /// Lanes.
    pub partitions: usize,
    /// How the aggregates live on over batches, if they do.
    pub kept: Option<Kept<'a>>,
}

/// Aggregates that live on: the op whose state it is, with its version.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// The op.
    pub op: &'a NodeId,
    /// The version of the function's state.
    pub version: u32,
    /// How.
    pub how: How,
}

/// How aggregates live on over batches.
#[derive(Clone, Copy)]
pub enum How {
    /// For ever; whether all of them come out with each batch.
    Running(bool),
    /// For windows; the input says in which pane each row is.
    Window(Windowing),
}

/// A plan, and the state that it keeps.
pub type Grouped = (Arc<dyn ExecutionPlan>, Option<OpState>);

impl Grouping<'_> {
    /// Partial before the exchange, final after it; over batches, what was kept comes in between.
    fn plan(self, aggregates: Vec<AggregateFunctionExpr>) -> Result<Grouped> {
        let schema = self.input.schema();
        let aggregates: Vec<_> = aggregates.into_iter().map(Arc::new).collect();
        let windows = self.kept.is_some_and(|kept| matches!(kept.how, How::Window(_)));
        let mut grouped = columns(self.key, &schema)?;
        if windows {
            grouped.push((col(PANE, &schema)?, PANE.to_owned()));
        }
        let group_by = PhysicalGroupBy::new_single(grouped);
        let step = |mode, group_by, input| {
            let (aggregates, filters) = (aggregates.clone(), vec![None; aggregates.len()]);
            let schema = Arc::clone(&schema);
            let made = AggregateExec::try_new(mode, group_by, aggregates, filters, input, schema)?;
            Ok::<_, DataFusionError>(Arc::new(made))
        };
        let partial = step(AggregateMode::Partial, group_by.clone(), Arc::clone(&self.input))?;
        let (routing, mode) = if self.key.is_empty() {
            (Routing::Gather, AggregateMode::Final)
        } else {
            let key = columns(self.key, &partial.schema())?;
            let key = key.into_iter().map(|(expr, _)| expr).collect();
            let partitions = self.partitions;
            (Routing::ByKey { key, partitions }, AggregateMode::FinalPartitioned)
        };
        let exchanged = Arc::new(ExchangeExec::new(self.id, routing, partial));
        let Some(Kept { op, version, how }) = self.kept else {
            return Ok((step(mode, group_by.as_final(), exchanged)?, None));
        };
        let merged = step(AggregateMode::PartialReduce, group_by.as_final(), exchanged)?;
        kept_node(op, version, how, merged)
    }

    /// Rows by key, or all rows.
    pub fn count(self) -> Result<Grouped> {
        let schema = self.input.schema();
        let one: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(ScalarValue::Int64(Some(1))));
        let aggregate = AggregateExprBuilder::new(count_udaf(), vec![one])
            .schema(schema)
            .alias(COUNT)
            .build()?;
        self.plan(vec![aggregate])
    }

    /// Aggregates of the host's own. Their columns must be there and of types that fit.
    pub fn aggregates(self, wanted: &[AggregateSpec]) -> Result<Grouped> {
        let schema = self.input.schema();
        let built = wanted.iter().map(|one| {
            let (function, argument) = own(one, &schema)?;
            AggregateExprBuilder::new(function, vec![argument])
                .schema(Arc::clone(&schema))
                .alias(&one.name)
                .build()
        });
        let built = built.collect::<Result<Vec<_>>>()?;
        self.plan(built)
    }

    /// The aggregator of a plugin.
    pub fn aggregator(self, call: &Call) -> Result<Grouped> {
        let schema = self.input.schema();
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
        let window = self.kept.is_some_and(|kept| matches!(kept.how, How::Window(_)));
        let window = WINDOW.iter().filter(|_| window).map(|name| (*name).to_owned());
        let key: Vec<String> = self.key.iter().cloned().chain(window).collect();
        let (grouped, state) = self.plan(vec![aggregate])?;
        if lossy {
            return Ok((Arc::new(LeaveOutExec::new(call.clone(), grouped)), state));
        }
        let schema = grouped.schema();
        let mut out = columns(&key, &schema)?;
        let value = col(&result, &schema)?;
        match call.site.ports()[0].fields().as_ref() {
            [only] => out.push((value, only.name().clone())),
            fields => {
                for field in fields {
                    out.push((field_of(&value, field.name(), &schema)?, field.name().clone()));
                }
            }
        }
        Ok((Arc::new(ProjectionExec::try_new(out, grouped)?), state))
    }
}

/// The node that keeps partial states.
fn kept_node(
    op: &NodeId,
    version: u32,
    how: How,
    merged: Arc<dyn ExecutionPlan>,
) -> Result<Grouped> {
    Ok(match how {
        How::Running(complete) => {
            let node = RunningExec::new(op.clone(), (version, complete), merged)?;
            let state = node.state();
            (Arc::new(node), Some(state))
        }
        How::Window(windowing) => {
            let node = WindowExec::new(op.clone(), (version, windowing), merged)?;
            let state = node.state();
            (Arc::new(node), Some(state))
        }
    })
}

/// What is wrong with aggregates of these columns.
pub fn wrong_aggregates(wanted: &[AggregateSpec], input: &SchemaRef) -> Vec<Problem> {
    let wrong = |one: &AggregateSpec| {
        let column = one.column.as_ref()?;
        let Ok(field) = input.field_with_name(column) else {
            return Some(no_column(column, input, &one.span, "aggregates"));
        };
        let number = field.data_type().is_numeric();
        let fits = match one.function {
            AggregateFunction::Count => true,
            AggregateFunction::Sum | AggregateFunction::Avg => number,
            AggregateFunction::Min | AggregateFunction::Max => !field.data_type().is_nested(),
        };
        let is = types::describe(field.data_type());
        let message = format!("column `{column}` is {is}, of which this can't be made");
        let help = "sums and means are of numbers, least and greatest of anything but lists and \
                    structs";
        (!fits).then(|| Problem::new("WEIR-PLAN-021", message).at(one.span.clone(), "").help(help))
    };
    wanted.iter().filter_map(wrong).collect()
}

/// The function of an aggregate and what it is fed with: sums and means are made in the widest
/// type of their kind.
fn own(
    wanted: &AggregateSpec,
    schema: &SchemaRef,
) -> Result<(Arc<AggregateUDF>, Arc<dyn PhysicalExpr>)> {
    let Some(name) = &wanted.column else {
        return Ok((count_udaf(), Arc::new(Literal::new(ScalarValue::Int64(Some(1))))));
    };
    let column = col(name, schema)?;
    let is = column.data_type(schema)?;
    let (function, wide) = match wanted.function {
        AggregateFunction::Count => (count_udaf(), None),
        AggregateFunction::Min => (min_udaf(), None),
        AggregateFunction::Max => (max_udaf(), None),
        AggregateFunction::Sum if is.is_integer() => (sum_udaf(), Some(DataType::Int64)),
        AggregateFunction::Sum if is.is_floating() => (sum_udaf(), Some(DataType::Float64)),
        AggregateFunction::Sum => (sum_udaf(), None),
        AggregateFunction::Avg if is.is_decimal() => (avg_udaf(), None),
        AggregateFunction::Avg => (avg_udaf(), Some(DataType::Float64)),
    };
    let argument = match wide.filter(|wide| *wide != is) {
        Some(wide) => cast(column, schema, wide)?,
        None => column,
    };
    Ok((function, argument))
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
