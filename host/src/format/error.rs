//! What can be wrong with bytes, or with rows that are to become bytes.

use super::LINE_BYTES_MAX;

/// The way out where records of csv have another shape.
const CSV_HELP: &str = "csv is as RFC 4180 has it, every record as wide as the header: what holds \
                        a quote, the delimiter or a line end stands in quotes; check `delimiter` \
                        too";

/// The way out where a file of Parquet can't be read.
const PARQUET_HELP: &str =
    "write the file again; a file must be complete when it appears under its final name";

/// Why a line is not a row, or rows are not lines. Who knows the file and the line adds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Bytes that are no UTF-8.
    #[error("the line is not valid UTF-8{}", if *.utf16 { ": this looks like UTF-16" } else { "" })]
    Utf8 {
        /// Whether it begins like UTF-16.
        utf16: bool,
    },
    /// A NUL byte.
    #[error("the line holds a NUL byte: this looks like a binary file, not text")]
    Nul,
    /// A line without an end.
    #[error("the line is longer than {} MiB", LINE_BYTES_MAX / 1024 / 1024)]
    LongLine,
    /// Not JSON.
    #[error("not valid JSON at character {character}: {problem}")]
    Syntax {
        /// Where in the line, in characters from 1.
        character: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A value of another type.
    #[error("column `{column}` takes {wanted}, not {found}")]
    Value {
        /// The column, with the way down to the field.
        column: String,
        /// Its type.
        wanted: String,
        /// The value as it was written, cut to a readable length.
        found: String,
    },
    /// No value where one is needed.
    #[error("column `{column}` has no value")]
    NoValue {
        /// The column, with the way down to the field.
        column: String,
    },
    /// A key that stands twice in an object.
    #[error("column `{column}` is given twice")]
    Twice {
        /// The column, with the way down to the field.
        column: String,
    },
    /// Nothing from which columns could be inferred.
    #[error("no line names a column")]
    NoColumns,
    /// A type that the format has no text for.
    #[error("column `{column}` has the type {data_type}, which {format} can't write")]
    Type {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
        /// The format.
        format: &'static str,
    },
    /// Text is one column.
    #[error("text is exactly one column of type string; these rows have {columns}")]
    NotOneString {
        /// What there is instead.
        columns: String,
    },
    /// A value that would become two lines.
    #[error("a value of column `{column}` holds a line end, and text is one line a row")]
    LineEnd {
        /// The column.
        column: String,
    },
    /// A null, which text has no word for.
    #[error("a value of column `{column}` is null, which an empty line can't say")]
    NullLine {
        /// The column.
        column: String,
    },
    /// Not CSV.
    #[error("not valid CSV at character {character}{}: {problem}", of_line(*.line))]
    Csv {
        /// In which line of the record, from 1.
        line: usize,
        /// Where in that, in characters from 1.
        character: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A record with more or fewer values than there are columns.
    #[error("{found} value{} where there are {wanted} columns", plural(*.found))]
    Ragged {
        /// How many a record has.
        wanted: usize,
        /// How many this one has.
        found: usize,
    },
    /// A header that can't be read.
    #[error("the header of the file can't be read: {problem}")]
    Header {
        /// What is wrong with it.
        problem: String,
    },
    /// A column that is missing in a file.
    #[error("the header of the file has no column `{column}`: it has {header}")]
    NotInHeader {
        /// The column.
        column: String,
        /// What there is, cut to a readable length.
        header: String,
    },
    /// A name that stands twice in a header.
    #[error("the header of the file has the column `{column}` twice")]
    TwiceInHeader {
        /// The column.
        column: String,
    },
    /// Rows without columns, in a format that can't say how many there are.
    #[error("the rows have no columns, which {format} can't write")]
    NoColumnsToWrite {
        /// The format.
        format: &'static str,
    },
    /// Rows that could not be made a Parquet file of.
    #[error("the rows can't be written as Parquet: {problem}")]
    ParquetWrite {
        /// What is wrong.
        problem: String,
    },
    /// A file that is no Parquet, or damaged.
    #[error("the file can't be read as Parquet: {problem}")]
    Parquet {
        /// What is wrong with it.
        problem: String,
    },
    /// A column of a Parquet file is not the one of the schema.
    #[error("column `{column}` of the file {problem}")]
    ParquetColumn {
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A row of a file of columns that is too long.
    #[error("the row takes more than {} MiB", LINE_BYTES_MAX / 1024 / 1024)]
    LongRow,
    /// Arrow refused what this room made.
    #[error("rows could not be made: {problem}")]
    Arrow {
        /// Arrow's words.
        problem: String,
    },
}

impl FormatError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Utf8 { .. } => "WEIR-FORMAT-001",
            Self::Nul => "WEIR-FORMAT-002",
            Self::LongLine | Self::LongRow => "WEIR-FORMAT-003",
            Self::Syntax { .. } => "WEIR-FORMAT-004",
            Self::Value { .. } => "WEIR-FORMAT-005",
            Self::NoValue { .. } => "WEIR-FORMAT-006",
            Self::Twice { .. } => "WEIR-FORMAT-007",
            Self::NoColumns => "WEIR-FORMAT-008",
            Self::Type { .. } => "WEIR-FORMAT-009",
            Self::NotOneString { .. } => "WEIR-FORMAT-010",
            Self::LineEnd { .. } => "WEIR-FORMAT-011",
            Self::NullLine { .. } => "WEIR-FORMAT-012",
            Self::Arrow { .. } => "WEIR-FORMAT-013",
            Self::Csv { .. } => "WEIR-FORMAT-014",
            Self::Ragged { .. } => "WEIR-FORMAT-015",
            Self::Header { .. } | Self::NotInHeader { .. } | Self::TwiceInHeader { .. } => {
                "WEIR-FORMAT-016"
            }
            Self::NoColumnsToWrite { .. } | Self::ParquetWrite { .. } => "WEIR-FORMAT-017",
            Self::Parquet { .. } => "WEIR-FORMAT-018",
            Self::ParquetColumn { .. } => "WEIR-FORMAT-019",
        }
    }

    /// Whether it is the file that can't be read, and not one row of it.
    pub fn is_of_file(&self) -> bool {
        matches!(
            self,
            Self::Header { .. }
                | Self::NotInHeader { .. }
                | Self::TwiceInHeader { .. }
                | Self::Parquet { .. }
                | Self::ParquetColumn { .. }
                | Self::Arrow { .. }
        )
    }

    /// The way out.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Utf8 { .. } => {
                "convert the file to UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"
            }
            Self::Nul => "take the file out of the folder, or narrow `path` to the text files",
            Self::LongLine => "check that the file ends its lines with `\\n`; split longer records",
            Self::Syntax { .. } => {
                "json takes one object a line (RFC 8259), nested at most 128 deep; correct the line"
            }
            Self::Value { .. } => "correct the value, or change the type of the column in `schema`",
            Self::NoValue { .. } => {
                "give it a value, or let the column be empty: add `?` to its type in `schema`"
            }
            Self::Twice { .. } => "leave one of the two: which of them counts is not defined",
            Self::NoColumns => "say what the columns are with `schema`",
            Self::Type { .. } => "cast the column in SQL to a type that has a name here",
            Self::NotOneString { .. } => {
                "select one string column in SQL, or use `format = \"json\"`"
            }
            Self::LineEnd { .. } => "use `format = \"json\"`, which writes line ends as `\\n`",
            Self::NullLine { .. } => {
                "use `format = \"json\"`, or replace nulls in SQL with `coalesce`"
            }
            Self::Arrow { .. } => "this is a fault of Weir: please send the job and the message",
            Self::Csv { .. } | Self::Ragged { .. } => CSV_HELP,
            Self::Header { .. } | Self::NotInHeader { .. } | Self::TwiceInHeader { .. } => {
                "correct the header or `schema`, or check `delimiter` and `header`"
            }
            Self::NoColumnsToWrite { .. } | Self::ParquetWrite { .. } => {
                "select other columns in SQL, or use `format = \"json\"`"
            }
            Self::Parquet { .. } => PARQUET_HELP,
            Self::ParquetColumn { .. } => {
                "correct `schema`, or write the file with the type and the compression it names"
            }
            Self::LongRow => "take the large value out of the row, or split it",
        };
        Some(help.to_owned())
    }
}

fn of_line(line: usize) -> String {
    if line == 1 { String::new() } else { format!(" of line {line} of the record") }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl From<arrow::error::ArrowError> for FormatError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Arrow { problem: error.to_string() }
    }
}

/// What `host explain` says about each code.
pub const CODES: &[(&str, &str)] = &[
    (
        "WEIR-FORMAT-001",
        "A line of the input is not valid UTF-8. Text and json are UTF-8, with or without a byte \
         order mark. Convert the file, for example with `iconv -f UTF-16 -t UTF-8`.",
    ),
    (
        "WEIR-FORMAT-002",
        "A line of the input holds a NUL byte. No text does; the file is probably a binary one \
         that lies in the folder of the input.",
    ),
    (
        "WEIR-FORMAT-003",
        "A line is longer than 16 MiB. Lines end with `\\n` or `\\r\\n`; a file without line \
         ends is one line. A row of Parquet may take so many bytes too.",
    ),
    (
        "WEIR-FORMAT-004",
        "A line is not a JSON object. The format json takes one object a line, strictly as RFC \
         8259 has it: no commas too many or too few, no comments, keys in double quotes. What no \
         column takes may nest up to 128 deep.",
    ),
    (
        "WEIR-FORMAT-005",
        "A value does not have the type of its column: a text where a number belongs, a number \
         with digits behind the point for int64, a number out of range, a decimal with more \
         digits than the type keeps. Nothing is rounded or cut in silence.",
    ),
    (
        "WEIR-FORMAT-006",
        "A column that may not be empty has no value in a line: its key is missing, or null. A \
         `?` after the type in `schema` lets it be empty.",
    ),
    ("WEIR-FORMAT-007", "An object has the same key twice, so which of the values counts is open."),
    (
        "WEIR-FORMAT-008",
        "Columns were to be inferred from the input, but its objects have no keys. Give `schema`.",
    ),
    (
        "WEIR-FORMAT-009",
        "A sink can't write a column, because its type has no name in Weir. Cast it in SQL.",
    ),
    (
        "WEIR-FORMAT-010",
        "The format text is one column of type string, for a source and for a sink.",
    ),
    (
        "WEIR-FORMAT-011",
        "A value that was to be written as one line of text holds a line end, and would be read \
         back as two rows. The format json keeps it.",
    ),
    (
        "WEIR-FORMAT-012",
        "A null was to be written as a line of text, and would be read back as an empty text. The \
         format json keeps it.",
    ),
    ("WEIR-FORMAT-013", "Rows that were read do not fit together. This is a fault of Weir."),
    (
        "WEIR-FORMAT-014",
        "A record is not CSV as RFC 4180 has it: a quote inside a value without quotes, something \
         between a closing quote and the delimiter, a quote that is never closed, a carriage \
         return that ends no line. With `on_error` other than fail the first line of the record is \
         left out, and reading goes on behind it.",
    ),
    (
        "WEIR-FORMAT-015",
        "A record of CSV has more or fewer values than the header, or than `schema` without a \
         header. Often a value holds the delimiter and has no quotes around it.",
    ),
    (
        "WEIR-FORMAT-016",
        "The first record of a CSV file names its columns, and it can't be read, lacks a column of \
         `schema`, or has one twice. Without it no row of the file can be read, so the batch fails \
         whatever `on_error` says.",
    ),
    (
        "WEIR-FORMAT-017",
        "Rows can't be written in this format: rows without columns in csv or parquet, or a column \
         that Parquet has no way to say.",
    ),
    (
        "WEIR-FORMAT-018",
        "A file is no Parquet file, is damaged or cut off, says of itself what can't be true, or \
         takes more than 1 GiB of memory or 30 s of processor time for a chunk of rows to be read. \
         It is read in a process of its own, so that nothing else is harmed. With `on_error` other \
         than fail the rows in front of the damage are taken, the rest of the file is left out, \
         and that is told once, with the file and the number of the row.",
    ),
    (
        "WEIR-FORMAT-019",
        "A Parquet file lacks a column of `schema`, has it twice or with another type, or packs it \
         with a codec that is not built in (none, snappy, gzip and zstd are). int32 may be read as \
         int64 or float64, and a decimal as a larger one. Without a `schema` the columns are those \
         of the first file. Because it is the schema that is wrong as likely as the file, the \
         batch fails whatever `on_error` says.",
    ),
];

/// A line that can't become a row, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {error}")]
pub struct BadLine {
    /// Where the line begins, in bytes from the start of what was fed.
    pub at: usize,
    /// What is wrong.
    #[source]
    pub error: FormatError,
}
