//! Plans of every shape: sent as bytes and read back, and bound again and again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use weir_host::clock::Micros;
use weir_host::id::{BatchId, JobName, NodeId};
use weir_host::job::{Job, Outside};
use weir_host::plan::{
    self, Aside, BatchNow, BatchStates, Bindings, Codec, Deliver, Interrupt, JobPlan, Loaded,
    ReceiverError, Resources, RowsOut, Settings, Times,
};
use weir_host::plugin::{Compiler, Wall};
use weir_host::source::{self, Source, SourceRange};
use weir_host::state::{KEY_GROUPS, MemoryStore, StateStore};

#[path = "plan/keyed.rs"]
mod keyed;

const SOURCE: &str = r#"
version = 1
name = "shapes"
[[source]]
id = "sales"
type = "rows"
schema = { k = "string!", n = "int64!" }
rows = [
  { k = "a", n = 5 }, { k = "b", n = 1 }, { k = "a", n = 2 }, { k = "c", n = 9 },
  { k = "b", n = 7 }, { k = "a", n = 4 }, { k = "d", n = 3 }, { k = "c", n = 8 },
]
[[function]]
id = "shout"
wasm = "plugins/text"
call = "clean"
[[function]]
id = "lowest"
wasm = "tests/plugins/kinds"
call = "smallest"
"#;

/// Ops by what they are for.
const SHAPES: [(&str, &str); 12] = [
    ("aggregate", "wasm = \"plugins/text\"\ncall = \"sum\"\nkey = [\"k\"]"),
    ("several columns", "wasm = \"tests/plugins/kinds\"\ncall = \"summarise\"\nkey = [\"k\"]"),
    ("flat map", "wasm = \"tests/plugins/kinds\"\ncall = \"parity\"\nkeep = [\"k\"]"),
    ("transform", "wasm = \"tests/plugins/kinds\"\ncall = \"descending\""),
    ("filter", "wasm = \"tests/plugins/kinds\"\ncall = \"above\"\nconfig = { least = 2 }"),
    (
        "update",
        "wasm = \"tests/plugins/keyed\"\ncall = \"track\"\nkey = [\"k\"]\n\
         columns = { user = \"k\" }\nvisit = \"all\"\ntimeout = \"30m\"\nttl = \"24h\"",
    ),
    ("exchange", "native = \"repartition\"\nkey = [\"k\"]"),
    (
        "running, all of it",
        "native = \"count\"\nkey = [\"k\"]\nacross = \"run\"\n[[sink]]\nid = \"all\"\n\
         type = \"console\"\nmode = \"complete\"",
    ),
    (
        "windows",
        "native = \"aggregate\"\nkey = [\"k\"]\naggregates = { n = \"sum(n)\" }\n\
         window = { size = \"30s\", slide = \"10s\", time = \"batch\" }\n[[sink]]\n\
         id = \"changed\"\ntype = \"console\"\nmode = \"update\"",
    ),
    (
        "join and functions",
        "sql = \"SELECT shout(a.k) AS k, lowest(b.n) AS n FROM sales a JOIN sales b ON a.k = b.k \
         GROUP BY shout(a.k)\"",
    ),
    (
        "time of the batch",
        "sql = \"SELECT k, n, now() AS at, today() AS day FROM sales \
         WHERE current_timestamp >= TIMESTAMP '1970-01-01'\"",
    ),
    (
        "sort and limit",
        "sql = \"SELECT k, sum(n) AS n FROM sales GROUP BY k ORDER BY n DESC LIMIT 3\"",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

struct Opened {
    job: Job,
    loaded: Loaded,
    source: Arc<dyn Source>,
    _wall: Wall,
}

fn open(op: &str) -> Opened {
    let sink = "[[sink]]\nid = \"out\"\ntype = \"console\"\n";
    let text = format!("{SOURCE}\n[[op]]\nid = \"it\"\n{op}\n{sink}");
    let (job, _) = Job::parse(text.as_bytes(), "job.toml", root(), &Outside::NOTHING).unwrap();
    let wall = Wall::new(Compiler::Here).unwrap();
    let loaded = Loaded::load(&job, &wall, None, &|_| {}).unwrap();
    let source = Arc::from(source::open(&job.sources[0], &job.folder).unwrap());
    Opened { job, loaded, source, _wall: wall }
}

impl Opened {
    fn plan(&self) -> JobPlan {
        let schema = self.source.schema().unwrap().unwrap();
        let schemas = HashMap::from([(NodeId::new("sales"), schema)]);
        plan::build(&self.job, &self.loaded, &schemas, &Settings { parallelism: 3 }).unwrap()
    }

    /// The rows of a batch, partition after partition.
    fn rows(&self, plan: &JobPlan, batch: u64, resources: &Resources) -> String {
        let mut bindings = Bindings::default();
        let range = SourceRange::Rows { list: 0 };
        bindings.bind(NodeId::new("sales"), Arc::clone(&self.source), range);
        let now = BatchNow {
            job: JobName::new("shapes"),
            batch: BatchId(batch),
            time: Micros(0),
            interrupt: Interrupt::default(),
            log: Arc::new(|_| {}),
            aside: Aside::nowhere(),
        };
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new(KEY_GROUPS, 1));
        for state in &plan.states {
            store.open(&state.op, &state.schema).unwrap();
        }
        let states = Arc::new(BatchStates::new(store, BatchId(1), Micros(0), Times::default()));
        let bound = plan.bind(bindings, now, states, resources).unwrap();
        let collected = Arc::new(Collected::default());
        let deliver: Arc<dyn Deliver> = collected.clone();
        plan.run(&bound, &deliver, resources).unwrap();
        let mut parts = std::mem::take(&mut *collected.0.lock().unwrap());
        parts.sort_by_key(|(partition, _)| *partition);
        let rows: Vec<RecordBatch> = parts.into_iter().map(|(_, rows)| rows).collect();
        pretty_format_batches(&rows).unwrap().to_string()
    }
}

#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<(usize, RecordBatch)>>>);

struct Part(usize, Collected);

impl Deliver for Collected {
    fn open(&self, _: usize, partition: usize) -> Result<Box<dyn RowsOut>, ReceiverError> {
        Ok(Box::new(Part(partition, self.clone())))
    }
}

impl RowsOut for Part {
    fn take(&mut self, rows: &RecordBatch) -> Result<(), ReceiverError> {
        self.1.0.lock().unwrap().push((self.0, rows.clone()));
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), ReceiverError> {
        Ok(())
    }
}

#[test]
fn every_node_comes_back_from_its_bytes() {
    for (name, op) in SHAPES {
        let opened = open(op);
        let plan = opened.plan();
        let codec = Codec::new(Arc::clone(&plan.sites));
        let config = SessionConfig::new().with_extension(Arc::clone(&plan.sites));
        let context = SessionContext::new_with_config(config).task_ctx();
        let sent = Arc::clone(&plan.sinks[0].plan);
        let bytes = physical_plan_to_bytes_with_extension_codec(Arc::clone(&sent), &codec).unwrap();
        let read = physical_plan_from_bytes_with_extension_codec(&bytes, &context, &codec).unwrap();
        let shown = |plan| displayable(plan).indent(true).to_string();
        assert_eq!(shown(read.as_ref()), shown(sent.as_ref()), "{name}");
        assert_eq!(read.schema(), sent.schema(), "{name}");
    }
}

#[test]
fn a_hundred_bound_batches_equal_a_hundred_fresh_ones() {
    let spill = tempfile::tempdir().unwrap();
    let resources = Resources::new(64 << 20, spill.path().to_owned()).unwrap();
    for (name, op) in SHAPES {
        let opened = open(op);
        let bound = opened.plan();
        let first = opened.rows(&bound, 1, &resources);
        assert!(first.lines().count() > 4, "{name}:\n{first}");
        for batch in 2..=100 {
            let fresh = opened.plan();
            let expected = opened.rows(&fresh, batch, &resources);
            assert_eq!(opened.rows(&bound, batch, &resources), expected, "{name}, batch {batch}");
            assert_eq!(expected, first, "{name}, batch {batch}");
        }
    }
}
