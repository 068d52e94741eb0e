//! The codes of problems of a job, with what `host explain` says about them.

/// A code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Such as `WEIR-JOB-003`.
    pub code: &'static str,
    /// What it means and what can be done.
    pub explain: &'static str,
}

const fn code(code: &'static str, explain: &'static str) -> Code {
    Code { code, explain }
}

/// All codes of this room.
pub const CODES: &[Code] = &[
    code("WEIR-JOB-001", "The file is not TOML. All places that can't be read are shown at once."),
    code("WEIR-JOB-002", "The file is too large, nests too deep, or is not UTF-8 text."),
    code("WEIR-JOB-003", "A setting has this name nowhere. Settings are never ignored."),
    code("WEIR-JOB-004", "A setting that must be there is missing."),
    code("WEIR-JOB-005", "A setting has a value of the wrong type."),
    code("WEIR-JOB-006", "A setting has a value of the right type that makes no sense there."),
    code("WEIR-JOB-007", "This setting belongs to a later version of Weir."),
    code("WEIR-JOB-008", "`version` says which format the file has. This host reads version 1."),
    code(
        "WEIR-JOB-009",
        "Names start with a letter and have letters, digits, `-` and `_` only, 64 at \
      most: they name tables, metrics and files.",
    ),
    code("WEIR-JOB-010", "Two entries have one id. Ids are compared without case, as SQL does."),
    code("WEIR-JOB-011", "`from` names an entry that is not there."),
    code("WEIR-JOB-012", "An op reads only from entries above it, so that there are no circles."),
    code("WEIR-JOB-013", "An op does exactly one thing: `wasm`, `sql` or `native`."),
    code("WEIR-JOB-014", "An op has a number of inputs that it can't have."),
    code("WEIR-JOB-015", "A job without a source has no input, and one without a sink no output."),
    code(
        "WEIR-JOB-016",
        "A path that a sink writes to must not lead out of its folder, be the folder \
      of another sink, or lie inside of what a source reads.",
    ),
    code("WEIR-JOB-017", "Nobody reads this entry, so it is not run."),
    code("WEIR-JOB-018", "`--set` or a variable `HOST__…` names a setting that can't be found."),
];
