//! Input that comes with time: sockets, rates, and what is united with them.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::host::{Job, command};

/// A job that writes what comes from `sockets`.
const LINES: &str = r#"
version = 1
name = "lines"
[job]
batch = "0s"
[[source]]
id = "lines"
type = "socket"
address = {address}
block_interval = "20ms"
{more}
[[sink]]
id = "out"
type = "file"
path = "out"
"#;

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn lines(listeners: &[&TcpListener], more: &str) -> Job {
    let addresses: Vec<String> =
        listeners.iter().map(|l| format!("\"{}\"", l.local_addr().unwrap())).collect();
    let address = format!("[{}]", addresses.join(", "));
    Job::new(&LINES.replace("{address}", &address).replace("{more}", more))
}

/// A job that runs, and its events.
struct Running {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(job: &Job, more: &[&str]) -> Self {
        let mut child = command(job.path())
            .args(["run", "job.toml", "--format", "json"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events }
    }

    /// The next event of a kind.
    fn next(&mut self, kind: &str) -> Option<Value> {
        let events = self.events.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        events.into_iter().find(|event: &Value| event["event"] == kind)
    }

    /// Waits until so many rows have come in batches from here on.
    fn rows(&mut self, rows: u64) -> u64 {
        let mut batches = 0;
        let mut seen = 0;
        while seen < rows {
            seen += self.next("batch").unwrap()["rows_in"].as_u64().unwrap();
            batches += 1;
        }
        assert_eq!(seen, rows);
        batches
    }

    /// The most memory that it had, in MiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// SIGTERM, and its end.
    fn stop(mut self) -> Vec<Value> {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").arg(id).status().unwrap().success());
        self.end()
    }

    fn end(&mut self) -> Vec<Value> {
        let rest = self.events.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        let rest = rest.collect();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().unwrap().0
}

/// What all batches wrote, in their order.
fn all_written(job: &Job) -> Vec<String> {
    // A batch without rows has no folder.
    let batches = std::fs::read_dir(job.path().join("out")).unwrap();
    let mut numbers: Vec<u64> = batches
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_prefix("batch=").map(|number| number.parse().unwrap())
        })
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().flat_map(|batch| job.written("out", batch)).collect()
}

fn row(line: &str) -> String {
    format!("{{\"line\":\"{line}\"}}")
}

#[test]
fn once_takes_two_receivers_until_their_peers_close_and_a_half_line_at_an_end_in_order() {
    let (one, two) = (listen(), listen());
    let job = lines(&[&one, &two], "");
    let mut running = Running::start(&job, &["--once"]);
    let (mut first, mut second) = (accept(&one), accept(&two));
    for byte in b"one\ntwo\r\n\nthree, byte by byte" {
        first.write_all(&[*byte]).unwrap();
    }
    second.write_all(b"four\n").unwrap();
    drop((first, second));
    running.end();
    let mut rows = all_written(&job);
    let position = |line: &str| rows.iter().position(|written| *written == row(line)).unwrap();
    assert!(position("one") < position("two") && position("two") < position("three, byte by byte"));
    rows.sort();
    let mut expected: Vec<String> =
        ["one", "two", "", "three, byte by byte", "four"].map(row).to_vec();
    expected.sort();
    assert_eq!(rows, expected);
}

#[test]
fn a_connection_that_ends_is_made_anew_and_each_change_is_told_once() {
    let listener = listen();
    let job = lines(&[&listener], "");
    let mut running = Running::start(&job, &[]);
    let mut peer = accept(&listener);
    assert_eq!(running.next("connection").unwrap()["up"], true);
    peer.write_all(b"a\n").unwrap();
    running.rows(1);
    drop(peer);
    let gone = running.next("connection").unwrap();
    assert_eq!((&gone["up"], &gone["receiver"]), (&false.into(), &1.into()));
    let mut peer = accept(&listener);
    assert_eq!(running.next("connection").unwrap()["up"], true);
    peer.write_all(b"b\n").unwrap();
    running.rows(1);
    running.stop();
    assert_eq!(all_written(&job), ["a", "b"].map(row));
}

#[test]
fn a_peer_that_falls_silent_in_a_line_is_left_and_the_half_line_is_told_as_lost() {
    let listener = listen();
    let job = lines(&[&listener], "idle_timeout = \"300ms\"");
    let mut running = Running::start(&job, &[]);
    let mut silent = accept(&listener);
    assert_eq!(running.next("connection").unwrap()["up"], true);
    silent.write_all(b"whole\nhalf").unwrap();
    let mut lost = running.next("connection").unwrap();
    while lost["up"] == true {
        lost = running.next("connection").unwrap();
    }
    let reason = lost["reason"].as_str().unwrap();
    assert!(reason.contains("4 bytes of a line without its end are lost"), "{reason}");
    running.stop();
    assert_eq!(all_written(&job), ["whole"].map(row));
}

#[test]
fn of_64_mb_without_a_line_end_little_is_held_and_the_next_line_is_a_row() {
    let listener = listen();
    let job = lines(&[&listener], "on_error = \"skip\"");
    let mut running = Running::start(&job, &[]);
    let mut peer = accept(&listener);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        peer.write_all(&piece).unwrap();
    }
    peer.write_all(b"\nnext\n").unwrap();
    running.rows(1);
    let memory = running.memory();
    assert!(memory < 256, "{memory} MiB");
    running.stop();
    assert_eq!(all_written(&job), ["next"].map(row));
}

#[test]
fn a_flood_is_held_back_and_every_line_arrives() {
    const LINES: u64 = 2_000_000;
    let listener = listen();
    let job = lines(&[&listener], "buffer = \"4MiB\"");
    let mut running = Running::start(&job, &[]);
    let mut peer = accept(&listener);
    let flood = std::thread::spawn(move || {
        let line = format!("{}\n", "0123456789".repeat(9));
        let piece = line.repeat(1000);
        for _ in 0..LINES / 1000 {
            peer.write_all(piece.as_bytes()).unwrap();
        }
        peer
    });
    running.rows(LINES);
    let memory = running.memory();
    assert!(memory < 256, "{memory} MiB for 182 MB");
    drop(flood.join().unwrap());
    running.stop();
}

#[test]
fn sigterm_takes_what_was_received_into_a_last_batch() {
    let listener = listen();
    let job = lines(&[&listener], "max_rate = 1");
    let mut running = Running::start(&job, &[]);
    let mut peer = accept(&listener);
    let all: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    peer.write_all(format!("{}\n", all.join("\n")).as_bytes()).unwrap();
    // The first row is taken alone, and its block has the others.
    assert_eq!(running.next("batch").unwrap()["rows_in"], 1);
    let rest = running.stop();
    let stopped = rest.iter().find(|event| event["event"] == "stopped").unwrap();
    assert_eq!(stopped["rows_in"], 50);
    let expected: Vec<String> = all.iter().map(|line| row(line)).collect();
    assert_eq!(all_written(&job), expected);
}

#[test]
fn a_bad_line_is_named_by_where_it_was_received_or_left_out() {
    let schema = "format = \"json\"\nschema = { n = \"int64!\" }\n";
    let run = |more: &str| {
        let listener = listen();
        let job = lines(&[&listener], &format!("{schema}{more}"));
        let server = std::thread::spawn(move || {
            let text = b"{\"n\":1}\n\nnonsense\n{\"n\":2}\n{\"n\":\"x\"}\n{\"n\":3}\n";
            accept(&listener).write_all(text).unwrap();
        });
        let ran = job.once(&["--format", "json"]);
        server.join().unwrap();
        (ran, job)
    };
    let (ran, _) = run("");
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.out.contains("receiver 1, block 1, line 3: not valid JSON"), "{}", ran.out);
    let (ran, job) = run("on_error = \"skip\"");
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(all_written(&job), ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    assert_eq!(ran.of_kind("batch")[0]["refused"][0]["skipped"], 2, "{}", ran.out);
    let (ran, job) = run("on_error = \"dead-letter\"");
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(all_written(&job).len(), 3);
}

#[test]
fn a_union_has_the_rows_of_its_first_input_first() {
    let listener = listen();
    let job = r#"
version = 1
name = "united"
[job]
batch = "1s"
[[source]]
id = "received"
type = "socket"
address = "{address}"
block_interval = "10ms"
[[source]]
id = "written"
type = "rows"
schema = { line = "string!" }
rows = [{ line = "r" }]
[[source]]
id = "read"
type = "file"
path = "in"
[[op]]
id = "all"
native = "union"
from = ["read", "received", "written"]
[[sink]]
id = "out"
type = "file"
path = "out"
"#;
    let job = Job::new(&job.replace("{address}", &listener.local_addr().unwrap().to_string()));
    let job = job.file("in/a.txt", "f1\nf2");
    let server = std::thread::spawn(move || accept(&listener).write_all(b"s1\ns2\n").unwrap());
    job.once(&[]).fine();
    server.join().unwrap();
    let rows = all_written(&job);
    let position = |line: &str| rows.iter().position(|written| *written == row(line)).unwrap();
    assert!(position("f1") < position("f2") && position("f2") < position("r"), "{rows:?}");
    assert!(position("s1") < position("s2") && rows.len() == 5, "{rows:?}");
    // The order holds within a batch, and these two are always in the first.
    assert_eq!(job.written("out", 1)[0], row("f1"));
}

const RATE: &str = r#"
version = 1
name = "numbers"
[job]
batch = "0s"
[[source]]
id = "numbers"
type = "rate"
rows_per_second = 1000
{more}
[[op]]
id = "sums"
sql = "SELECT count(*) AS n, sum(value) AS s, max(timestamp) > min(timestamp) AS later FROM numbers"
[[sink]]
id = "out"
type = "file"
path = "out"
"#;

#[test]
fn a_rate_with_a_count_gives_its_numbers_and_without_one_has_no_once() {
    let job = Job::new(&RATE.replace("{more}", "count = 100000"));
    job.once(&[]).fine();
    assert_eq!(job.written("out", 1), ["{\"n\":100000,\"s\":4999950000,\"later\":true}"]);
    let ran = Job::new(&RATE.replace("{more}", "")).once(&[]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("WEIR-SOURCE-008"), "{}", ran.err);
}

#[test]
fn a_running_rate_ends_with_its_count() {
    let job = Job::new(&RATE.replace("{more}", "count = 300"));
    let mut running = Running::start(&job, &[]);
    let events = running.end();
    let stopped = events.iter().find(|event| event["event"] == "stopped").unwrap();
    assert_eq!(stopped["rows_in"], 300);
    assert!(stopped["batches"].as_u64().unwrap() > 1, "{stopped}");
}

#[test]
fn a_connection_that_is_reset_is_made_anew_and_a_half_line_is_told() {
    let listener = listen();
    let job = lines(&[&listener], "");
    let mut running = Running::start(&job, &[]);
    let (mut first, _) = listener.accept().unwrap();
    first.write_all(b"\xEF\xBB\xBFfirst\nhal").unwrap();
    assert!(running.next("connection").unwrap()["up"].as_bool().unwrap());
    running.rows(1);
    let reset = Some(std::time::Duration::ZERO);
    socket2::SockRef::from(&first).set_linger(reset).unwrap();
    drop(first);
    let down = running.next("connection").unwrap();
    let reason = down["reason"].as_str().unwrap();
    assert!(reason.contains("reset") && reason.contains("3 bytes of a line"), "{down}");
    let (mut second, _) = listener.accept().unwrap();
    second.write_all(b"second\n").unwrap();
    running.rows(1);
    running.stop();
    assert_eq!(job.written("out", 1), ["{\"line\":\"first\"}"]);
    assert_eq!(job.written("out", 2), ["{\"line\":\"second\"}"]);
}

/// Starts a job that ends at a crash point.
fn start_until(job: &Job, point: &str) -> Running {
    let mut child = command(job.path())
        .args(["run", "job.toml", "--format", "json"])
        .env("WEIR_CRASH_AT", point)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let events = BufReader::new(child.stdout.take().unwrap()).lines();
    Running { child, events }
}

/// Sends numbered lines, more with each batch, until the process has ended.
fn send_until_the_end(running: &mut Running, listener: &TcpListener) {
    let mut peer = accept(listener);
    let mut next = 0;
    let mut send = || {
        let lines: String = (next..next + 50).map(|n| format!("n{n:06}\n")).collect();
        next += 50;
        // The process may have ended by now.
        let _ = peer.write_all(lines.as_bytes());
    };
    send();
    while running.next("batch").is_some() {
        send();
    }
    assert_eq!(running.child.wait().unwrap().code(), None, "the point was not passed");
}

/// The numbered lines that the log has.
fn logged(job: &Job) -> Vec<String> {
    let mut lines = Vec::new();
    let Ok(entries) = std::fs::read_dir(job.path().join(".weir/lines/checkpoint/wal/lines")) else {
        return lines;
    };
    for entry in entries {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let whole = |at: &usize| bytes[*at] == b'n' && bytes.get(*at + 7) == Some(&b'\n');
        let digits = |at: &usize| bytes[*at + 1..*at + 7].iter().all(u8::is_ascii_digit);
        let found = (0..bytes.len()).filter(whole).filter(digits);
        lines.extend(found.map(|at| row(std::str::from_utf8(&bytes[at..at + 7]).unwrap())));
    }
    lines
}

/// Goes on until a last line has come, and gives the event of the beginning and all rows.
fn go_on(job: &Job, listener: &TcpListener) -> (Value, Vec<String>) {
    let mut running = Running::start(job, &[]);
    let resumed = running.next("resumed").unwrap();
    accept(listener).write_all(b"end\n").unwrap();
    while !all_written(job).contains(&row("end")) {
        running.next("batch").unwrap();
    }
    running.stop();
    let mut rows = all_written(job);
    assert_eq!(rows.pop(), Some(row("end")));
    (resumed, rows)
}

#[test]
fn lines_in_the_log_are_in_the_output_once_wherever_the_process_was_killed() {
    for point in [
        "wal-durable:1",
        "wal-durable:3",
        "append-written:6",
        "intent-durable:2",
        "run-done:2",
        "sink-prepared:2",
        "sink-commit-begins:2",
        "sink-committed:2",
        "commit-begins:2",
        "commit-durable:2",
        "acknowledge-begins:2",
        "acknowledged:3",
    ] {
        let listener = listen();
        let job = lines(&[&listener], "");
        send_until_the_end(&mut start_until(&job, point), &listener);
        let mut expected = [logged(&job), all_written(&job)].concat();
        expected.sort();
        expected.dedup();
        assert!(expected.len() >= 50, "{point}: {}", expected.len());
        let (_, rows) = go_on(&job, &listener);
        // Each once, and in the order in which they were sent.
        assert_eq!(rows, expected, "{point}");
    }
}

#[test]
fn without_a_log_lines_come_at_most_once_and_the_job_goes_on() {
    for point in ["run-done:2", "sink-committed:2", "commit-durable:2"] {
        let listener = listen();
        let job = lines(&[&listener], "wal = false");
        send_until_the_end(&mut start_until(&job, point), &listener);
        assert_eq!(logged(&job), [""; 0], "{point}");
        let visible = all_written(&job);
        let (resumed, rows) = go_on(&job, &listener);
        assert_eq!(rows, visible, "{point}");
        let told =
            resumed["notes"].to_string().contains("comes without lines: lines that came over TCP");
        assert_eq!(told, point != "commit-durable:2", "{point}: {resumed}");
    }
}

#[test]
fn a_damaged_log_is_named_and_not_passed_over() {
    let listener = listen();
    let job = lines(&[&listener], "");
    send_until_the_end(&mut start_until(&job, "commit-durable:2"), &listener);
    let folder = job.path().join(".weir/lines/checkpoint/wal/lines");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[80] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = crate::host::host(job.path(), &["run", "job.toml", "--once"]);
    assert_eq!(ran.code, 69, "{ran:#?}");
    assert!(ran.err.contains("WEIR-SOURCE-014"), "{}", ran.err);
    assert!(ran.err.contains(".wal` at byte 0"), "{}", ran.err);
}
