//! The table of what is found and what is done, row by row.

use crate::checkpoint::chain::Torn;
use crate::checkpoint::record::{IntentV1, PreparedV1, RowsV1, SinkCommitV1};
use crate::checkpoint::test_kit::{delta, done, observed, snapshot};
use crate::checkpoint::{
    CheckpointError, Damage, History, LogSeen, Mark, Note, Observed, OnDataLoss, Open, Recover,
    SinkMark, SinkSeen, decide,
};

fn sink(name: &str, last: Option<u64>) -> SinkSeen {
    let mark = |batch| SinkMark { batch, generation: 1, rows: RowsV1 { rows: batch, sum: 5 } };
    SinkSeen { sink: name.into(), marks: true, last: last.map(mark), staged: true }
}

fn open(batch: u64, deterministic: bool, prepared: bool) -> Option<Open> {
    let intent = IntentV1 { batch, time: 1_000_000, deterministic, ..IntentV1::default() };
    let prepared = prepared.then(|| PreparedV1 { batch, ..PreparedV1::default() });
    Some(Open { intent, prepared, attempt: 9, begins: Mark::default() })
}

/// Four batches are done, with a snapshot after the second.
fn history(open: Option<Open>) -> History {
    let mut all: Vec<_> = (1..=4).map(|batch| done(batch, vec![delta(batch, 0, 9)])).collect();
    all[1].commit.states.push(snapshot(2, 0, 9, "state/two"));
    for done in &mut all {
        done.commit.time = 2_000;
        let sink = SinkCommitV1 { sink: "a".into(), marker: vec![1], ..SinkCommitV1::default() };
        done.commit.sinks = vec![sink];
    }
    History { done: all, open, cut_off: false }
}

fn seen(open: Option<Open>, sinks: &[Option<u64>]) -> Observed {
    let names = ["a", "b", "c"];
    let sinks = names.iter().zip(sinks).map(|(name, last)| sink(name, *last)).collect();
    observed(LogSeen::Read { history: history(open), torn: None, mine: 3, newest: 3 }, sinks)
}

/// What is decided, in a few words.
fn told(seen: &Observed) -> String {
    let decision = decide(seen);
    match decision.recover {
        Recover::Refuse(why) => {
            assert!(!why.help().is_empty());
            why.code().to_owned()
        }
        Recover::FinishForward { intent, done, .. } => {
            let done: Vec<_> = done.into_iter().map(|(sink, _)| sink).collect();
            format!("finish {} without {}", intent.batch, done.join(","))
        }
        Recover::CommitStaged { missing, .. } => format!("staged for {}", missing.join(",")),
        other => other.to_string(),
    }
}

#[test]
fn the_table_of_recovery() {
    let some = Some;
    let rows: &[(&str, Observed, &str)] = &[
        ("nothing", observed(LogSeen::Nothing, vec![sink("a", None)]), "a new job"),
        (
            "nothing, sink knows us",
            observed(LogSeen::Nothing, vec![sink("a", some(1))]),
            "WEIR-CHECKPOINT-010",
        ),
        ("commit last", seen(None, &[some(4), some(4)]), "go on with batch 5"),
        ("a sink had no rows for long", seen(None, &[some(4), some(2)]), "go on with batch 5"),
        ("intent, no sink", seen(open(5, true, false), &[some(4), some(4)]), "run batch 5 again"),
        (
            "intent, all sinks",
            seen(open(5, true, false), &[some(5), some(5)]),
            "finish 5 without a,b",
        ),
        (
            "intent, some sink",
            seen(open(5, true, false), &[some(5), some(4)]),
            "finish 5 without a",
        ),
        (
            "intent, some sink, other rows possible",
            seen(open(5, false, false), &[some(5), some(4)]),
            "WEIR-CHECKPOINT-015",
        ),
        (
            "intent, no sink, other rows possible",
            seen(open(5, false, false), &[some(4), some(4)]),
            "run batch 5 again",
        ),
        ("prepared, no sink", seen(open(5, false, true), &[some(4), some(4)]), "staged for a,b"),
        ("prepared, some sink", seen(open(5, false, true), &[some(5), some(4)]), "staged for b"),
        ("prepared, all sinks", seen(open(5, false, true), &[some(5), some(5)]), "staged for "),
        ("sink ahead", seen(None, &[some(5), some(4)]), "WEIR-CHECKPOINT-010"),
        ("sink ahead of the intent", seen(open(5, true, false), &[some(6)]), "WEIR-CHECKPOINT-010"),
        ("mark is gone", seen(None, &[None]), "WEIR-CHECKPOINT-011"),
        ("mark is older", seen(None, &[some(3)]), "WEIR-CHECKPOINT-011"),
    ];
    for (row, seen, expected) in rows {
        assert_eq!(told(seen), *expected, "{row}");
    }
}

#[test]
fn what_can_not_be_read_is_refused_or_means_another_owner() {
    let file = "log/g1-1.wlog".to_owned();
    let no_identity =
        CheckpointError::NoIdentity { file: "weir-checkpoint".into(), found: file.clone() };
    let damage = Damage::Bytes("the checksum of the header is wrong");
    let damaged = CheckpointError::Damaged { file: file.clone(), offset: 76, damage };
    let newer = CheckpointError::Newer { file: file.clone(), offset: 0, found: 2, known: 1 };
    let fenced = CheckpointError::Fenced { mine: 1, by: 2, file };
    for (why, expected) in [
        (no_identity, "WEIR-CHECKPOINT-001"),
        (damaged, "WEIR-CHECKPOINT-002"),
        (newer, "WEIR-CHECKPOINT-003"),
        (fenced, "owner 2 has the checkpoint"),
    ] {
        assert_eq!(told(&observed(LogSeen::Refused(why), Vec::new())), expected);
    }
}

#[test]
fn a_newer_owner_in_the_log_or_in_a_sink_has_the_checkpoint() {
    let log = LogSeen::Read { history: history(None), torn: None, mine: 3, newest: 4 };
    assert_eq!(told(&observed(log, Vec::new())), "owner 4 has the checkpoint");
    let mut in_sink = seen(None, &[Some(4)]);
    in_sink.sinks[0].last.as_mut().unwrap().generation = 9;
    assert_eq!(told(&in_sink), "owner 9 has the checkpoint");
}

#[test]
fn state_comes_another_way_or_the_file_is_named() {
    let mut seen = seen(None, &[Some(4)]);
    let steps = |seen: &Observed| match decide(seen).recover {
        Recover::Continue { state, .. } => state.iter().map(|step| step.piece.version).collect(),
        other => panic!("{other}"),
    };
    let way: Vec<u64> = steps(&seen);
    assert_eq!(way, [2, 3, 4]);
    seen.unusable.insert("state/two".into());
    let way: Vec<u64> = steps(&seen);
    assert_eq!(way, [1, 2, 3, 4]);
    if let LogSeen::Read { history, .. } = &mut seen.log {
        history.cut_off = true;
    }
    let decision = decide(&seen);
    let shown = decision.recover.to_string();
    assert!(shown.contains("`state/two` is missing or damaged"), "{shown}");
    assert_eq!(told(&seen), "WEIR-CHECKPOINT-012");
}

#[test]
fn code_and_input_of_the_batch_that_is_begun_have_to_be_there() {
    let mut code = seen(open(5, true, false), &[Some(4)]);
    code.missing_plugins.push("ab".repeat(32));
    assert_eq!(told(&code), "WEIR-CHECKPOINT-013");
    let mut input = seen(open(5, true, false), &[Some(4)]);
    let lost = || "`in/a.json` was replaced".to_owned();
    input.lost_input = vec![(lost(), OnDataLoss::GoOn), (lost(), OnDataLoss::Fail)];
    assert_eq!(told(&input), "WEIR-CHECKPOINT-014");
    input.lost_input.truncate(1);
    let decision = decide(&input);
    assert_eq!(decision.recover.to_string(), "run batch 5 again");
    assert_eq!(decision.notes, [Note::Lost(lost())]);
}

#[test]
fn prepared_output_that_is_gone_is_made_again_only_if_it_will_be_the_same() {
    for (deterministic, sinks, expected) in [
        (true, [Some(4), Some(4)], "run batch 5 again"),
        (true, [Some(5), Some(4)], "finish 5 without a"),
        (false, [Some(4), Some(4)], "run batch 5 again"),
        (false, [Some(5), Some(4)], "WEIR-CHECKPOINT-015"),
    ] {
        let mut seen = seen(open(5, deterministic, true), &sinks);
        seen.sinks[1].staged = false;
        assert_eq!(told(&seen), expected, "{deterministic} {sinks:?}");
    }
    let mut unmarked = seen(open(5, false, true), &[None]);
    (unmarked.sinks[0].marks, unmarked.sinks[0].staged) = (false, false);
    assert_eq!(told(&unmarked), "WEIR-CHECKPOINT-015");
}

#[test]
fn what_people_should_hear_is_noted() {
    let mut seen = seen(None, &[Some(9)]);
    let torn = Torn { file: "log/g2-1.wlog".into(), offset: 512 };
    if let LogSeen::Read { torn: found, history, .. } = &mut seen.log {
        *found = Some(torn.clone());
        history.done[3].commit.time = 5_000;
    }
    (seen.adopt_sinks, seen.now) = (true, 1_000);
    let decision = decide(&seen);
    let notes = [Note::Torn(torn), Note::Adopted("a".into()), Note::ClockBehind(4_000)];
    assert_eq!(decision.notes, notes);
    assert!(matches!(decision.recover, Recover::Continue { batch: 5, time: 6_000, .. }));
}
