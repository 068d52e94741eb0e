//! The example 03-etl, and its results computed once more without Weir.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::host::{Job, host, root};

fn example() -> PathBuf {
    root().join("examples/03-etl")
}

/// Gets the input, as its README says.
fn fetch() {
    let fetched = Command::new(example().join("fetch")).output().unwrap();
    let said = String::from_utf8_lossy(&fetched.stderr).into_owned();
    assert!(fetched.status.success(), "examples/03-etl/fetch: {said}");
}

/// The job in a folder of its own, with the input of the example.
fn job() -> Job {
    fetch();
    let text = std::fs::read_to_string(example().join("job.toml")).unwrap();
    let input = format!("\"{}/", example().join("input").to_str().unwrap());
    Job::new(&text.replace("\"../../", "\"{root}/").replace("\"input/", &input))
}

/// The records of a table without quotes, by the names of its columns.
fn table(path: &str) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(example().join("input").join(path)).unwrap();
    assert!(!text.contains('"'), "a table without quotes");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let names: Vec<String> = lines.next().unwrap().collect();
    lines.map(|values| names.iter().cloned().zip(values).collect()).collect()
}

/// What is to come of a state.
#[derive(Debug, Default, PartialEq)]
struct State {
    strikes: i64,
    damaged: i64,
    cost: i64,
    fastest: Option<i64>,
    population: i64,
}

/// The states, and the reasons of what is refused, by where it stands.
fn computed() -> (BTreeMap<String, State>, BTreeMap<usize, String>) {
    let population: BTreeMap<String, i64> = table("people/people.csv")
        .iter()
        .map(|row| (row["state"].clone(), row["population"].parse().unwrap()))
        .collect();
    let (mut states, mut refused) = (BTreeMap::<String, State>::new(), BTreeMap::new());
    for (at, row) in table("strikes/birdstrikes.csv").iter().enumerate() {
        let speed: Option<i64> = row["Speed IAS in knots"].parse().ok();
        let (damage, phase) = (&row["Effect Amount of damage"], &row["Phase of flight"]);
        if speed == Some(0) && matches!(phase.as_str(), "Approach" | "Climb" | "Descent") {
            refused.insert(at + 2, format!("0 knots while in phase {phase}"));
            continue;
        }
        if damage == "B" || damage == "C" {
            refused.insert(
                at + 2,
                format!("damage `{damage}` is not None, Minor, Medium or Substantial"),
            );
            continue;
        }
        let state = row["Origin State"].as_str();
        let name = if state == "DC" { "District of Columbia" } else { state };
        let sum = states.entry(name.to_owned()).or_default();
        sum.strikes += 1;
        sum.damaged += i64::from(damage != "None");
        sum.cost += row["Cost Total $"].parse::<i64>().unwrap();
        sum.fastest = sum.fastest.max(speed);
        sum.population = population[name];
    }
    (states, refused)
}

fn letters(job: &Job) -> BTreeMap<usize, String> {
    let runs = job.path().join(".weir/etl/dead-letters");
    let run = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap();
    let batch = run.path().join("batch=00000000000000000001");
    let mut letters = BTreeMap::new();
    for part in std::fs::read_dir(batch).unwrap() {
        let path = part.unwrap().path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let letter: Value = serde_json::from_str(line).unwrap();
            let origin = letter["origin"].as_str().unwrap();
            let line = origin.rsplit_once(':').unwrap().1.parse().unwrap();
            letters.insert(line, letter["message"].as_str().unwrap().to_owned());
        }
    }
    letters
}

#[test]
fn the_job_of_03_etl_gives_what_an_independent_computation_gives() {
    let job = job();
    let ran = job.once(&[]).fine();
    assert!(ran.err.contains("10,052 rows in"), "{}", ran.err);
    let (expected, refused) = computed();
    assert_eq!(refused.len(), 23);
    let states: BTreeMap<String, State> = job
        .written("out/states", 1)
        .iter()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| row[name].as_i64().unwrap();
            let state = State {
                strikes: number("strikes"),
                damaged: number("damaged"),
                cost: number("cost"),
                fastest: row["fastest"].as_i64(),
                population: number("population"),
            };
            (row["state"].as_str().unwrap().to_owned(), state)
        })
        .collect();
    assert_eq!(states, expected);
    let letters = letters(&job);
    assert_eq!(letters.keys().collect::<Vec<_>>(), refused.keys().collect::<Vec<_>>());
    for (line, reason) in &refused {
        assert!(letters[line].contains(reason), "line {line}: {} {reason}", letters[line]);
    }
    let readme = std::fs::read_to_string(example().join("README.md")).unwrap();
    let shown = ran.out.lines().filter(|line| line.starts_with('|'));
    assert_eq!(shown.clone().count(), 5 + 1, "{}", ran.out);
    for line in shown {
        assert!(readme.contains(line.trim_end()), "{line} is not in the README");
    }
    // The Parquet files are read by another job: all strikes, and what they cost, are there.
    let again = Job::new(AGAIN);
    let out = job.path().join("out/strikes/batch=00000000000000000001/*.parquet");
    let set = format!("source.strikes.path={}", out.display());
    let sums = again.rows(&["--set", &set]);
    let total = |of: fn(&State) -> i64| expected.values().map(of).sum::<i64>();
    assert_eq!(sums[0]["strikes"], total(|state| state.strikes));
    assert_eq!(sums[0]["cost"], total(|state| state.cost));
    assert_eq!(sums[0]["last"], "2002-07-25");
}

const AGAIN: &str = r#"
version = 1
name = "again"
[[source]]
id = "strikes"
type = "file"
path = "set by the test"
format = "parquet"
[[op]]
id = "sums"
sql = "SELECT count(*) AS strikes, sum(cost) AS cost, max(day) AS last FROM strikes"
[[sink]]
id = "shown"
type = "console"
"#;

#[test]
fn the_tests_in_the_job_of_03_etl_and_of_its_plugin_hold() {
    fetch();
    host(&root(), &["test", "examples/03-etl/job.toml"]).fine();
    host(&root(), &["test", "plugins/birdstrikes"]).fine();
}
