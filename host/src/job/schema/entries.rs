//! Settings of a job's own tables and of its entries.

use std::time::Duration;

use super::calls::{CALL, CALL_OF_OP, COLUMNS};
use super::{Place, Preset, Setting, Shape, Texts};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// The most rows a second that can be asked for.
const RATE_MAX: i64 = 10_000_000;

/// Receivers of one source: each is a thread.
pub const ADDRESSES_MAX: usize = 64;

const FILLED: Shape = Shape::Like("\\S");
const ID: Shape = Shape::Name("^[A-Za-z][A-Za-z0-9_-]{0,63}$");
const REFERENCE: &str = "^[^.]+(\\.[^.]+)?$";
const REFERENCES: Texts = Texts { like: Some(REFERENCE), vars: false, ..Texts::ANY };
const ROWS: Shape = Shape::List(&Shape::Free);

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

/// `[job]`.
pub static JOB: Place = Place::new(
    "how the job runs",
    &[&[
        Setting::new(
            "batch",
            Shape::Time(Duration::ZERO, DAY),
            "The interval of batches; \"0s\" is as fast as there is input.",
        )
        .preset(Preset::Time(Duration::from_secs(1))),
        Setting::new("parallelism", Shape::Number(1, 256), "Lanes of the plan.")
            .preset(Preset::Said("the cores of the machine")),
        Setting::new(
            "memory",
            Shape::Size(16 * MIB, 1 << 44),
            "What buffers, tables and operators of one batch may hold before they spill.",
        )
        .preset(Preset::Size(GIB)),
        Setting::new(
            "confine",
            Shape::Flag,
            "Whether the process gives up the files and ports that the job does not name.",
        )
        .preset(Preset::Flag(true)),
        Setting::new(
            "grace",
            Shape::Time(Duration::ZERO, DAY),
            "How long a stop may take to finish the batch in flight.",
        )
        .preset(Preset::Time(Duration::from_secs(30))),
    ]],
);

/// `[dead_letters]`.
pub static DEAD_LETTERS: Place = Place::new(
    "where rows go that are put aside",
    &[&[
        Setting::new("path", FILLED, "A folder; each run has one of its own in it.")
            .preset(Preset::Said(".weir/NAME/dead-letters")),
        Setting::new(
            "row",
            Shape::Words(&["show", "hide"]),
            "`hide` keeps rows out of dead letters and of error messages.",
        )
        .preset(Preset::Text("show")),
    ]],
);

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
        "files of lines or JSON",
        &[BY_ID, OF_FILES, &[format(&["text", "json"], "text")], ON_ERROR],
    ),
    Place::new("files of csv", &[BY_ID, OF_FILES, OF_CSV, ON_ERROR]),
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
        ],
    )
    .either(&["rows", "batches"]),
    Place::new(
        "lines over TCP",
        &[BY_ID, OF_SOCKETS, &[SCHEMA, format(&["text"], "text")], ON_ERROR],
    ),
    Place::new(
        "JSON over TCP",
        &[BY_ID, OF_SOCKETS, &[SCHEMA_NEEDED, one_format(&["json"])], ON_ERROR],
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
        ],
    ),
];

const FROM: Setting = Setting::new(
    "from",
    Shape::Texts(REFERENCES),
    "Ids of sources and ops above, or `id.port` for rows of another port.",
);

const OF_OPS: &[Setting] = &[Setting::new(
    "across",
    Shape::Words(&["batch"]),
    "How long an aggregate lives: for a batch.",
)
.preset(Preset::Text("batch"))];

const FROM_ABOVE: &[Setting] = &[FROM.preset(Preset::Said("the entry above"))];

const fn native(words: &'static [&'static str], says: &'static str) -> Setting {
    Setting::new("native", Shape::Words(words), says).needed()
}

const KEY: Setting =
    Setting::new("key", COLUMNS, "Columns to group by. Default: all rows are one group.");

/// `[[op]]`.
pub static OP: [Place; 5] = [
    Place::new("a function of a plugin", &[BY_ID, FROM_ABOVE, CALL, CALL_OF_OP, ON_ERROR, OF_OPS]),
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
            OF_OPS,
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
    Setting::new("mode", Shape::Words(&["append"]), "Which rows are written: those of the batch.")
        .preset(Preset::Text("append")),
];

/// `[[sink]]`.
pub static SINK: [Place; 2] = [
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
];

/// `[[test]]`.
pub static TEST: [Place; 1] = [Place::new(
    "a test of the job",
    &[&[
        Setting::new("name", FILLED, "What it shows.").needed(),
        Setting::new("to", Shape::Name(REFERENCE), "The op whose rows are compared, or `id.port`.")
            .needed(),
        Setting::new(
            "feed",
            Shape::Named(".", &ROWS),
            "Rows by the id of a source; others give none.",
        ),
        Setting::new("expect", ROWS, "The rows that must come out."),
        Setting::new("expect_error", FILLED, "A part of the error that the batch must fail with."),
        Setting::new("ordered", Shape::Flag, "Whether the order of the rows counts.")
            .preset(Preset::Flag(false)),
    ]],
)
.either(&["expect", "expect_error"])];

static FROM_ENVIRONMENT: Place = Place::new(
    "from the environment",
    &[&[
        Setting::new("env", Shape::Like("."), "The variable of the host's environment.").needed(),
        Setting::new("default", Shape::Text, "What holds if it is not set."),
    ]],
);

static SECRET: Place = Place::new(
    "a secret, which is never shown",
    &[&[
        Setting::new("secret", Shape::Like("^(file|env):."), "`file:PATH` or `env:NAME`.").needed()
    ]],
);

/// The top of the file.
pub static TOP: Place = Place::new(
    "a job of Weir",
    &[&[
        Setting::new("version", Shape::Number(1, 1), "The version of the format of this file.")
            .needed(),
        Setting::new(
            "name",
            Shape::Name("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
            "The name of the job: of its metrics and its folder.",
        )
        .needed(),
        Setting::new("job", Shape::Table(&JOB), "How the job runs."),
        Setting::new(
            "dead_letters",
            Shape::Table(&DEAD_LETTERS),
            "Where rows go that are put aside.",
        ),
        Setting::new(
            "vars",
            Shape::Named(
                "^[A-Za-z_][A-Za-z0-9_-]*$",
                &Shape::Any(&[Shape::Text, Shape::Table(&FROM_ENVIRONMENT), Shape::Table(&SECRET)]),
            ),
            "Values that `${name}` in texts stands for.",
        ),
        Setting::new("source", Shape::Entries(&SOURCE), "Where rows come from.").needed(),
        Setting::new("function", Shape::Entries(&FUNCTION), "What SQL may call."),
        Setting::new("op", Shape::Entries(&OP), "What is done with rows."),
        Setting::new("sink", Shape::Entries(&SINK), "Where rows go.").needed(),
        Setting::new("test", Shape::Entries(&TEST), "What `host test` runs."),
    ]],
);
