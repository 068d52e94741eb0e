//! Settings of the entries of a job: sources, ops, functions and sinks.

use std::time::Duration;

use super::calls::{CALL, CALL_OF_OP, COLUMNS};
use super::windows::{EVENT_TIME_OF, TIMED, WINDOW};
use super::{Place, Preset, Setting, Shape, Texts};

/// Bytes of a mebibyte.
pub const MIB: u64 = 1 << 20;
/// Bytes of a gibibyte.
pub const GIB: u64 = 1 << 30;
/// The longest time that can be asked for.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// The most rows a second that can be asked for.
const RATE_MAX: i64 = 10_000_000;

/// Receivers of one source: each is a thread.
pub const ADDRESSES_MAX: usize = 64;

/// Text with something in it.
pub const FILLED: Shape = Shape::Like("\\S");
const ID: Shape = Shape::Name("^[A-Za-z][A-Za-z0-9_-]{0,63}$");
/// The id of an entry, or a port of it.
pub const REFERENCE: &str = "^[^.]+(\\.[^.]+)?$";
const REFERENCES: Texts = Texts { like: Some(REFERENCE), vars: false, ..Texts::ANY };
/// Rows as tables.
pub const ROWS: Shape = Shape::List(&Shape::Free);

const BY_ID: &[Setting] = &[Setting::new(
    "id",
    ID,
    "The name of the entry: of its table in SQL, its metrics and its dead letters.",
)
.needed()];

const fn typed(words: &'static [&'static str], says: &'static str) -> Setting {
    Setting::new("type", Shape::Words(words), says).needed()
}

const fn format(words: &'static [&'static str], preset: &'static str) -> Setting {
    Setting::new("format", Shape::Words(words), "What the bytes are.").preset(Preset::Text(preset))
}

const fn one_format(words: &'static [&'static str]) -> Setting {
    Setting::new("format", Shape::Words(words), "What the bytes are.").needed()
}

const fn on_error(words: &'static [&'static str]) -> Setting {
    let says = "What is done with a row that can't be taken: the job stops, the row is left out, \
                or it is put aside with the reason.";
    Setting::new("on_error", Shape::Words(words), says).preset(Preset::Text("fail"))
}

const ON_ERROR: &[Setting] = &[on_error(&["fail", "skip", "dead-letter"])];
const ON_ERROR_IN_SQL: &[Setting] = &[on_error(&["fail", "skip"])];

const SCHEMA: Setting = Setting::new(
    "schema",
    Shape::Named(
        ".",
        &Shape::Like(
            "^\\s*(bool|int32|int64|float64|string|binary|date|timestamp|decimal\\s*\\(.*\\)|\
             list\\s*<.*>|struct\\s*\\{.*\\})\\s*[!?]?\\s*$",
        ),
    ),
    "Names and types of the columns; a column may be null unless its type ends in `!`.",
);

const MAX_RATE: Setting = Setting::new(
    "max_rate",
    Shape::Number(1, i64::MAX),
    "At most so many rows a second are taken. Default: no limit.",
);

const OF_FILES: &[Setting] = &[
    typed(&["file"], "Files of a folder or a glob."),
    SCHEMA,
    Setting::new("path", FILLED, "A folder or a glob; relative paths start at the job's folder.")
        .needed(),
    Setting::new(
        "files_per_batch",
        Shape::Number(1, i64::MAX),
        "At most so many files a batch. Default: no limit.",
    ),
    Setting::new(
        "max_unpacked",
        Shape::Size(MIB, 1 << 60),
        "How much a compressed file may unpack to.",
    )
    .preset(Preset::Size(16 * GIB)),
    Setting::new(
        "on_data_loss",
        Shape::Words(&["fail", "go-on"]),
        "What is done about files of an unfinished batch that are gone at the next start: the job \
         is not started, or goes on without them and says so.",
    )
    .preset(Preset::Text("fail")),
];

const OF_CSV: &[Setting] = &[
    one_format(&["csv"]),
    Setting::new("header", Shape::Flag, "Whether the first record has the names of the columns.")
        .preset(Preset::Flag(true)),
    Setting::new("delimiter", Shape::Like("^[^\"\\r\\n]$"), "The ASCII character between values.")
        .preset(Preset::Text(",")),
];

const OF_SOCKETS: &[Setting] = &[
    typed(&["socket"], "Lines that come over TCP."),
    Setting::new(
        "address",
        Shape::Texts(Texts {
            like: Some("^([A-Za-z0-9._-]|[^\\x00-\\x7f])+:[0-9]+$|^\\[[0-9A-Fa-f:.]+\\]:[0-9]+$"),
            least: 1,
            most: ADDRESSES_MAX,
            ..Texts::ANY
        }),
        "`host:port`, or a list of them: a receiver for each.",
    )
    .needed(),
    Setting::new(
        "block_interval",
        Shape::Time(Duration::from_millis(10), HOUR),
        "A block of lines ends after it.",
    )
    .preset(Preset::Time(Duration::from_millis(200))),
    Setting::new("buffer", Shape::Size(MIB, 64 * GIB), "What is held until batches are visible.")
        .preset(Preset::Size(64 * MIB)),
    Setting::new(
        "wal",
        Shape::Flag,
        "Whether lines are written to the log of the checkpoint before a batch sees them, so that \
         none is lost then.",
    )
    .preset(Preset::Flag(true)),
    Setting::new(
        "idle_timeout",
        Shape::Time(Duration::from_millis(100), DAY),
        "A connection on which nothing came for so long is made anew. Default: never.",
    ),
    MAX_RATE,
];

const SCHEMA_NEEDED: Setting = SCHEMA.needed();

/// `[[source]]`.
pub static SOURCE: [Place; 6] = [
    Place::new(
        "files of lines, JSON or Parquet",
        &[BY_ID, OF_FILES, &[format(&["text", "json", "parquet"], "text")], ON_ERROR, TIMED],
    ),
    Place::new("files of csv", &[BY_ID, OF_FILES, OF_CSV, ON_ERROR, TIMED]),
    Place::new(
        "rows written in the job",
        &[
            BY_ID,
            &[
                typed(&["rows"], "Rows written in the job."),
                SCHEMA,
                Setting::new("rows", ROWS, "The rows of one batch."),
                Setting::new("batches", Shape::List(&ROWS), "A list of rows for each batch."),
            ],
            ON_ERROR,
            TIMED,
        ],
    )
    .either(&["rows", "batches"]),
    Place::new(
        "lines over TCP",
        &[BY_ID, OF_SOCKETS, &[SCHEMA, format(&["text"], "text")], ON_ERROR, TIMED],
    ),
    Place::new(
        "JSON over TCP",
        &[BY_ID, OF_SOCKETS, &[SCHEMA_NEEDED, one_format(&["json"])], ON_ERROR, TIMED],
    ),
    Place::new(
        "numbers and times, so many a second",
        &[
            BY_ID,
            &[
                typed(&["rate"], "Numbers and times, so many a second."),
                Setting::new("rows_per_second", Shape::Number(1, RATE_MAX), "Rows a second.")
                    .preset(Preset::Number(1_000)),
                Setting::new("count", Shape::Number(1, i64::MAX), "Rows in all. Default: no end."),
                MAX_RATE,
            ],
            ON_ERROR,
            TIMED,
        ],
    ),
];

const FROM: Setting = Setting::new(
    "from",
    Shape::Texts(REFERENCES),
    "Ids of sources and ops above, or `id.port` for rows of another port.",
);

const OF_OPS: &[Setting] = &[
    Setting::new("across", Shape::Words(&["batch"]), "How long an aggregate lives: for a batch.")
        .preset(Preset::Text("batch")),
    EVENT_TIME_OF,
];

const OF_AGGREGATES: &[Setting] = &[
    Setting::new(
        "across",
        Shape::Words(&["batch", "run"]),
        "How long an aggregate lives: for a batch, or on over all batches.",
    )
    .preset(Preset::Text("batch")),
    Setting::new(
        "window",
        Shape::Table(&WINDOW),
        "The rows that an aggregate is made of. Default: those of a batch.",
    ),
    EVENT_TIME_OF,
];

const FROM_ABOVE: &[Setting] = &[FROM.preset(Preset::Said("the entry above"))];

const fn native(words: &'static [&'static str], says: &'static str) -> Setting {
    Setting::new("native", Shape::Words(words), says).needed()
}

const KEY: Setting =
    Setting::new("key", COLUMNS, "Columns to group by. Default: all rows are one group.");

/// `[[op]]`.
pub static OP: [Place; 6] = [
    Place::new(
        "a function of a plugin",
        &[BY_ID, FROM_ABOVE, CALL, CALL_OF_OP, ON_ERROR, OF_AGGREGATES],
    ),
    Place::new(
        "a query",
        &[
            BY_ID,
            &[
                FROM,
                Setting::new(
                    "sql",
                    FILLED,
                    "A query over the rows of one batch; ids are its tables.",
                )
                .needed(),
            ],
            OF_OPS,
        ],
    ),
    Place::new(
        "counts rows",
        &[
            BY_ID,
            FROM_ABOVE,
            &[native(&["count"], "Counts rows by `key`, as `count: int64`."), KEY],
            OF_AGGREGATES,
        ],
    ),
    Place::new(
        "aggregates rows",
        &[
            BY_ID,
            FROM_ABOVE,
            &[
                native(&["aggregate"], "Aggregates rows by `key`."),
                KEY,
                Setting::new(
                    "aggregates",
                    Shape::Named(".", &FILLED),
                    "Columns that come out, each as `count(*)`, `count(c)`, `sum(c)`, `min(c)`, \
                     `max(c)` or `avg(c)`.",
                )
                .needed(),
            ],
            OF_AGGREGATES,
        ],
    ),
    Place::new(
        "unites inputs",
        &[
            BY_ID,
            FROM_ABOVE,
            &[native(&["union"], "The rows of several inputs of the same columns.")],
            OF_OPS,
        ],
    ),
    Place::new(
        "brings rows of one key together",
        &[
            BY_ID,
            FROM_ABOVE,
            &[
                native(&["repartition"], "Rows of one key go to one lane, in source order."),
                Setting::new(
                    "key",
                    Shape::Texts(Texts { like: Some("."), least: 1, unique: true, ..Texts::ANY }),
                    "Columns that rows are brought together by.",
                )
                .needed(),
            ],
            OF_OPS,
        ],
    ),
];

/// `[[function]]`.
pub static FUNCTION: [Place; 1] =
    [Place::new("a function that SQL may call", &[BY_ID, CALL, ON_ERROR_IN_SQL])];

const OF_SINKS: &[Setting] = &[
    Setting::new(
        "from",
        Shape::Texts(Texts { least: 1, most: 1, ..REFERENCES }),
        "The id of a source or an op, or `id.port`.",
    )
    .preset(Preset::Said("the entry above")),
    Setting::new(
        "mode",
        Shape::Words(&["append", "update", "complete"]),
        "Which rows of a result are written: those that don't change any more, those that a batch \
         changed, or all.",
    )
    .preset(Preset::Said("what the op gives")),
];

/// `[[sink]]`.
pub static SINK: [Place; 3] = [
    Place::new(
        "shows rows",
        &[
            BY_ID,
            OF_SINKS,
            &[
                typed(&["console"], "A banner and the first rows of each batch."),
                Setting::new(
                    "rows",
                    Shape::Number(0, 1_000_000),
                    "How many rows of a batch are shown.",
                )
                .preset(Preset::Number(10)),
            ],
        ],
    ),
    Place::new(
        "a folder for each batch",
        &[
            BY_ID,
            OF_SINKS,
            &[
                typed(&["file"], "A folder for each batch, visible whole or not at all."),
                Setting::new(
                    "path",
                    FILLED,
                    "The folder; relative paths start at the job's folder.",
                )
                .needed(),
                format(&["text", "json", "csv", "parquet"], "json"),
            ],
        ],
    ),
    Place::new(
        "a table of a database",
        &[
            BY_ID,
            OF_SINKS,
            &[
                typed(&["sqlite"], "A table of a SQLite database; each batch is one transaction."),
                Setting::new(
                    "path",
                    FILLED,
                    "The file of the database; relative paths start at the job's folder.",
                )
                .needed(),
                Setting::new("table", FILLED, "The table. It is made if it is missing.").needed(),
                Setting::new(
                    "upsert",
                    Shape::Texts(Texts { like: Some("."), least: 1, unique: true, ..Texts::ANY }),
                    "Columns by which a row takes the place of an older one. Default: rows are \
                     added.",
                ),
            ],
        ],
    ),
];
