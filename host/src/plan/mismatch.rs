//! What does not fit together in a job, in words.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;

use super::sql::{self, Table};
use crate::job::{CallSpec, Input, OpSpec, Problem, SqlSpec};

/// A port that is not there.
pub fn no_port(input: &Input, port: &str, ports: &[(String, SchemaRef)]) -> Problem {
    let names: Vec<&str> = ports.iter().skip(1).map(|(name, _)| name.as_str()).collect();
    let help = match names.as_slice() {
        [] => format!("`{}` has one port only: write `from = \"{}\"`", input.node, input.node),
        names => format!("besides its main port it has: {}", names.join(", ")),
    };
    Problem::new("WEIR-PLAN-013", format!("`{}` has no port `{port}`", input.node))
        .at(input.span.clone(), "")
        .help(help)
}

/// Inputs of a union that are not alike.
pub fn different(op: &OpSpec, inputs: &[Arc<dyn ExecutionPlan>]) -> Option<Problem> {
    let first = inputs.first()?.schema();
    let other = inputs.iter().position(|input| {
        let schema = input.schema();
        let alike = |(a, b): (&Arc<arrow::datatypes::Field>, &Arc<arrow::datatypes::Field>)| {
            a.name() == b.name() && a.data_type() == b.data_type()
        };
        schema.fields().len() != first.fields().len()
            || !schema.fields().iter().zip(first.fields()).all(alike)
    })?;
    let (one, two) = (&op.from[0], &op.from[other]);
    Some(
        Problem::new("WEIR-PLAN-014", "the inputs of a union have different columns")
            .at(one.span.clone(), format!("{}: {}", one.node, sql::columns_text(&first)))
            .at(
                two.span.clone(),
                format!("{}: {}", two.node, sql::columns_text(&inputs[other].schema())),
            )
            .help("bring them to the same names, types and order with an `sql` op"),
    )
}

/// A query that can't be planned.
pub fn wrong_sql(spec: &SqlSpec, error: &DataFusionError, tables: &[Table]) -> Problem {
    let known: Vec<String> = tables
        .iter()
        .map(|table| format!("{}({})", table.node, sql::columns_text(&table.schema)))
        .collect();
    let text = error.strip_backtrace();
    let text = text.trim_start_matches("Error during planning: ").to_owned();
    Problem::new("WEIR-PLAN-015", format!("the query can't be planned: {text}"))
        .at(spec.span.clone(), "")
        .help(format!("tables: {}", known.join("; ")))
}

/// An aggregator that has nothing to add up.
pub fn reads_nothing(spec: &CallSpec, function: &str) -> Problem {
    Problem::new("WEIR-PLAN-010", format!("`{function}` reads no column"))
        .at(spec.call_span.clone(), "")
        .help("an aggregator needs one; `native = \"count\"` counts rows")
}

/// A plan that can't be built for no reason that a job could have.
pub fn internal(error: &DataFusionError) -> Problem {
    Problem::new("WEIR-PLAN-099", format!("the plan can't be built: {}", error.strip_backtrace()))
        .help("this is a fault of Weir: please report it with the job")
}
