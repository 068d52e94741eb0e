//! The jobs that are ended, and what their sinks must have: computed here, from the input alone.
//! Those whose sinks are tables stand in tables.rs, the one that listens to a peer in wire.rs.

use std::collections::{BTreeMap, BTreeSet};

use crate::bench::component;
use crate::tables::{LATEST, TOLD, Table};
use crate::wire::LINES;

/// What a batch has in each sink: its rows, sorted.
pub type Batch = Vec<Vec<String>>;

/// A job.
pub struct Shape {
    /// What it is called.
    pub name: &'static str,
    /// The entries of job.toml, by the inputs; of a peer's lines by its address.
    pub job: fn(&[String]) -> String,
    /// How inputs come to the job.
    pub feed: Feed,
    /// The nth input.
    pub input: fn(usize) -> String,
    /// How many there are.
    pub inputs: usize,
    /// The folders of its sinks; `letters` are its dead letters.
    pub sinks: &'static [&'static str],
    /// Its sinks that are tables.
    pub tables: &'static [Table],
    /// What all batches must have, by the inputs in their order.
    pub model: fn(&[String]) -> Vec<Batch>,
    /// Whether it is there for a few crash points only that others don't pass.
    pub rare: bool,
}

/// How inputs come.
#[derive(Clone, Copy)]
pub enum Feed {
    /// They stand in the job.
    Job,
    /// As files with this path below `in`.
    Files(fn(usize) -> String),
    /// As lines of a peer, which sends none twice.
    Wire,
}

/// Every job.
pub static SHAPES: [Shape; 12] =
    [COUNT, ASIDE, TOLD, LINES, ROWS, WORDS, TOTALS, USERS, LATEST, LATE, MANY, LONG];

/// By its name.
pub fn shape(name: &str) -> &'static Shape {
    SHAPES.iter().find(|shape| shape.name == name).unwrap()
}

/// Files, counted by the host, one file a batch.
const COUNT: Shape = Shape {
    name: "count",
    job: |_| {
        format!(
            "{}[[op]]\nid = \"counted\"\nnative = \"count\"\n{}",
            files("text", "path = \"in\"\nfiles_per_batch = 1"),
            sink("out", "counted")
        )
    },
    feed: Feed::Files(numbered),
    input: |n| "a line\n".repeat(n * 7 % 13 + 1),
    inputs: 24,
    sinks: &["out"],
    tables: &[],
    model: |inputs| {
        let count = |text: &String| vec![vec![format!("{{\"count\":{}}}", text.lines().count())]];
        inputs.iter().map(count).collect()
    },
    rare: false,
};

/// Files through a function that refuses some rows, to two sinks and dead letters: the output of a
/// batch is written down before it is visible.
const ASIDE: Shape = Shape {
    name: "aside",
    job: |_| {
        let wasm = component("tests/plugins/hostile");
        let wasm = wasm.display();
        format!(
            "[dead_letters]\npath = \"letters\"\n{}[source.schema]\nn = \"int64!\"\n[[op]]\n\
             id = \"even\"\nwasm = \"{wasm}\"\ncall = \"only_even\"\non_error = \"dead-letter\"\n\
             [[op]]\nid = \"total\"\nsql = \"SELECT sum(n) AS total FROM even\"\n{}{}",
            files("json", "path = \"in\"\nfiles_per_batch = 1"),
            sink("evens", "even"),
            sink("totals", "total")
        )
    },
    feed: Feed::Files(numbered),
    input: |n| (0..n % 5 + 2).map(|i| format!("{{\"n\":{}}}\n", n * 100 + i)).collect(),
    inputs: 20,
    sinks: &["evens", "totals", "letters"],
    tables: &[],
    model: |inputs| {
        let batch = |text: &String| {
            let (odd, even): (Vec<i64>, Vec<i64>) = numbers(text).partition(|n| n % 2 != 0);
            let row = |n: &i64| format!("{{\"n\":{n}}}");
            let total = format!("{{\"total\":{}}}", even.iter().sum::<i64>());
            let rows = |of: &[i64]| sorted(of.iter().map(row).collect());
            vec![rows(&even), vec![total], rows(&odd)]
        };
        inputs.iter().map(batch).collect()
    },
    rare: false,
};

/// Rows of the job through SQL.
const ROWS: Shape = Shape {
    name: "rows",
    job: |inputs| {
        let lists: Vec<String> = inputs.iter().map(|list| format!("[{list}]")).collect();
        format!(
            "[[source]]\nid = \"numbers\"\ntype = \"rows\"\nbatches = [{}]\n[[op]]\n\
             id = \"squares\"\n\
             sql = \"SELECT n, n * n AS square FROM numbers WHERE n % 3 <> 0\"\n{}",
            lists.join(", "),
            sink("out", "squares")
        )
    },
    feed: Feed::Job,
    input: |n| {
        let rows: Vec<String> =
            (0..n % 4 + 2).map(|i| format!("{{ n = {} }}", n * 9 + i)).collect();
        rows.join(", ")
    },
    inputs: 40,
    sinks: &["out"],
    tables: &[],
    model: |inputs| {
        let batch = |list: &String| {
            let kept = numbers(list).filter(|n| n % 3 != 0);
            vec![sorted(kept.map(|n| format!("{{\"n\":{n},\"square\":{}}}", n * n)).collect())]
        };
        inputs.iter().map(batch).collect()
    },
    rare: false,
};

/// Words of files, counted by two functions with a shuffle between them.
const WORDS: Shape = Shape {
    name: "words",
    job: |_| words(""),
    feed: Feed::Files(numbered),
    input: |n| (0..200).map(|i| format!("w{} every n{n}\n", (i * i + n) % 17)).collect(),
    inputs: 20,
    sinks: &["out"],
    tables: &[],
    model: |inputs| {
        let batch = |text: &String| {
            let mut counts = BTreeMap::new();
            text.split_whitespace().for_each(|word| *counts.entry(word).or_insert(0) += 1);
            vec![counted(counts.into_iter())]
        };
        inputs.iter().map(batch).collect()
    },
    rare: false,
};

/// The same over all batches: the function's sums are kept, and those that change come out.
const TOTALS: Shape = Shape {
    name: "totals",
    job: |_| words("across = \"run\"\n"),
    model: |inputs| {
        let mut totals = BTreeMap::new();
        let batch = |text: &String| {
            let of_batch: BTreeSet<&str> = text.split_whitespace().collect();
            for word in text.split_whitespace() {
                *totals.entry(word.to_owned()).or_insert(0) += 1;
            }
            vec![counted(of_batch.into_iter().map(|word| (word, totals[word])))]
        };
        inputs.iter().map(batch).collect()
    },
    ..WORDS
};

/// A function with a state for each user.
pub const USERS: Shape = Shape {
    name: "users",
    job: |_| users() + &sink("out", "it"),
    feed: Feed::Files(numbered),
    input: |n| {
        let row =
            |i| format!("{{\"user\":\"u{}\",\"n\":{}}}\n", (i * i + n) % 29, 1 + (n + i) % 90);
        (0..60).map(row).collect()
    },
    inputs: 20,
    sinks: &["out"],
    tables: &[],
    model: |inputs| {
        let row = |(user, sum, values): &Visit| {
            format!(
                "{{\"user\":\"u{user}\",\"sum\":{sum},\"values\":{values},\"timed_out\":false}}"
            )
        };
        visits(inputs).iter().map(|batch| vec![sorted(batch.iter().map(row).collect())]).collect()
    },
    rare: false,
};

/// A user, the sum of all values up to a batch, and how many came with it.
pub type Visit = (i64, i64, i64);

/// Who is visited in each batch of the function with a state for each user.
pub fn visits(inputs: &[String]) -> Vec<Vec<Visit>> {
    let mut sums = BTreeMap::new();
    let batch = |text: &String| {
        let mut values: BTreeMap<i64, i64> = BTreeMap::new();
        let all: Vec<i64> = numbers(text).collect();
        for row in all.chunks(2) {
            *sums.entry(row[0]).or_insert(0) += row[1];
            *values.entry(row[0]).or_insert(0) += 1;
        }
        values.into_iter().map(|(user, values)| (user, sums[&user], values)).collect()
    };
    inputs.iter().map(batch).collect()
}

/// Files of users and numbers, and the function with a state for each user.
pub fn users() -> String {
    let wasm = component("tests/plugins/keyed");
    let wasm = wasm.display();
    format!(
        "{}[source.schema]\nuser = \"string!\"\nn = \"int64!\"\n[[op]]\nid = \"it\"\n\
         wasm = \"{wasm}\"\ncall = \"track\"\nkey = [\"user\"]\n",
        files("json", "path = \"in\"\nfiles_per_batch = 1")
    )
}

/// A row that runs out of time: its batch is written down again, without it.
const LATE: Shape = Shape {
    name: "late",
    job: |inputs| {
        let lists: Vec<String> = inputs.iter().map(|list| format!("[{list}]")).collect();
        let wasm = component("tests/plugins/hostile");
        let wasm = wasm.display();
        format!(
            "[dead_letters]\npath = \"letters\"\n[[source]]\nid = \"numbers\"\ntype = \"rows\"\n\
             batches = [{}]\nschema = {{ n = \"int64!\" }}\n[[op]]\nid = \"spins\"\n\
             wasm = \"{wasm}\"\ncall = \"spin_on_seven\"\non_error = \"dead-letter\"\n\
             limits = {{ time = \"200ms\" }}\n{}",
            lists.join(", "),
            sink("out", "spins")
        )
    },
    feed: Feed::Job,
    input: |n| {
        let rows: Vec<String> = (0..4).map(|i| format!("{{ n = {} }}", n * 4 + i)).collect();
        rows.join(", ")
    },
    inputs: 3,
    sinks: &["out", "letters"],
    tables: &[],
    model: |inputs| {
        let batch = |list: &String| {
            let (late, kept): (Vec<i64>, Vec<i64>) = numbers(list).partition(|n| *n == 7);
            let rows = |of: Vec<i64>| sorted(of.iter().map(|n| format!("{{\"n\":{n}}}")).collect());
            vec![rows(kept), rows(late)]
        };
        inputs.iter().map(batch).collect()
    },
    rare: true,
};

/// Files with long paths, so many that the log needs a second segment.
const MANY: Shape = Shape {
    name: "many",
    job: |_| {
        format!(
            "{}[[op]]\nid = \"counted\"\nnative = \"count\"\n{}",
            files("text", "path = \"in/**/*.txt\"\nfiles_per_batch = 200"),
            sink("out", "counted")
        )
    },
    feed: Feed::Files(|n| {
        let long = "a-long-name-".repeat(16);
        format!("{long}/{long}/{long}/{long}/{n:06}-{long}.txt")
    }),
    input: |n| "a line\n".repeat(n / 200 + 1),
    inputs: 5_200,
    sinks: &["out"],
    tables: &[],
    model: |inputs| {
        let lines = |texts: &[String]| texts.iter().map(|text| text.lines().count()).sum::<usize>();
        let count = |texts: &[String]| vec![vec![format!("{{\"count\":{}}}", lines(texts))]];
        inputs.chunks(200).map(count).collect()
    },
    rare: true,
};

/// The same with fewer files, in batches of such a size that it is a commit for which the first
/// segment has no room.
pub static FULL: Shape = Shape { name: "full", inputs: 5_200, ..MANY };

/// So many batches that the state of the source is folded into fewer pieces.
const LONG: Shape = Shape { name: "long", inputs: 1_050, rare: true, ..COUNT };

impl Shape {
    /// Whether inputs are files, which a job goes on taking.
    pub fn has_files(&self) -> bool {
        matches!(self.feed, Feed::Files(_))
    }

    /// job.toml for these inputs.
    pub fn toml(&self, inputs: &[String]) -> String {
        let name = self.name;
        let head = format!("version = 1\nname = \"{name}\"\n[job]\nbatch = \"0s\"\n");
        head + "parallelism = 2\n" + &(self.job)(inputs)
    }
}

fn files(format: &str, more: &str) -> String {
    format!("[[source]]\nid = \"lines\"\ntype = \"file\"\nformat = \"{format}\"\n{more}\n")
}

/// A sink of files in a folder.
pub fn sink(path: &str, from: &str) -> String {
    format!(
        "[[sink]]\nid = \"{path}\"\nfrom = \"{from}\"\ntype = \"file\"\npath = \"{path}\"\n\
         format = \"json\"\n"
    )
}

/// Splits lines into words and adds them up.
fn words(across: &str) -> String {
    let wasm = component("plugins/text");
    let wasm = wasm.display();
    format!(
        "{}[[op]]\nid = \"words\"\nwasm = \"{wasm}\"\ncall = \"split\"\n[[op]]\n\
         id = \"counts\"\nwasm = \"{wasm}\"\ncall = \"sum\"\nkey = [\"word\"]\n{across}{}",
        files("text", "path = \"in\"\nfiles_per_batch = 1"),
        sink("out", "counts")
    )
}

/// The rows of words and how often they are there.
fn counted<'a>(counts: impl Iterator<Item = (&'a str, i32)>) -> Vec<String> {
    sorted(counts.map(|(word, n)| format!("{{\"word\":\"{word}\",\"n\":{n}}}")).collect())
}

fn numbered(n: usize) -> String {
    format!("{n:06}.txt")
}

/// The whole numbers in a text.
fn numbers(text: &str) -> impl Iterator<Item = i64> + '_ {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok())
}

/// In their order as text.
pub fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}
