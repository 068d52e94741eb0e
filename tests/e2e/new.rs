//! A project of one's own, from nothing, without network: `host new`, `build`, `test`, `run` and
//! `dev`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::host::{Ran, command, root};

const KINDS: [&str; 6] =
    ["mapper", "predicate", "flat-mapper", "aggregator", "transformer", "updater"];

/// A folder outside of the repository, on a machine on which cargo never ran and has no network.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = tempfile::tempdir().unwrap();
        assert!(!desk.path().starts_with(root()));
        Self(desk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.path());
        command
            .args(arguments)
            .env("CARGO_HOME", self.path().join("cargo-home"))
            .env("CARGO_NET_OFFLINE", "true");
        command
    }

    fn host(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).unwrap();
    }
}

#[test]
fn a_new_project_is_built_tested_and_run_without_network() {
    let desk = Desk::new();
    desk.host(&["new", "demo", "--lang", "rust"]).fine();
    let built = desk.host(&["build", "demo"]).fine();
    assert!(built.out.contains("functions: fahrenheit"), "{built:#?}");
    let tested = desk.host(&["test", "demo"]).fine();
    assert!(tested.out.contains("ok   water boils at 212 degrees"), "{tested:#?}");
    let ran = desk.host(&["run", "demo/job.toml", "--once", "--format", "json"]).fine();
    let rows = ran.of_kind("rows")[0]["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 5);
    assert_eq!(rows[1], serde_json::json!({ "sensor": "attic", "fahrenheit": 88.25 }));
    let left = std::fs::read_dir(desk.path().join("cargo-home")).map(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name() == "registry" && entry.path().join("index").exists())
    });
    assert!(!left.unwrap_or(false), "cargo has asked a registry");
}

#[test]
fn the_template_of_every_kind_passes_its_tests_and_runs() {
    let desk = Desk::new();
    for kind in KINDS {
        let made = desk.host(&["new", kind, "--lang", "rust", "--kind", kind, "--format", "json"]);
        let told: Value = serde_json::from_str(&made.fine().out).unwrap();
        assert_eq!(told["kind"], kind);
        if kind != KINDS[0] {
            moved(&desk, kind);
        }
        let tested = desk.host(&["test", KINDS[0], "--format", "json"]).fine();
        let outcomes = tested.of_kind("test");
        assert!(!outcomes.is_empty() && outcomes.iter().all(|test| test["passed"] == true));
        let ran = desk.host(&["run", "mapper/job.toml", "--once", "--format", "json"]).fine();
        assert!(!ran.of_kind("rows")[0]["rows"].as_array().unwrap().is_empty(), "{kind}: {ran:#?}");
    }
}

/// Puts the function and the job of a project into the first one, where the crates are built.
fn moved(desk: &Desk, kind: &str) {
    let (from, to) = (desk.path().join(kind), desk.path().join(KINDS[0]));
    std::fs::remove_dir_all(to.join("input")).unwrap();
    for part in ["src/lib.rs", "job.toml", "input"] {
        std::fs::rename(from.join(part), to.join(part)).unwrap();
    }
}

#[test]
fn a_project_that_can_t_be_made_leaves_nothing_and_says_why() {
    let desk = Desk::new();
    desk.write("there", "");
    for (arguments, code, said) in [
        (["new", "there", "--lang", "rust"], "WEIR-CLI-006", "is there already"),
        (["new", "Demo", "--lang", "rust"], "WEIR-CLI-005", "lower-case"),
        (["new", "match", "--lang", "rust"], "WEIR-CLI-005", "a word of Rust"),
        (["new", "serde", "--lang", "rust"], "WEIR-CLI-005", "crate"),
        (["new", "demo", "--lang", "go"], "WEIR-CLI-004", "not in this version yet"),
        (["new", "there/demo", "--lang", "rust"], "WEIR-CLI-001", "`there`"),
    ] {
        let ran = desk.host(&arguments);
        assert!(ran.code != 0 && ran.err.contains(code), "{arguments:?}: {ran:#?}");
        assert!(ran.err.contains(said), "{arguments:?}: {ran:#?}");
    }
    assert_eq!(std::fs::read_dir(desk.path()).unwrap().count(), 1);
}

/// A `host dev` at work.
struct Dev {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Dev {
    fn start(desk: &Desk, path: &str) -> Self {
        let mut command = desk.command(&["dev", path, "--format", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// All events up to one that is wanted; that one is the last.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "it has ended: {events:#?}");
            events.push(serde_json::from_str(&line).unwrap());
            if wanted(&events[events.len() - 1]) {
                return events;
            }
        }
    }

    fn until_state(&mut self, state: &str) -> Vec<Value> {
        self.until(|event| event["state"] == state)
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

fn states(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["state"].as_str()).collect()
}

#[test]
fn dev_builds_and_runs_again_on_a_save_and_on_nothing_else() {
    let desk = Desk::new();
    desk.host(&["new", "demo", "--lang", "rust"]).fine();
    let job = desk.read("demo/job.toml");
    let with_output =
        "\n[[sink]]\nid = \"files\"\nfrom = \"converted\"\ntype = \"file\"\npath = \"out\"\n";
    let place = job.find("\n[[test]]").unwrap();
    desk.write("demo/job.toml", &format!("{}{with_output}{}", &job[..place], &job[place..]));
    let mut dev = Dev::start(&desk, "demo");
    let first = dev.until_state("ran");
    assert_eq!(states(&first), ["built", "running", "ran"]);
    let written = desk.path().join("demo/.weir/demo/dev/files/batch=00000000000000000001");
    assert!(written.is_dir() && !desk.path().join("demo/out").exists());
    assert_eq!(first.last().unwrap()["exit"], 0);
    assert!(first.iter().any(|event| event["rows"][0]["fahrenheit"] == 52.7), "{first:#?}");

    // An error of the compiler is shown, and the work goes on.
    let source = desk.read("demo/src/lib.rs");
    desk.write("demo/src/lib.rs", &source.replace("+ 32.0,", "+ \"32\","));
    let broken = dev.until_state("waiting");
    assert_eq!(states(&broken), ["changed", "waiting"], "its own output is no change");
    let error = broken.iter().find(|event| event["event"] == "error").unwrap();
    assert_eq!(error["code"], "WEIR-PLUGIN-005");
    assert!(error["context"]["output"].as_str().unwrap().contains("cannot add"), "{error}");

    desk.write("demo/src/lib.rs", &source.replace("+ 32.0,", "+ 132.0,"));
    let mended = dev.until_state("ran");
    assert_eq!(states(&mended), ["changed", "built", "running", "ran"]);
    assert!(mended[0]["paths"][0].as_str().unwrap().ends_with("demo/src/lib.rs"));
    assert!(mended.iter().any(|event| event["rows"][0]["fahrenheit"] == 152.7), "{mended:#?}");

    // The sample data and the job count too.
    desk.write("demo/input/readings.csv", "sensor,celsius\ncellar,0\n");
    let other_rows = dev.until_state("ran");
    assert!(other_rows.iter().any(|event| event["rows"][0]["fahrenheit"] == 132.0));
    desk.write("demo/job.toml", "version = 1\nname = ");
    let broken = dev.until_state("waiting");
    assert!(
        broken.iter().any(|event| event["problems"][0]["code"] == "WEIR-JOB-001"),
        "{broken:#?}"
    );
    desk.write("demo/job.toml", &job);
    assert_eq!(dev.until_state("ran").last().unwrap()["exit"], 0);
    assert_eq!(dev.end(), 0);
}

#[test]
fn dev_stops_a_run_that_never_ends_when_something_is_saved_and_when_it_ends_itself() {
    let desk = Desk::new();
    let job = |rows: u32| {
        format!(
            "version = 1\nname = \"ticks\"\n[job]\nbatch = \"10ms\"\n\
             [[source]]\nid = \"ticks\"\ntype = \"rate\"\nrows_per_second = {rows}\n\
             [[sink]]\nid = \"out\"\ntype = \"console\"\n"
        )
    };
    desk.write("job.toml", &job(100));
    let mut dev = Dev::start(&desk, "job.toml");
    let first = dev.until(|event| event["event"] == "rows");
    assert_eq!(states(&first), ["running"]);
    desk.write("job.toml", &job(200));
    let second = dev.until_state("running");
    assert_eq!(states(&second), ["changed", "running"]);
    assert!(second.iter().any(|event| event["event"] == "stopped"), "{second:#?}");
    dev.until(|event| event["event"] == "rows");
    assert_eq!(dev.end(), 0);
}
