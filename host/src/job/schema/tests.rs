//! The schema and the reader know the same settings, words, bounds and defaults.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::units;
use super::super::{Job, JobError, Outside, Problem};
use super::*;

fn parse(text: &str) -> Result<Job, JobError> {
    let read = Job::parse(text.as_bytes(), "job.toml", PathBuf::new(), &Outside::NOTHING);
    read.map(|(job, _)| job)
}

/// Where a place stands: its place, a job around it, and what must be there besides.
struct Case {
    place: &'static Place,
    /// What stands before the settings, and after.
    around: (String, String),
    /// What has to be written for the place to be this one.
    needed: Vec<(&'static str, &'static str)>,
}

const SOURCES: &str = "[[source]]\nid = \"a\"\ntype = \"rows\"\nrows = []\n\
                       [[source]]\nid = \"b\"\ntype = \"rows\"\nrows = []\n";
const SINK_OUT: &str = "[[sink]]\nid = \"out\"\ntype = \"console\"\nfrom = \"a\"\n";
const HEAD: &str = "version = 1\nname = \"x\"\n";

/// How a setting is written that must be there; for those of a job's own the words are enough.
fn sample(place: &Place, setting: &Setting) -> &'static str {
    match (setting.name, setting.shape) {
        (_, Shape::Words([word])) => match *word {
            "file" => "\"file\"",
            "rows" => "\"rows\"",
            "socket" => "\"socket\"",
            "rate" => "\"rate\"",
            "csv" => "\"csv\"",
            "json" => "\"json\"",
            "console" => "\"console\"",
            "sqlite" => "\"sqlite\"",
            "count" => "\"count\"",
            "union" => "\"union\"",
            "repartition" => "\"repartition\"",
            "aggregate" => "\"aggregate\"",
            other => panic!("{other}"),
        },
        ("id", _) => "\"it\"",
        ("aggregates", _) => "{ n = \"count(*)\" }",
        ("path", _) => "\"some\"",
        ("table", _) => "\"it\"",
        ("schema", _) => "{ n = \"int64\" }",
        ("address", _) => "\"localhost:9\"",
        ("wasm", _) => "\"x.wasm\"",
        ("sql", _) => "\"SELECT 1 FROM a\"",
        ("key", _) => "[\"k\"]",
        ("name", _) => "\"it\"",
        ("to", _) => "\"a\"",
        ("processing_time", _) => "\"30m\"",
        // Longer than any slide.
        ("size", _) => "\"87600h\"",
        ("column", _) => "\"ts\"",
        (other, _) => panic!("{other} of {}", place.title),
    }
}

fn cases() -> Vec<Case> {
    let case = |place: &'static Place, before: String, after: &str| {
        let mut needed: Vec<_> = place
            .settings()
            .filter(|setting| setting.needed)
            .map(|setting| (setting.name, sample(place, setting)))
            .collect();
        needed.extend(place.either.first().map(|name| (*name, "[]")));
        if place.title == "unites inputs" {
            needed.push(("from", "[\"a\", \"b\"]"));
        }
        Case { place, around: (before, after.to_owned()), needed }
    };
    let mut cases = Vec::new();
    for (name, places) in [
        ("source", &SOURCE[..]),
        ("op", &OP),
        ("function", &FUNCTION),
        ("sink", &SINK),
        ("test", &TEST),
    ] {
        for place in places {
            cases.push(case(place, format!("{HEAD}{SOURCES}{SINK_OUT}[[{name}]]\n"), ""));
        }
    }
    let after = format!("{SOURCES}{SINK_OUT}");
    cases.push(case(&JOB, format!("{HEAD}[job]\n"), &after));
    cases.push(case(&DEAD_LETTERS, format!("{HEAD}[dead_letters]\n"), &after));
    cases.push(case(&CHECKPOINT, format!("{HEAD}[checkpoint]\n"), &after));
    cases.push(case(&STATE, format!("{HEAD}[state]\n"), &after));
    let places = [
        ("limits", &LIMITS),
        ("allow", &ALLOW),
        ("timeout", &TIMEOUT),
        ("event_time", &EVENT_TIME),
        ("window", &WINDOW),
    ];
    for (name, place) in places {
        let op = "[[op]]\nid = \"it\"\nwasm = \"x\"\n";
        cases.push(case(place, format!("{HEAD}{SOURCES}{SINK_OUT}{op}[op.{name}]\n"), ""));
    }
    cases
}

impl Case {
    /// The job with further settings, which may take the place of those that must be there.
    fn with(&self, more: &[(&str, &str)]) -> String {
        let kept = self.needed.iter().filter(|(name, _)| more.iter().all(|(new, _)| new != name));
        let lines = kept.chain(more).map(|(name, value)| format!("{name} = {value}\n"));
        format!("{}{}{}", self.around.0, lines.collect::<String>(), self.around.1)
    }

    /// The only problem of the job with further settings.
    fn problem(&self, more: &[(&str, &str)]) -> Problem {
        let text = self.with(more);
        let error = parse(&text).map(drop).expect_err(&text);
        assert_eq!(error.problems.len(), 1, "{text}\n{:#?}", error.problems);
        error.problems[0].clone()
    }
}

/// The names behind the last `:` of a help.
fn listed(problem: &Problem) -> BTreeSet<String> {
    let help = problem.help.as_deref().unwrap();
    let list = help.rsplit_once(": ").unwrap().1;
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn each_place_is_read_with_what_must_be_there_and_fits_alone() {
    for case in cases() {
        let text = case.with(&[]);
        parse(&text).unwrap_or_else(|error| panic!("{text}\n{:#?}", error.problems));
        for (name, _) in &case.needed {
            let without = text.replace(&format!("\n{name} = "), "\n# ");
            // Another kind of entry may need less.
            if parse(&without).is_ok() {
                assert_eq!(*name, "format", "{without}");
            }
        }
    }
}

#[test]
fn the_reader_knows_the_settings_of_the_schema_and_no_others() {
    for case in cases() {
        let mut read = listed(&case.problem(&[("zzzz", "1")]));
        let known: BTreeSet<String> =
            case.place.settings().map(|setting| setting.name.to_owned()).collect();
        if OP.iter().any(|place| place.title == case.place.title) {
            // It looks at all three before it knows which it is.
            for other in ["wasm", "sql", "native"] {
                if !known.contains(other) {
                    read.remove(other);
                }
            }
        }
        assert_eq!(read, known, "{}", case.place.title);
    }
    let text = format!("zzzz = 1\n{HEAD}{SOURCES}{SINK_OUT}");
    let read = listed(&parse(&text).map(drop).unwrap_err().problems[0]);
    assert_eq!(read, TOP.settings().map(|setting| setting.name.to_owned()).collect());
}

#[test]
fn the_reader_knows_the_words_of_the_schema() {
    for case in cases() {
        for setting in case.place.settings() {
            let Shape::Words(words) = setting.shape else { continue };
            let choice = matches!(setting.name, "type" | "native" | "format");
            let text = case.with(&[(setting.name, "\"zzzz\"")]);
            let error = parse(&text).map(drop).unwrap_err();
            let wrong = format!("`{}` can't be \"zzzz\"", setting.name);
            let problem = error.problems.iter().find(|problem| problem.message == wrong).unwrap();
            let read = listed(problem);
            let known: BTreeSet<String> = words.iter().map(|word| (*word).to_owned()).collect();
            match choice {
                // The other words are those of other places.
                true => assert!(known.is_subset(&read), "{}: {read:?}", setting.name),
                false => assert_eq!(read, known, "{}", setting.name),
            }
        }
    }
    for (list, name) in [(&SOURCE[..], "type"), (&SINK, "type"), (&OP, "native")] {
        let words: BTreeSet<&str> = list
            .iter()
            .flat_map(Place::settings)
            .filter(|setting| setting.name == name)
            .flat_map(|setting| match setting.shape {
                Shape::Words(words) => words.iter().copied(),
                _ => panic!("{name}"),
            })
            .collect();
        let section = if list.len() == SINK.len() { "sink" } else { "source" };
        let section = if name == "native" { "op" } else { section };
        let text =
            format!("{HEAD}{SOURCES}{SINK_OUT}[[{section}]]\nid = \"it\"\n{name} = \"zzzz\"\n");
        let error = parse(&text).map(drop).unwrap_err();
        let read = listed(&error.problems[0]);
        assert_eq!(read, words.iter().map(|word| (*word).to_owned()).collect(), "{section}");
    }
}

/// What a job says, without its places.
fn said(job: &Job) -> String {
    let all = (&job.settings, &job.functions, &job.sources, &job.ops, &job.sinks, &job.tests);
    let (letters, checkpoint) = (&job.dead_letters, &job.checkpoint);
    let kept = format!("{} {} {:?}", checkpoint.folder, checkpoint.keep, job.state);
    let rest = format!("{} {} {kept}", letters.path, letters.row);
    let text = format!("{all:?} {rest}");
    // Places are `12..34`, and nothing else of a job is shown so.
    let mut out = String::new();
    for part in text.split("..") {
        out.push_str(part.trim_matches(|c: char| c.is_ascii_digit()));
        out.push(' ');
    }
    out
}

#[test]
fn a_default_that_is_written_changes_nothing() {
    let mut seen = 0;
    for case in cases() {
        let plain = said(&parse(&case.with(&[])).unwrap());
        for setting in case.place.settings() {
            let Some(value) = json::preset(&setting.preset) else { continue };
            let text = case.with(&[(setting.name, &value.to_string())]);
            let job = parse(&text).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
            assert_eq!(said(&job), plain, "{} of {}", setting.name, case.place.title);
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Values at the bounds of a setting, and beyond them.
fn at_bounds(shape: Shape) -> (Vec<String>, Vec<String>) {
    fn shown<T>(fine: [T; 2], wrong: [Option<T>; 2], show: fn(T) -> String) -> [Vec<String>; 2] {
        [fine.into_iter().map(show).collect(), wrong.into_iter().flatten().map(show).collect()]
    }
    let [fine, wrong] = match shape {
        Shape::Number(least, most) => {
            let beyond = [least.checked_sub(1), most.checked_add(1)];
            shown([least, most], beyond, |number| number.to_string())
        }
        Shape::Size(least, most) => {
            let beyond = [least.checked_sub(1), most.checked_add(1)];
            shown([least, most], beyond, |bytes| bytes.to_string())
        }
        Shape::Time(least, most) => {
            let milli = Duration::from_millis(1);
            let beyond = [least.checked_sub(milli), most.checked_add(milli)];
            shown([least, most], beyond, |time| format!("\"{}\"", units::shown_time(time)))
        }
        _ => [Vec::new(), Vec::new()],
    };
    (fine, wrong)
}

#[test]
fn bounds_hold() {
    let mut seen = 0;
    for case in cases() {
        for setting in case.place.settings() {
            let (fine, wrong) = at_bounds(setting.shape);
            seen += fine.len() + wrong.len();
            for value in fine {
                let text = case.with(&[(setting.name, &value)]);
                assert!(parse(&text).is_ok(), "{text}");
            }
            for value in wrong {
                let problem = case.problem(&[(setting.name, &value)]);
                assert_eq!(problem.code, "WEIR-JOB-006", "{} = {value}", setting.name);
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn settings_of_one_name_in_one_table_have_one_bound() {
    for list in [&SOURCE[..], &OP, &SINK, &FUNCTION, &TEST] {
        for setting in list.iter().flat_map(Place::settings) {
            let first = find(list, setting.name).unwrap();
            assert_eq!(numbers(Some(first)), numbers(Some(setting)), "{}", setting.name);
            assert_eq!(times(Some(first)), times(Some(setting)), "{}", setting.name);
            assert_eq!(sizes(Some(first)), sizes(Some(setting)), "{}", setting.name);
        }
    }
}

#[test]
fn sizes_are_read_as_the_look_of_the_schema_says() {
    // The units of the look are those of the reader.
    for unit in ["KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB", "B"] {
        assert!(units::size(&format!("1{unit}")).is_some(), "{unit}");
        assert!(json::schema().to_string().contains(unit), "{unit}");
    }
}
