//! The examples 04-sales and 05-sessions, and their results computed once more without Weir.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::host::{Job, command, host, root};

/// Users, products and prices of each file.
type Day = Vec<Vec<(String, String, i64)>>;

/// The input, made once.
fn day() -> &'static Day {
    static DAY: OnceLock<Day> = OnceLock::new();
    DAY.get_or_init(make)
}

fn make() -> Day {
    let made = Command::new(root().join("examples/04-sales/generate")).status().unwrap();
    assert!(made.success());
    let mut files: Vec<_> = std::fs::read_dir(root().join("examples/04-sales/input"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    files.sort();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (text("user"), text("product"), row["price"].as_i64().unwrap())
    };
    let rows = |path| std::fs::read_to_string(path).unwrap().lines().map(row).collect();
    files.into_iter().map(rows).collect()
}

fn example(name: &str) -> Job {
    let text = std::fs::read_to_string(root().join("examples").join(name).join("job.toml"));
    let input = root().join("examples/04-sales/input");
    let input = format!("path = \"{}\"", input.to_str().unwrap());
    let text = text.unwrap().replace("\"../../", "\"{root}/");
    let text = text.replace("path = \"../04-sales/input\"", &input);
    Job::new(&text.replace("path = \"input\"", &input))
}

/// Runs what is there; with a point the process is killed there.
fn run(job: &Job, point: &str, more: &[&str]) {
    let mut command = command(job.path());
    let ran = command.args(["run", "job.toml", "--once"]).args(more).env("WEIR_CRASH_AT", point);
    let ran = ran.output().unwrap();
    assert_eq!(ran.status.success(), point.is_empty(), "{point}: {ran:?}");
}

/// The rows of a sink in a batch, by the text of a column.
fn written(job: &Job, sink: &str, batch: u64, by: &str) -> BTreeMap<String, Value> {
    let path = job.path().join(format!("out/{sink}/batch={batch:020}"));
    if !path.exists() {
        return BTreeMap::new();
    }
    let lines = job.written(&format!("out/{sink}"), batch).into_iter();
    let rows = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    rows.map(|row| (row[by].to_string().trim_matches('"').to_owned(), row)).collect()
}

#[test]
fn sales_over_a_day_are_those_of_a_sum_whatever_happens_in_between() {
    let day = day();
    assert!(day.iter().map(Vec::len).sum::<usize>() >= 10_000 && day.len() == 144);
    let job = example("04-sales");
    // It dies twice, and goes on with another number of lanes.
    for (lanes, point) in [("2", "sink-committed:90"), ("1", "prepared-durable:31"), ("3", "")] {
        run(&job, point, &["--set", &format!("job.parallelism={lanes}")]);
    }
    host(job.path(), &["test", "job.toml"]).fine();
    let mut sold = BTreeMap::<String, (i64, i64, i64)>::new();
    for (slot, rows) in day.iter().enumerate() {
        let batch = slot as u64 + 1;
        let mut new = BTreeMap::<String, i64>::new();
        for (_, product, price) in rows {
            let (orders, revenue, dearest) = sold.entry(product.clone()).or_default();
            (*orders, *revenue) = (*orders + 1, *revenue + price);
            *dearest = (*dearest).max(*price);
            *new.entry(product.clone()).or_default() += 1;
        }
        let every = written(&job, "every", batch, "product");
        let touched = written(&job, "touched", batch, "product");
        let totals = written(&job, "totals", batch, "product");
        assert_eq!(every.len(), sold.len(), "batch {batch}");
        assert_eq!((touched.len(), totals.len()), (new.len(), new.len()), "batch {batch}");
        for (product, (orders, revenue, dearest)) in &sold {
            let came = new.get(product).copied().unwrap_or(0);
            let expected = (Some(came), Some(*orders), Some(*revenue));
            let of = |row: &Value| {
                (row["new_orders"].as_i64(), row["orders"].as_i64(), row["revenue"].as_i64())
            };
            assert_eq!(of(&every[product]), expected, "batch {batch}, {product}");
            if came > 0 {
                assert_eq!(of(&touched[product]), expected);
                assert_eq!(totals[product]["orders"].as_i64(), Some(*orders));
                assert_eq!(totals[product]["revenue"].as_i64(), Some(*revenue));
                assert_eq!(totals[product]["dearest"].as_i64(), Some(*dearest));
            }
        }
    }
    assert_eq!(written(&job, "every", 145, "product").len(), 0);
    let states = host(job.path(), &["state", "ls", "job.toml", "--format", "json"]).fine();
    assert_eq!(states.events().len(), 4, "three ops and the files: {}", states.out);
}

#[test]
fn sessions_end_half_an_hour_after_their_last_event() {
    let day = day();
    let job = example("05-sessions");
    run(&job, "commit-intent-durable:70", &[]);
    run(&job, "", &["--verify"]);
    // A session: first and last slot, events, spent.
    let mut open = BTreeMap::<String, (usize, usize, i64, i64)>::new();
    let mut ended = 0;
    for (slot, rows) in day.iter().enumerate() {
        let mut expected = BTreeMap::new();
        open.retain(|user, (first, last, events, spent)| {
            let over = slot >= *last + 3;
            if over {
                expected.insert(user.clone(), ((*last - *first) as i64 * 10, *events, *spent));
            }
            !over
        });
        for (user, _, price) in rows {
            let session = open.entry(user.clone()).or_insert((slot, slot, 0, 0));
            *session = (session.0, slot, session.2 + 1, session.3 + price);
        }
        let told = written(&job, "sessions", slot as u64 + 1, "user");
        let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
        let of =
            |row: &Value| (number(row, "minutes"), number(row, "events"), number(row, "spent"));
        let told: BTreeMap<_, _> = told.iter().map(|(user, row)| (user.clone(), of(row))).collect();
        assert_eq!(told, expected, "batch {}", slot + 1);
        ended += expected.len();
    }
    assert!(ended > 1_000, "{ended}");
    let query = "SELECT count(*) AS n FROM sessions";
    let left = host(job.path(), &["state", "sql", "job.toml", query, "--format", "json"]).fine();
    assert_eq!(left.events()[0]["n"], open.len() as i64);
    host(&root(), &["test", "plugins/shop"]).fine();
}
