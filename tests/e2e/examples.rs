//! Every example does what its README says, and the result is counted again by other means.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;

use crate::host::{host, root};

/// Words as the job of 01-wordcount cleans and counts them, counted without Weir.
fn counted() -> Vec<(String, i64)> {
    let stop = "a an and are as at be but by for he her him his i in is it me my not of on or our \
                shall she that the their them they this thou thy to unto us was we were which with \
                ye you";
    let stop: Vec<&str> = stop.split(' ').collect();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let input = root().join("examples/01-wordcount/input");
    for file in std::fs::read_dir(input).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for word in text.split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            if !word.is_empty() && !stop.contains(&word.as_str()) {
                *counts.entry(word).or_default() += 1;
            }
        }
    }
    let mut counts: Vec<(String, i64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

#[test]
fn the_word_count_of_01_wordcount_equals_an_independent_count() {
    let ran = host(&root(), &["run", "examples/01-wordcount/job.toml", "--once", "--from", "none"])
        .fine();
    let shown: Vec<(String, i64)> = ran
        .out
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
        })
        .collect();
    assert_eq!(shown, counted()[..10]);
    assert!(ran.err.contains("13,809 rows in"), "{}", ran.err);
    let expected = root().join("examples/01-wordcount/expected.txt");
    let expected = std::fs::read_to_string(expected).unwrap();
    for line in expected.lines().filter(|line| line.starts_with('|')) {
        assert!(ran.out.contains(line), "{line} is not in\n{}", ran.out);
    }
}

#[test]
fn the_counts_of_02_wordcount_socket_sum_up_to_an_independent_count() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("source.lines.address={}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let input = root().join("examples/01-wordcount/input");
        for file in std::fs::read_dir(input).unwrap() {
            peer.write_all(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        }
    });
    let job = "examples/02-wordcount-socket/job.toml";
    let sets = [&address, "op.top.sql=SELECT word, n FROM counts", "sink.out.rows=100000"];
    let mut arguments = vec!["run", job, "--once", "--format", "json"];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let ran = host(&root(), &arguments).fine();
    server.join().unwrap();
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for shown in ran.of_kind("rows") {
        for row in shown["rows"].as_array().unwrap() {
            let word = row["word"].as_str().unwrap().to_owned();
            *sums.entry(word).or_default() += row["n"].as_i64().unwrap();
        }
    }
    assert_eq!(sums, counted().into_iter().collect());
}
