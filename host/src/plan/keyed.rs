//! Calls by key: what `key` may name, and the op of an updater with the states that it keeps.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::Result as PlanResult;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;

use super::call::no_column;
use crate::id::NodeId;
use crate::job::{CallSpec, KeepingSpec, NativeSpec, OpBody, OpSpec, Problem, Span};
use crate::operator::key_group::can_be_key;
use crate::operator::{
    Call, ChannelId, ExchangeExec, Keeping, OpState, Routing, UpdateExec, state_schema,
};
use crate::plugin::Kind;
use crate::row_error::OnError;
use crate::types;

/// Problems of a list of key columns.
pub fn wrong_key_columns(key: &[String], span: &Span, input: &SchemaRef) -> Vec<Problem> {
    key.iter()
        .filter_map(|name| match input.field_with_name(name) {
            Err(_) => Some(no_column(name, input, span, "key")),
            Ok(field) if !can_be_key(field.data_type()) => {
                let is = types::describe(field.data_type());
                Some(
                    Problem::new(
                        "WEIR-PLAN-005",
                        format!("column `{name}` is {is} and can't be a key"),
                    )
                    .at(span.clone(), "")
                    .help("keys are bool, numbers, string, binary, date, timestamp or decimal"),
                )
            }
            Ok(_) => None,
        })
        .collect()
}

/// The problem of `across = "run"` on an aggregate, if there is one.
pub fn wrong_across(op: &OpSpec, call: Option<(&CallSpec, Kind)>) -> Option<Problem> {
    let window = op.window.as_ref().map(|window| window.span.clone());
    let windows = window.is_some();
    let span = op.across.clone().or(window)?;
    let problem = |message: &str| Problem::new("WEIR-PLAN-020", message).at(span, "");
    if let Some((_, kind)) = call.filter(|(_, kind)| *kind != Kind::Aggregator) {
        return Some(problem(&format!("{} does not live on over batches", kind.one())).help(
            "`window` and `across = \"run\"` are for aggregators; an updater keeps states \
                 anyway",
        ));
    }
    let keyless = match (&op.body, call) {
        (_, Some((call, _))) => call.key.is_empty(),
        (OpBody::Native(NativeSpec::Count { key, .. }), _)
        | (OpBody::Native(NativeSpec::Aggregate { key, .. }), _) => key.is_empty(),
        _ => false,
    };
    if keyless && !windows {
        return Some(problem("an aggregate over batches needs a `key`").help(
            "what it knows is kept by key: name columns; a column that is the same in every row \
             makes one group of all",
        ));
    }
    if call.is_some_and(|(call, _)| call.on_error != OnError::Fail) {
        return Some(problem("an aggregate over batches can't leave rows out").help(
            "a group that lost a row would be wrong for ever: remove `on_error`, or put rows \
             aside in an op before",
        ));
    }
    None
}

/// Problems of `key` and of what else says how keys are treated.
pub fn wrong_key(spec: &CallSpec, kind: Kind, input: &SchemaRef) -> Vec<Problem> {
    let mut problems = match kind {
        Kind::Updater if spec.key.is_empty() => vec![
            Problem::new("WEIR-PLAN-018", "an updater needs a `key`")
                .at(spec.key_span.clone(), "")
                .help("it keeps a state for each key: name columns, such as `key = [\"user\"]`"),
        ],
        Kind::Aggregator | Kind::Updater => wrong_key_columns(&spec.key, &spec.key_span, input),
        _ if spec.key.is_empty() => Vec::new(),
        _ => vec![
            Problem::new("WEIR-PLAN-004", format!("{} has no `key`", kind.one()))
                .at(spec.key_span.clone(), "")
                .help(
                    "only aggregators and updaters work by key: remove `key`, or call one of those",
                ),
        ],
    };
    if kind != Kind::Updater {
        problems.extend(without_states(&spec.keeping, kind));
    }
    problems
}

/// Settings of states on a function that has none.
fn without_states(keeping: &KeepingSpec, kind: Kind) -> Vec<Problem> {
    let spans = [
        ("visit", keeping.visit.as_ref().map(|(_, span)| span)),
        ("timeout", keeping.timeout.as_ref().map(|(_, span)| span)),
        ("ttl", keeping.ttl.as_ref().map(|(_, span)| span)),
        ("initial", keeping.initial.as_ref().map(|files| &files.path_span)),
    ];
    let problem = |(name, span): (&str, Option<&Span>)| {
        let message = format!("{} has no `{name}`", kind.one());
        let help = match (name, kind) {
            ("initial", Kind::Aggregator) => {
                "what an aggregate keeps over batches is its own unfinished result, which no file \
                 can give: use an updater"
                    .to_owned()
            }
            _ => format!("only updaters keep states over batches: remove `{name}`"),
        };
        Some(Problem::new("WEIR-PLAN-004", message).at(span?.clone(), "").help(help))
    };
    spans.into_iter().filter_map(problem).collect()
}

/// The key columns as the function is to know them: under the names that `columns` gives them.
pub fn key_of(spec: &CallSpec, kind: Kind, (input, known): (&SchemaRef, &SchemaRef)) -> SchemaRef {
    let places = spec.key.iter().filter_map(|name| input.index_of(name).ok());
    let fields = places.map(|place| Arc::clone(&known.fields()[place]));
    let fields: Vec<Arc<Field>> = match kind {
        Kind::Updater => fields.collect(),
        _ => Vec::new(),
    };
    Arc::new(Schema::new(fields))
}

fn micros(time: Option<&(Duration, Span)>) -> Option<i64> {
    time.map(|(time, _)| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// The plan of an updater, and the state that it keeps.
pub fn update(
    (op, spec): (&OpSpec, &CallSpec),
    call: Call,
    input: Arc<dyn ExecutionPlan>,
    (id, partitions): (ChannelId, usize),
) -> PlanResult<Result<(UpdateExec, OpState), Problem>> {
    let schema = input.schema();
    let places: Vec<usize> =
        spec.key.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?;
    let keeping = Keeping {
        all: spec.keeping.visit.as_ref().is_some_and(|(all, _)| *all),
        timeout: micros(spec.keeping.timeout.as_ref()),
        ttl: micros(spec.keeping.ttl.as_ref()),
    };
    let fields = places.iter().map(|place| Arc::clone(&schema.fields()[*place])).collect();
    let state = match state_schema(&call, fields) {
        Ok(schema) => OpState { op: NodeId::new(op.id.as_str()), schema, keeping },
        Err(error) => {
            let message = format!("states can't be kept by this key: {error}");
            let (problem, help) = (Problem::new("WEIR-PLAN-019", message), error.help());
            return Ok(Err(problem.at(spec.key_span.clone(), "").help(help)));
        }
    };
    let key = places.iter().map(|place| {
        Arc::new(Column::new(schema.field(*place).name(), *place)) as Arc<dyn PhysicalExpr>
    });
    let routing = Routing::ByKey { key: key.collect(), partitions };
    let exchanged = Arc::new(ExchangeExec::new(id, routing, input));
    let plan = UpdateExec::new(call, 0, (places, keeping), exchanged)?;
    Ok(Ok((plan, state)))
}
