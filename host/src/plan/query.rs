//! A query over rows in memory, outside of any batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};

/// The rows that a query gives. Each table is a name and its rows, at least one chunk each, which
/// may be empty.
pub fn query(sql: &str, tables: Vec<(String, Vec<RecordBatch>)>) -> Result<Vec<RecordBatch>> {
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(1))
        .with_default_features()
        .build();
    let context = SessionContext::new_with_state(state);
    for (name, rows) in tables {
        let Some(schema) = rows.first().map(RecordBatch::schema) else { continue };
        context.register_table(name.as_str(), Arc::new(MemTable::try_new(schema, vec![rows])?))?;
    }
    let only_queries =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let frame = context.sql_with_options(sql, only_queries).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let mut rows = frame.collect().await?;
        if rows.is_empty() {
            rows.push(RecordBatch::new_empty(schema));
        }
        Ok(rows)
    })
}
