//! Windows beside a model that knows the rows and nothing of panes: event time with late rows, time
//! of batches, every mode, other lanes, and a process that dies in between.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::host::{Job, command, root};

/// The first moment, in seconds since 1970.
const START: i64 = 1_767_225_600;
/// The delay of the watermark and the interval of batches, in seconds.
const DELAY: i64 = 10;
const INTERVAL: i64 = 10;

/// User, event time if there is one, and a number.
type Row = (&'static str, Option<i64>, i64);

/// An op: size and slide in seconds, by which time, and which windows come out.
#[derive(Clone, Copy)]
struct Op {
    name: &'static str,
    size: i64,
    slide: i64,
    by_batch: bool,
    mode: &'static str,
    keyed: bool,
    wasm: bool,
}

const fn op(name: &'static str, (size, slide): (i64, i64), mode: &'static str) -> Op {
    Op { name, size, slide, by_batch: false, mode, keyed: true, wasm: false }
}

const OPS: [Op; 12] = [
    op("tumbling", (20, 20), "append"),
    op("tumbling_update", (20, 20), "update"),
    op("tumbling_complete", (20, 20), "complete"),
    op("sliding", (30, 20), "append"),
    op("sliding_update", (30, 20), "update"),
    op("sliding_complete", (30, 10), "complete"),
    Op { keyed: false, ..op("all_users", (15, 5), "append") },
    Op { wasm: true, ..op("function", (40, 10), "append") },
    Op { by_batch: true, ..op("of_batches", (30, 10), "append") },
    Op { by_batch: true, ..op("every_other", (40, 20), "append") },
    Op { by_batch: true, ..op("whole", (20, 20), "update") },
    Op { by_batch: true, wasm: true, keyed: true, ..op("batch_function", (30, 10), "update") },
];

impl Op {
    fn text(self) -> String {
        let Self { name, size, slide, by_batch, mode, keyed, wasm } = self;
        let time = if by_batch { "batch" } else { "event" };
        let what = match wasm {
            true => "wasm = \"{root}/plugins/text\"\ncall = \"sum\"",
            false => "native = \"aggregate\"\naggregates = { n = \"sum(n)\" }",
        };
        let key = if keyed { "key = [\"user\"]\n" } else { "" };
        let late = match by_batch {
            true => String::new(),
            false => format!(
                "[[sink]]\nid = \"{name}_late\"\nfrom = \"{name}.late\"\ntype = \"file\"\n\
                 path = \"out/{name}_late\"\n"
            ),
        };
        format!(
            "[[op]]\nid = \"{name}\"\nfrom = \"events\"\n{what}\n{key}\
             window = {{ size = \"{size}s\", slide = \"{slide}s\", time = \"{time}\" }}\n\
             [[sink]]\nid = \"{name}_out\"\nfrom = \"{name}\"\nmode = \"{mode}\"\ntype = \"file\"\n\
             path = \"out/{name}\"\n{late}"
        )
    }
}

/// Numbers that look random.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Batches whose times go on with the batches, some rows far behind, some without a time.
fn batches(seed: u64) -> Vec<Vec<Row>> {
    let mut chance = Chance(seed);
    let mut all = Vec::new();
    for batch in 0..14 {
        let rows = if chance.below(6) == 0 { 0 } else { chance.below(9) };
        let row = |chance: &mut Chance| {
            let user = ["ada", "bo", "cy"][chance.below(3) as usize];
            let time = batch * 8 + chance.below(14) as i64 - chance.below(30) as i64;
            let time = (chance.below(12) > 0).then_some(START + time);
            (user, time, chance.below(50) as i64)
        };
        all.push((0..rows).map(|_| row(&mut chance)).collect());
    }
    all
}

fn job(batches: &[Vec<Row>]) -> Job {
    let row = |(user, time, n): &Row| {
        let time = time.map_or(String::new(), |time| {
            let at = text_of(time);
            format!(", ts = \"{at}\"")
        });
        format!("{{ user = \"{user}\"{time}, n = {n} }}")
    };
    let list =
        |rows: &Vec<Row>| format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", "));
    let lists: Vec<String> = batches.iter().map(list).collect();
    let ops: String = OPS.iter().map(|op| op.text()).collect();
    Job::new(&format!(
        "version = 1\nname = \"windows\"\n[job]\nbatch = \"{INTERVAL}s\"\n[[source]]\n\
         id = \"events\"\ntype = \"rows\"\nschema = {{ user = \"string!\", ts = \"timestamp\", \
         n = \"int64!\" }}\nevent_time = {{ column = \"ts\", watermark = \"{DELAY}s\" }}\n\
         batches = [{}]\n{ops}",
        lists.join(",\n")
    ))
}

/// Seconds since 1970 as text. All are on the first two days of 2026.
fn text_of(time: i64) -> String {
    let (day, second) = ((time - START).div_euclid(86_400), (time - START).rem_euclid(86_400));
    let date = if day < 0 { "2025-12-31" } else { "2026-01-01" };
    format!("{date}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// What a window is made of so far: by user and end.
type Sums = BTreeMap<(String, i64), i64>;

/// The results of each batch: user, end of the window, sum. And how many rows were late.
fn model(op: Op, batches: &[Vec<Row>], count: usize) -> (Vec<Sums>, Vec<usize>) {
    let (mut given, mut lates) = (Vec::new(), Vec::new());
    let (mut sums, mut latest, mut before) = (Sums::new(), None::<i64>, i64::MIN);
    for batch in 0..count {
        let none = Vec::new();
        let rows = batches.get(batch).unwrap_or(&none);
        let now = match op.by_batch {
            true => (batch as i64 + 1) * INTERVAL,
            false if op.mode == "complete" => i64::MIN,
            false => latest.map_or(i64::MIN, |latest| latest - DELAY).max(before),
        };
        let open_after = if op.by_batch { before } else { now };
        let (mut changed, mut late) = (BTreeSet::new(), 0);
        for (user, time, n) in rows {
            let time = if op.by_batch { Some(batch as i64 * INTERVAL) } else { *time };
            let ends = time.map(|time| ends(op, time)).unwrap_or_default();
            let open: Vec<i64> = ends.into_iter().filter(|end| *end > open_after).collect();
            late += usize::from(open.is_empty());
            for end in open {
                let user = if op.keyed { (*user).to_owned() } else { String::new() };
                *sums.entry((user.clone(), end)).or_default() += n;
                changed.insert((user, end));
            }
        }
        let comes = |(key, _): &(&(String, i64), &i64)| match op.mode {
            "append" => before < key.1 && key.1 <= now,
            "update" => changed.contains(*key),
            _ => true,
        };
        given.push(sums.iter().filter(comes).map(|(key, n)| (key.clone(), *n)).collect());
        lates.push(late);
        latest = rows.iter().filter_map(|(_, time, _)| *time).chain(latest).max();
        before = now;
    }
    (given, lates)
}

/// The ends of the windows that a time is in.
fn ends(op: Op, time: i64) -> Vec<i64> {
    let first = time.div_euclid(op.slide) * op.slide + op.slide;
    (0..).map(|n| first + n * op.slide).take_while(|end| end - op.size <= time).collect()
}

fn written(job: &Job, sink: &str, batch: u64) -> Vec<Value> {
    if !job.path().join(format!("out/{sink}/batch={batch:020}")).exists() {
        return Vec::new();
    }
    let lines = job.written(&format!("out/{sink}"), batch).into_iter();
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// A time of a row in seconds since 1970, cut.
fn seconds(row: &Value, name: &str) -> i64 {
    let text = row[name].as_str().unwrap();
    let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    // Months are counted from March, so that a leap day is the last of its year.
    let (year, month) = (part(0..4), part(5..7));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
    let day = day + part(8..10) - 1 - 719_468;
    day * 86_400 + part(11..13) * 3600 + part(14..16) * 60 + part(17..19)
}

/// The results of a batch as the model has them. Windows of batches are counted from the first.
fn sums(op: Op, rows: &[Value], origin: i64) -> Sums {
    let mut sums = Sums::new();
    for row in rows {
        let end = seconds(row, "window_end") - if op.by_batch { origin } else { 0 };
        let begin = seconds(row, "window_start") - if op.by_batch { origin } else { 0 };
        assert_eq!(end - begin, op.size, "{row}");
        let user = row["user"].as_str().unwrap_or_default().to_owned();
        assert!(sums.insert((user, end), row["n"].as_i64().unwrap()).is_none(), "{row} twice");
    }
    sums
}

/// Runs what is there; with a point the process is killed there. Gives the number of batches.
fn run(job: &Job, point: &str, lanes: usize) -> usize {
    let mut command = command(job.path());
    let lanes = format!("job.parallelism={lanes}");
    let ran = command.args(["run", "job.toml", "--once", "--format", "json", "--set", &lanes]);
    let ran = ran.env("WEIR_CRASH_AT", point).output().unwrap();
    assert_eq!(ran.status.success(), point.is_empty(), "{point}: {ran:?}");
    let out = String::from_utf8(ran.stdout).unwrap();
    let events = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let batches = events.filter(|event| event["event"] == "batch");
    batches.filter_map(|event| event["batch"].as_u64()).max().unwrap_or(0) as usize
}

#[test]
fn windows_equal_a_model_in_every_mode_whatever_happens_in_between() {
    let starts: [&[(&str, usize)]; 4] = [
        &[("", 1)],
        &[("", 3)],
        &[("commit-intent-durable:4", 2), ("sink-committed:20", 1), ("", 3)],
        &[("run-done:7", 3), ("prepared-durable:3", 2), ("", 1)],
    ];
    for (seed, starts) in starts.iter().enumerate() {
        let batches = batches(seed as u64 + 7);
        let job = job(&batches);
        let count = starts.iter().map(|(point, lanes)| run(&job, point, *lanes)).max().unwrap();
        assert!(count >= batches.len(), "{count} batches");
        for op in OPS {
            let (want, late) = model(op, &batches, count);
            let origin = origin(&job, op, &want);
            for (batch, want) in want.iter().enumerate() {
                let number = batch as u64 + 1;
                let got = sums(op, &written(&job, op.name, number), origin);
                assert_eq!(&got, want, "seed {seed}, {}, batch {number}", op.name);
                if !op.by_batch {
                    let rows = written(&job, &format!("{}_late", op.name), number);
                    let what = format!("late of {}, batch {number}, seed {seed}", op.name);
                    assert_eq!(rows.len(), late[batch], "{what}");
                }
            }
        }
    }
}

/// Where windows of batches are counted from: the first result says it.
fn origin(job: &Job, op: Op, want: &[Sums]) -> i64 {
    let first = want.iter().position(|sums| !sums.is_empty());
    let Some(first) = first.filter(|_| op.by_batch) else { return 0 };
    let rows = written(job, op.name, first as u64 + 1);
    let ends = sums(Op { by_batch: false, ..op }, &rows, 0);
    let end = ends.keys().map(|(_, end)| *end).min().unwrap();
    end - want[first].keys().map(|(_, end)| *end).min().unwrap()
}

/// The readings of the example: meter, seconds since 1970 and Wh, by file.
fn readings() -> Vec<Vec<(String, i64, i64)>> {
    let made = Command::new(root().join("examples/06-meters/generate")).status().unwrap();
    assert!(made.success());
    let mut files: Vec<_> = std::fs::read_dir(root().join("examples/06-meters/input"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    files.sort();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (
            row["meter"].as_str().unwrap().to_owned(),
            seconds(&row, "ts"),
            row["wh"].as_i64().unwrap(),
        )
    };
    let rows = |path| std::fs::read_to_string(path).unwrap().lines().map(row).collect();
    files.into_iter().map(rows).collect()
}

#[test]
fn meters_use_in_each_hour_what_their_readings_add_up_to() {
    let files = readings();
    assert!(files.iter().map(Vec::len).sum::<usize>() >= 10_000 && files.len() == 96);
    let text = std::fs::read_to_string(root().join("examples/06-meters/job.toml")).unwrap();
    let input = root().join("examples/06-meters/input");
    let job = Job::new(&text.replace("\"input\"", &format!("\"{}\"", input.to_str().unwrap())));
    run(&job, "commit-intent-durable:50", 2);
    run(&job, "sink-committed:120", 1);
    let count = run(&job, "", 3);
    let (mut sums, mut latest) = (BTreeMap::<(String, i64), (i64, i64)>::new(), i64::MIN);
    let (mut before, mut late, mut alerts) = (i64::MIN, 0, 0);
    for batch in 0..count {
        let none = Vec::new();
        let rows = files.get(batch).unwrap_or(&none);
        let now = if latest == i64::MIN { latest } else { latest - 1200 };
        let mut behind = 0;
        for (meter, time, wh) in rows {
            let first = time.div_euclid(900) * 900 + 900;
            let open: Vec<i64> = (0..4).map(|n| first + n * 900).filter(|end| *end > now).collect();
            behind += usize::from(open.is_empty());
            for end in open {
                let sum = sums.entry((meter.clone(), end)).or_default();
                *sum = (sum.0 + wh, sum.1 + 1);
            }
        }
        let number = batch as u64 + 1;
        assert_eq!(written(&job, "late", number).len(), behind, "late in batch {number}");
        let got: BTreeMap<(String, i64), (i64, i64)> = written(&job, "hours", number)
            .iter()
            .map(|row| {
                let key = (row["meter"].as_str().unwrap().to_owned(), seconds(row, "window_end"));
                (key, (row["wh"].as_i64().unwrap(), row["readings"].as_i64().unwrap()))
            })
            .collect();
        let ended = |((_, end), _): &(&(String, i64), &(i64, i64))| before < *end && *end <= now;
        let want: BTreeMap<_, _> =
            sums.iter().filter(ended).map(|(k, v)| (k.clone(), *v)).collect();
        assert_eq!(got, want, "batch {number}");
        let too_much = want.values().filter(|(wh, _)| *wh > 900).count();
        assert_eq!(written(&job, "alerts", number).len(), too_much, "batch {number}");
        (late, alerts) = (late + behind, alerts + too_much);
        latest = rows.iter().map(|(_, time, _)| *time).chain([latest]).max().unwrap();
        before = now;
    }
    assert!(late > 20 && alerts > 20, "{late} late rows, {alerts} alerts");
}
