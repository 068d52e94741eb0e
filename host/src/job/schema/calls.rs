//! Settings of what calls a function: `limits`, `allow` and the rest.

use std::time::Duration;

use super::{Place, Preset, Setting, Shape, Texts};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn size(
    name: &'static str,
    (least, most): (u64, u64),
    preset: u64,
    says: &'static str,
) -> Setting {
    Setting::new(name, Shape::Size(least, most), says).preset(Preset::Size(preset))
}

const fn time(
    name: &'static str,
    (least, most): (u64, u64),
    preset: u64,
    says: &'static str,
) -> Setting {
    let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
    let setting = Setting::new(name, Shape::Time(least, most), says);
    setting.preset(Preset::Time(Duration::from_millis(preset)))
}

const fn number(
    name: &'static str,
    (least, most): (i64, i64),
    preset: i64,
    says: &'static str,
) -> Setting {
    Setting::new(name, Shape::Number(least, most), says).preset(Preset::Number(preset))
}

/// `limits`.
pub static LIMITS: Place = Place::new(
    "what a function may use",
    &[&[
        size(
            "memory",
            (MIB, 4 * GIB),
            256 * MIB,
            "Linear memory of an instance, all its memories together.",
        ),
        size("result", (64 * KIB, GIB), 64 * MIB, "What one call may give back."),
        size("log_line", (64, MIB), 4 * KIB, "A line in the log; the rest of it is cut."),
        size(
            "log_rate",
            (0, GIB),
            MIB,
            "What it may log in a second; lines beyond are dropped and counted.",
        ),
        size(
            "stderr",
            (0, 16 * MIB),
            64 * KIB,
            "Its standard error that is kept of a call, for the message of a trap.",
        ),
        size("component", (KIB, GIB), 64 * MIB, "The size of its component."),
        size(
            "compile_memory",
            (256 * MIB, 64 * GIB),
            2 * GIB,
            "Memory that compiling its component may take.",
        ),
        time("time", (10, 3_600_000), 10_000, "Real time of one call."),
        time(
            "compile_time",
            (1_000, 3_600_000),
            120_000,
            "Processor time that compiling its component may take.",
        ),
        number(
            "rows",
            (1, 1_000_000),
            64,
            "Rows out for a row in: a flat-mapper's over a chunk, a transformer's over the batch.",
        ),
        number("memories", (1, 100), 4, "Linear memories of an instance."),
        number("tables", (1, 1_000), 8, "Tables of an instance."),
        number("elements", (0, 10_000_000), 100_000, "Elements of all its tables."),
        number("instances", (1, 1_000), 64, "Core modules that are instantiated for it."),
        number(
            "handles",
            (10, 100_000),
            1_000,
            "Resources of the host that it may hold at a time.",
        ),
        number(
            "metrics",
            (0, 10_000),
            256,
            "Names of metrics that it may use; others are not counted.",
        ),
        number("functions", (1, 1_000_000), 100_000, "Functions of its component."),
    ]],
);

const FOLDERS: Shape = Shape::Texts(Texts { like: Some("\\S"), ..Texts::ANY });

/// A name of a variable of the environment.
const VARIABLE: &str = "^[^=]+$";

/// `allow`.
pub static ALLOW: Place = Place::new(
    "what a function may see of the machine",
    &[&[
        Setting::new(
            "env",
            Shape::Any(&[
                Shape::Texts(Texts { like: Some(VARIABLE), ..Texts::ANY }),
                Shape::Named(VARIABLE, &Shape::Text),
            ]),
            "Variables that it sees: names, whose values are those of the host, or a table of \
             names and values.",
        ),
        Setting::new(
            "read",
            FOLDERS,
            "Folders that it may read; relative paths start at the job's.",
        ),
        Setting::new("write", FOLDERS, "Folders that it may read and write."),
    ]],
);

/// Names of columns.
pub const COLUMNS: Shape = Shape::Texts(Texts { like: Some("."), unique: true, ..Texts::ANY });

/// What both an op with `wasm` and a function of SQL have.
pub const CALL: &[Setting] = &[
    Setting::new(
        "wasm",
        Shape::Like("^(?!.*://).*\\S"),
        "The plugin: a .wasm file, or a folder that is built. A relative path starts at the job's \
         folder.",
    )
    .needed(),
    Setting::new(
        "call",
        Shape::Like("\\S"),
        "The function of the plugin; `host inspect` lists them. May be left out if there is one.",
    ),
    Setting::new("config", Shape::Free, "What the function is opened with; it says what it takes."),
    Setting::new("limits", Shape::Table(&LIMITS), "What it may use."),
    Setting::new(
        "allow",
        Shape::Table(&ALLOW),
        "What it may see of the machine. Default: nothing.",
    ),
];

/// What only an op with `wasm` has.
pub const CALL_OF_OP: &[Setting] = &[
    Setting::new(
        "key",
        COLUMNS,
        "Columns that an aggregator groups by, or by which an updater keeps states.",
    ),
    Setting::new("keep", COLUMNS, "Columns that are carried along without crossing."),
    Setting::new(
        "columns",
        Shape::Named(".*", &Shape::Text),
        "Which column of the rows a column of the function is read from, where the names differ.",
    ),
    Setting::new(
        "visit",
        Shape::Words(&["touched", "all"]),
        "Which keys an updater sees in a batch: those with values or a timer that went off, or all \
         that have a state.",
    )
    .preset(Preset::Said("touched")),
    Setting::new(
        "timeout",
        Shape::Any(&TIMEOUTS),
        "An updater is told of a key for which no values came for so long, by the times of the \
         batches. Default: never.",
    ),
    Setting::new(
        "ttl",
        OF_STATES,
        "A state that an updater did not set for so long is dropped. Default: never.",
    ),
    Setting::new(
        "initial",
        Shape::Like("\\.(parquet|(jsonl|ndjson|json|csv)(\\.(gz|zst))?)$"),
        "Files of states that an updater begins with, in its first batch: columns of the key and \
         of the state. A relative path starts at the job's folder.",
    ),
];

/// How long states may live: ten years at most.
const OF_STATES: Shape =
    Shape::Time(Duration::from_millis(1), Duration::from_secs(10 * 365 * 24 * 3600));

static TIMEOUTS: [Shape; 2] = [OF_STATES, Shape::Table(&TIMEOUT)];

/// `timeout` as a table.
pub static TIMEOUT: Place = Place::new(
    "when a key has timed out",
    &[&[Setting::new(
        "processing_time",
        OF_STATES,
        "No values came for so long, by the times of the batches.",
    )
    .needed()]],
);
