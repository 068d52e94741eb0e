//! Settings of a job's own tables.

use std::time::Duration;

use super::entries::{DAY, FILLED, FUNCTION, GIB, MIB, OP, REFERENCE, ROWS, SINK, SOURCE};
use super::{Place, Preset, Setting, Shape};

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
            "clock",
            Shape::Words(&["machine", "batches"]),
            "The time of batches: the machine's, or one interval more with each batch.",
        )
        .preset(Preset::Text("machine")),
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

/// `[checkpoint]`.
pub static CHECKPOINT: Place = Place::new(
    "what is kept of the job",
    &[&[
        Setting::new("uri", FILLED, "A folder; `file:PATH` is the same.")
            .preset(Preset::Said(".weir/NAME/checkpoint")),
        Setting::new(
            "keep",
            Shape::Number(1, 10_000),
            "How many of the last batches the job can be started from.",
        )
        .preset(Preset::Number(5)),
    ]],
);

/// `[state]`.
pub static STATE: Place = Place::new(
    "where states are while the job runs",
    &[&[
        Setting::new(
            "store",
            Shape::Words(&["memory", "lsm"]),
            "`lsm` keeps states on the disk, for more of them than memory holds.",
        )
        .preset(Preset::Text("memory")),
        Setting::new(
            "cache",
            Shape::Size(MIB, 1 << 40),
            "How much of the states on the disk is kept in memory.",
        )
        .preset(Preset::Size(256 * MIB)),
    ]],
);

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
            "checkpoint",
            Shape::Table(&CHECKPOINT),
            "Where it is written down how far the job has come.",
        ),
        Setting::new("state", Shape::Table(&STATE), "Where states are while the job runs."),
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
