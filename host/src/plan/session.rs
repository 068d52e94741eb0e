//! DataFusion's settings: what keeps a batch repeatable is set here and nowhere else.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use crate::operator::Lanes;

/// How a plan is built.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Lanes.
    pub parallelism: usize,
}

/// What the batches of a job share: threads, memory, disk.
#[derive(Debug)]
pub struct Resources {
    lanes: Arc<Lanes>,
    runtime: Arc<RuntimeEnv>,
    _background: tokio::runtime::Runtime,
}

/// Consumers that an out-of-memory message names.
const NAMED_CONSUMERS: usize = 5;

impl Resources {
    /// Makes them: a memory budget in bytes, and the folder that may be spilled to.
    pub fn new(memory: u64, spill: PathBuf) -> std::io::Result<Self> {
        let background = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("background")
            .build()?;
        let handle = background.handle().clone();
        let memory = usize::try_from(memory).unwrap_or(usize::MAX);
        let named = NAMED_CONSUMERS.try_into().map_err(std::io::Error::other)?;
        let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory), named);
        let disk =
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![spill]));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(std::io::Error::other)?;
        Ok(Self { lanes: Lanes::new(handle), runtime, _background: background })
    }

    /// The threads.
    pub fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// Memory and disk.
    pub fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }
}

/// The configuration of every plan.
pub fn config(settings: &Settings) -> Result<SessionConfig> {
    let mut config = SessionConfig::new()
        .with_target_partitions(settings.parallelism)
        .with_batch_size(crate::plugin::columns::CHUNK_ROWS_MAX)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(true)
        .with_round_robin_repartition(false)
        .with_repartition_file_scans(false);
    let options = config.options_mut();
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.repartition_sorts = false;
    options.optimizer.prefer_existing_sort = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.time_zone = Some(crate::types::UTC.into());
    options.execution.collect_statistics = false;
    Ok(config)
}
