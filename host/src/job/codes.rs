//! The codes of problems of a job, with what `host explain` says about them.

/// A code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Such as `WEIR-JOB-003`.
    pub code: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What it means and what can be done.
    pub explain: &'static str,
}

const fn code(code: &'static str, title: &'static str, explain: &'static str) -> Code {
    Code { code, title, explain }
}

/// All codes of this room.
pub const CODES: &[Code] = &[
    code(
        "WEIR-JOB-001",
        "not TOML",
        "The file is not TOML. All places that can't be read are shown at once, one a line; what \
         the settings mean is looked at when all of them can be read.",
    ),
    code(
        "WEIR-JOB-002",
        "not a job file",
        "The file is larger than 1 MiB, nests more than 32 deep, has more than 1,000 entries, or \
         is not UTF-8 text without a byte order mark and without zero bytes. Save it as UTF-8. \
         Rows that don't fit belong in a file that a source reads.",
    ),
    code(
        "WEIR-JOB-003",
        "unknown setting",
        "There is no such setting in this place. Settings are never ignored. The help lists those \
         that there are, and names the one that is most like it.",
    ),
    code(
        "WEIR-JOB-004",
        "missing setting",
        "A setting that must be there is missing. The help shows how it is written.",
    ),
    code(
        "WEIR-JOB-005",
        "wrong type",
        "A setting has a value of the wrong type, such as a number where there should be text. \
         Times and sizes are text with a unit: `batch = \"5s\"`, `memory = \"64MiB\"`.",
    ),
    code(
        "WEIR-JOB-006",
        "senseless value",
        "A setting has a value of the right type that makes no sense there: out of its bounds, \
         not one of its words, not a time, a size or the name of a type.",
    ),
    code(
        "WEIR-JOB-007",
        "not available in this version",
        "This setting, or this value of it, belongs to a later version of Weir. The help says \
         what can be done until then.",
    ),
    code(
        "WEIR-JOB-008",
        "another version of the file format",
        "`version` says which format the file has. This host reads version 1. A file of a later \
         version needs a newer host.",
    ),
    code(
        "WEIR-JOB-009",
        "not a name",
        "Names of entries start with a letter and have ASCII letters, digits, `-` and `_` only, \
         64 at most: they name tables, metrics and files. A job's name may start with a digit.",
    ),
    code(
        "WEIR-JOB-010",
        "one id twice",
        "Two entries have one id. Sources, ops and functions share their names, because SQL sees \
         all of them; sinks have their own. Ids are compared without case, as SQL does.",
    ),
    code(
        "WEIR-JOB-011",
        "unknown input",
        "`from` names an entry that is not there. Rows come from a [[source]] or an [[op]]; \
         without `from` they come from the one above.",
    ),
    code(
        "WEIR-JOB-012",
        "input below, or a circle",
        "An op reads only from entries above it, so that rows go one way. Move the entry that is \
         read up. Where ops read from each other in a circle, one of them has to read from another \
         entry.",
    ),
    code(
        "WEIR-JOB-013",
        "not one thing to do",
        "An op does exactly one thing: `wasm`, `sql` or `native`. Make two ops of one with two.",
    ),
    code(
        "WEIR-JOB-014",
        "wrong number of inputs",
        "An op or a sink has a number of inputs that it can't have: `native = \"union\"` has two \
         or more, `sql` any number, everything else one.",
    ),
    code(
        "WEIR-JOB-015",
        "no way in or out",
        "A job without a source has no input, and one without a sink no output.",
    ),
    code(
        "WEIR-JOB-016",
        "a path that a sink can't have",
        "The path of a sink has no `..`, so that it leads where it seems to; it is not the path of \
         another sink, and it does not lie in the folder that a source reads, because the job \
         would read its own output. Links are not followed: paths are compared as written.",
    ),
    code(
        "WEIR-JOB-017",
        "not read by anyone",
        "Nobody reads this entry, so it is not run. This is a warning.",
    ),
    code(
        "WEIR-JOB-018",
        "an override that fits nowhere",
        "`--set` or a variable `HOST__…` names a setting that can't be found. Written are \
         `--set job.batch=5s` or `--set op.ID.limits.time=1s`; in the environment \
         `HOST__JOB__BATCH=5s`, where case does not count and `_` stands for `-` in ids too.",
    ),
    code(
        "WEIR-JOB-019",
        "a sink with the id of a source or an op",
        "`from` always means the source or op, and metrics of both have one name. This is a \
         warning.",
    ),
    code(
        "WEIR-JOB-020",
        "a variable is not set",
        "The job takes a value from the environment of the host, and there is no variable of that \
         name. It is looked up when the host starts. Or a secret can't be had: its file can't be \
         read, is not text, or has fewer than four characters.",
    ),
    code(
        "WEIR-JOB-021",
        "not a value of [vars]",
        "`${name}` in a text stands for the value `name` of [vars]; write `$${` for `${` itself. \
         `name`, `id`, `from` and `to` have no values in them, because they are what entries are \
         known by.",
    ),
    code(
        "WEIR-JOB-022",
        "a value of [vars] that is none",
        "A value is text, or `{ env = \"NAME\", default = \"text\" }` for a variable of the host's \
         environment, or a secret, which is never shown: `{ secret = \"file:PATH\" }` or \
         `{ secret = \"env:NAME\" }`. Values are not made of other values.",
    ),
    code(
        "WEIR-JOB-023",
        "a value that nobody uses",
        "[vars] has a value that stands nowhere. It was not looked up. This is a warning.",
    ),
    code(
        "WEIR-JOB-024",
        "a file that can't be laid out",
        "`host fmt` compares what a file says before and after, and writes nothing when that \
         differs. This is a fault of Weir: please report it with the file.",
    ),
];
