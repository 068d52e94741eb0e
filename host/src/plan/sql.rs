//! SQL over the rows of one batch: planned by DataFusion, then every shuffle made ordered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, ScalarUDF, TableType};
use datafusion::physical_expr::expressions::{cast, col};
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::assemble::TapExec;
use super::origin;
use crate::id::NodeId;
use crate::operator::{BatchTime, ChannelId, ExchangeExec, Routing, WasmAggregate, WasmScalar};
use crate::plugin::{CallSite, Kind};
use crate::types;

/// An entry that SQL can read: its id, its main port's columns, and its partitions.
#[derive(Clone, Debug)]
pub struct Table {
    /// The id: the table's name.
    pub node: NodeId,
    /// The columns.
    pub schema: SchemaRef,
    /// How its rows lie on lanes.
    pub partitioning: Partitioning,
}

/// What a query was planned to.
pub struct Planned {
    /// The plan; its leaves are taps.
    pub plan: Arc<dyn ExecutionPlan>,
    /// The tables it reads, in the order of first use.
    pub reads: Vec<NodeId>,
}

/// Plans queries; numbers of channels are taken from `ids`.
pub struct Planner<'a> {
    /// DataFusion's settings.
    pub config: &'a SessionConfig,
    /// The functions of `[[function]]`.
    pub functions: &'a [Arc<CallSite>],
    /// What `now()` tells.
    pub time: &'a BatchTime,
    /// Lanes.
    pub partitions: usize,
}

/// Operators of one query.
const OPERATORS_MAX: usize = 500;

/// Functions whose result depends on when or how often they are called.
const UNREPEATABLE: [&str; 3] = ["random", "uuid", "version"];

impl Planner<'_> {
    /// Plans a query over tables.
    pub fn plan(
        &self,
        sql: &str,
        tables: &[Table],
        ids: &mut impl FnMut() -> ChannelId,
    ) -> Result<Planned> {
        let context = self.context();
        let reads: Arc<Mutex<Vec<NodeId>>> = Arc::default();
        for table in tables {
            let provider = Provider { table: table.clone(), reads: Arc::clone(&reads) };
            context.register_table(
                datafusion::common::TableReference::bare(table.node.as_str()),
                Arc::new(provider),
            )?;
        }
        refuse_long(sql)?;
        let state = context.state();
        let logical = futures::executor::block_on(state.create_logical_plan(sql))?;
        let queries = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        queries.verify_plan(&logical)?;
        refuse_unrepeatable(&logical)?;
        let physical = futures::executor::block_on(state.create_physical_plan(&logical))?;
        let ordered = ordered(physical, ids)?;
        let plan = standard(ordered)?;
        let reads = reads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Planned { plan, reads })
    }

    fn context(&self) -> SessionContext {
        let state = SessionStateBuilder::new()
            .with_config(self.config.clone().with_target_partitions(self.partitions))
            .with_default_features()
            .build();
        let context = SessionContext::new_with_state(state);
        self.time.functions().into_iter().for_each(|function| context.register_udf(function));
        for site in self.functions {
            match site.function().kind {
                Kind::Aggregator => context
                    .register_udaf(AggregateUDF::from(WasmAggregate::new(Arc::clone(site), false))),
                _ => context.register_udf(ScalarUDF::from(WasmScalar::new(Arc::clone(site)))),
            }
        }
        context
    }
}

/// Each operator is a level of the tree that a query becomes, and the planner climbs it on its
/// stack: one that is too high would end the process.
fn refuse_long(sql: &str) -> Result<()> {
    let levels = |token: &Token| match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::JOIN
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::SELECT
        ),
        Token::Whitespace(_) | Token::Comma | Token::Period | Token::Number(..) => false,
        Token::SingleQuotedString(_) | Token::LParen | Token::RParen | Token::EOF => false,
        _ => true,
    };
    // What can't be parted into tokens is refused by the planner, with the place.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return Ok(()) };
    match tokens.iter().filter(|token| levels(token)).count() {
        0..=OPERATORS_MAX => Ok(()),
        count => plan_err!(
            "the query has {count} operators, and {OPERATORS_MAX} are allowed; a list of values is \
             written as `IN (…)`, and a long sum or union can be parted over several entries"
        ),
    }
}

/// A batch that runs twice must give the same rows.
fn refuse_unrepeatable(plan: &LogicalPlan) -> Result<()> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr
                    && UNREPEATABLE.contains(&call.func.name())
                {
                    found = Some(call.func.name().to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    match found {
        None => Ok(()),
        Some(name) => plan_err!(
            "`{name}` gives another result each time, and a batch must be able to run twice; take \
             a hash of columns, or draw in a function of a plugin, whose chance follows from job, \
             op, batch and lane"
        ),
    }
}

/// Replaces every node that mixes rows by arrival.
fn ordered(
    plan: Arc<dyn ExecutionPlan>,
    ids: &mut impl FnMut() -> ChannelId,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        if let Some(shuffle) = node.downcast_ref::<RepartitionExec>() {
            let routing = match shuffle.partitioning() {
                Partitioning::Hash(key, partitions) => {
                    Routing::ByKey { key: key.clone(), partitions: *partitions }
                }
                other => return plan_err!("the plan repartitions by {other}"),
            };
            let input = Arc::clone(shuffle.input());
            return Ok(Transformed::yes(Arc::new(ExchangeExec::new(ids(), routing, input)) as _));
        }
        if let Some(merge) = node.downcast_ref::<CoalescePartitionsExec>() {
            let input = Arc::clone(merge.input());
            let gathered: Arc<dyn ExecutionPlan> =
                Arc::new(ExchangeExec::new(ids(), Routing::Gather, input));
            let Some(fetch) = merge.fetch() else { return Ok(Transformed::yes(gathered)) };
            let limit =
                datafusion::physical_plan::limit::GlobalLimitExec::new(gathered, 0, Some(fetch));
            return Ok(Transformed::yes(Arc::new(limit)));
        }
        if let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() {
            let merge =
                SortPreservingMergeExec::new(merge.expr().clone(), Arc::clone(merge.input()))
                    .with_fetch(merge.fetch())
                    .with_round_robin_repartition(false);
            return Ok(Transformed::yes(Arc::new(merge)));
        }
        Ok(Transformed::no(node))
    })
    .data()
}

/// Whether a plan still mixes rows by arrival somewhere.
pub fn unordered(plan: &Arc<dyn ExecutionPlan>) -> Option<String> {
    let mut found = None;
    let visited = plan.apply(|node| {
        if node.is::<RepartitionExec>() || node.is::<CoalescePartitionsExec>() {
            found = Some(node.name().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.err().map(|error: DataFusionError| error.to_string()).or(found)
}

/// Columns of types that have a name, under names that differ.
fn standard(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    let mut names: HashMap<&str, ()> = HashMap::new();
    let mut out: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
    let mut changed = false;
    for (place, field) in schema.fields().iter().enumerate() {
        if names.insert(field.name(), ()).is_some() {
            return plan_err!(
                "two columns are called `{}`; give one of them an alias",
                field.name()
            );
        }
        let column: Arc<dyn PhysicalExpr> =
            Arc::new(datafusion::physical_expr::expressions::Column::new(field.name(), place));
        let target = types::standard(field.data_type());
        let Some(target) = target else {
            return plan_err!(
                "column `{}` is {}, which no function or sink can take; cast it",
                field.name(),
                field.data_type()
            );
        };
        changed |= &target != field.data_type();
        out.push((cast(column, &schema, target)?, field.name().clone()));
    }
    if !changed {
        return Ok(plan);
    }
    Ok(Arc::new(ProjectionExec::try_new(out, plan)?))
}

#[derive(Debug)]
struct Provider {
    table: Table,
    reads: Arc<Mutex<Vec<NodeId>>>,
}

#[async_trait::async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        origin::public(&self.table.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if !reads.contains(&self.table.node) {
            reads.push(self.table.node.clone());
        }
        let schema = &self.table.schema;
        let partitioning =
            Partitioning::UnknownPartitioning(self.table.partitioning.partition_count());
        let tap: Arc<dyn ExecutionPlan> =
            Arc::new(TapExec::new(self.table.node.clone(), 0, schema, partitioning));
        let Some(places) = projection else { return origin::stripped(tap) };
        let out: Result<Vec<_>> = places
            .iter()
            .map(|place| {
                let name = schema.field(*place).name();
                Ok((col(name, schema)?, name.clone()))
            })
            .collect();
        Ok(Arc::new(ProjectionExec::try_new(out?, tap)?))
    }
}

/// Whether SQL has a function of this name already.
pub fn is_known_function(name: &str) -> bool {
    let state = SessionContext::new().state();
    let name = name.to_lowercase();
    state.scalar_functions().contains_key(&name)
        || state.aggregate_functions().contains_key(&name)
        || state.window_functions().contains_key(&name)
}

/// The names of tables that a query reads, as far as it can be parsed.
pub fn tables_of(sql: &str) -> Result<Vec<String>> {
    let context = SessionContext::new();
    let state = context.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect)?;
    let references = state.resolve_table_references(&statement)?;
    Ok(references.iter().map(|reference| reference.table().to_owned()).collect())
}

/// A table's columns, for messages.
pub fn columns_text(schema: &Schema) -> String {
    let shown = |field: &Arc<Field>| format!("{}: {}", field.name(), describe(field.data_type()));
    schema.fields().iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn describe(data_type: &DataType) -> String {
    types::describe(data_type)
}
