//! Every command says what it did as JSON, when it went well and when it did not.

use std::path::Path;

use serde_json::Value;

use crate::host::{Job, Ran, host, root};

/// Commands whose output is something else by nature, with the reason.
const OTHER: [(&str, &str); 1] = [("completions", "prints a script for a shell")];

/// It ends when it is stopped: the tests of `new` read its events.
const ENDLESS: &str = "dev";

/// Arguments with which each command does what it is for, and with which it can't.
const CASES: [(&str, &str, &str); 23] = [
    ("new", "made --lang rust", "job.toml --lang rust"),
    (ENDLESS, "", "job.toml something-else"),
    ("run", "job.toml --once", "nothing.toml"),
    ("checkpoint ls", "job.toml", "bad.toml"),
    ("checkpoint verify", "job.toml", "nothing.toml"),
    ("checkpoint repair", "job.toml", "nothing.toml"),
    ("state ls", "job.toml", "bad.toml"),
    ("state sql", "job.toml {sql}", "job.toml nonsense"),
    ("state get", "files.toml files in/a", "files.toml files nothing"),
    ("state export", "files.toml files", "files.toml nothing"),
    ("checkpoint rm", "job.toml --yes", "bad.toml"),
    ("check", "job.toml", "bad.toml"),
    ("test", "job.toml", "nothing.toml"),
    ("plan", "job.toml", "bad.toml"),
    ("build", "{root}/plugins/text", "nothing"),
    ("inspect", "{root}/plugins/text", "nothing.wasm"),
    ("fmt", "job.toml", "nothing.toml"),
    ("explain", "WEIR-JOB-003", "WEIR-NO-1"),
    ("config show", "job.toml", "bad.toml"),
    ("schema", "", "something"),
    ("doctor", "", "something"),
    ("man", "pages", "job.toml/below-a-file"),
    ("test", "no-job", "bad.toml"),
];

const JOB: &str = "version = 1\nname = \"x\"\n\n[[source]]\nid = \"a\"\ntype = \"rows\"\n\
                   rows = [{ n = 1 }]\n\n[[sink]]\nid = \"out\"\ntype = \"console\"\n\n[[test]]\n\
                   name = \"one\"\nto = \"a\"\nfeed.a = [{ n = 1 }]\nexpect = [{ n = 1 }]\n";

/// A job that keeps something: the files that it took.
const FILES: &str = "version = 1\nname = \"files\"\n[[source]]\nid = \"files\"\ntype = \"file\"\n\
                     path = \"in\"\n[[sink]]\nid = \"out\"\ntype = \"console\"\n";

/// The commands below one, as its help lists them.
fn commands(folder: &Path, above: &str) -> Vec<String> {
    let mut arguments: Vec<&str> = above.split_whitespace().collect();
    arguments.push("--help");
    let help = host(folder, &arguments).fine().out;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // What a command is for may go on in a line that is further in.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .flat_map(|name| {
            let command = format!("{above} {name}").trim().to_owned();
            let below = commands(folder, &command);
            if below.is_empty() { vec![command] } else { below }
        })
        .collect()
}

fn in_json(folder: &Path, command: &str, arguments: &str) -> Ran {
    let line = format!("{command} {arguments} --format json");
    let line = line.replace("{root}", root().to_str().unwrap());
    let parts = line.split_whitespace();
    let parts = parts.map(|part| if part == "{sql}" { "SELECT 1 AS one" } else { part });
    let ran = host(folder, &parts.collect::<Vec<_>>());
    let events = ran.events();
    assert!(!events.is_empty() && events.iter().all(Value::is_object), "{line}: {ran:#?}");
    ran
}

#[test]
fn every_command_speaks_json() {
    let job = Job::new(JOB).file("bad.toml", "version = 2\n");
    std::fs::create_dir(job.path().join("no-job")).unwrap();
    let job = job.file("files.toml", FILES).file("in/a", "a line\n");
    host(job.path(), &["run", "files.toml", "--once"]).fine();
    let commands = commands(job.path(), "");
    assert!(commands.len() >= 12, "{commands:?}");
    let known: Vec<&str> = CASES.iter().map(|(command, _, _)| *command).collect();
    for command in &commands {
        let other = OTHER.iter().any(|(other, why)| other == command && !why.is_empty());
        assert!(other != known.contains(&command.as_str()), "how is `host {command}` tried here?");
    }
    for (command, fine, wrong) in CASES {
        assert!(commands.iter().any(|listed| listed == command), "there is no `host {command}`");
        if command != ENDLESS {
            in_json(job.path(), command, fine).fine();
        }
        let ran = in_json(job.path(), command, wrong);
        assert_ne!(ran.code, 0, "{command} {wrong}: {ran:#?}");
        let errors = ran.of_kind("error");
        assert!(!errors.is_empty(), "{command} {wrong}: {ran:#?}");
        for error in errors {
            let code = |value: &Value| value["code"].as_str().map(str::to_owned);
            let first = code(&error).or_else(|| code(&error["problems"][0]));
            assert!(first.unwrap().starts_with("WEIR-"), "{error}");
        }
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_told_as_it_was_asked_for() {
    let job = Job::new(JOB);
    let ran = host(job.path(), &["run", "--no-such", "--format=json"]);
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert_eq!(ran.events()[0]["code"], "WEIR-CLI-009");
    let ran = host(job.path(), &["run", "--no-such"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
    assert!(ran.err.contains("unexpected argument '--no-such'"), "{}", ran.err);
    let ran = host(job.path(), &["--version"]).fine();
    assert!(ran.out.starts_with("host "), "{}", ran.out);
}
