//! Updaters over many batches, beside a model of them: any values, any settings, any number of
//! lanes, with times that the test says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use weir_host::row_error::{Letters, LettersError, Refused};

use super::*;

/// The plugin and the engine, which take time to make.
static LOADED: LazyLock<(Loaded, Wall)> = LazyLock::new(|| {
    let wall = Wall::new(Compiler::Here).unwrap();
    let job = parsed(&text("", "[]", ""));
    (Loaded::load(&job, &wall, None, &|_| {}).unwrap(), wall)
});

type User = Option<String>;
type Values = Vec<(User, i64)>;

fn text(op: &str, batches: &str, more: &str) -> String {
    format!(
        "version = 1\nname = \"keyed\"\n[[source]]\nid = \"values\"\ntype = \"rows\"\n\
         schema = {{ user = \"string\", n = \"int64!\" }}\nbatches = {batches}\n\
         [[op]]\nid = \"it\"\nwasm = \"tests/plugins/keyed\"\ncall = \"track\"\nkey = [\"user\"]\n\
         {op}\n{more}\n[[sink]]\nid = \"told\"\ntype = \"console\"\nfrom = \"it\"\n\
         [[sink]]\nid = \"gone\"\ntype = \"console\"\nfrom = \"it.gone\"\n"
    )
}

fn parsed(text: &str) -> Job {
    Job::parse(text.as_bytes(), "job.toml", root(), &Outside::NOTHING).unwrap().0
}

/// How states are kept. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct How {
    all: bool,
    timeout: Option<i64>,
    ttl: Option<i64>,
    keep: bool,
}

impl How {
    fn op(self) -> String {
        let mut op = format!("on_error = \"skip\"\nconfig = {{ keep = {} }}\n", self.keep);
        if self.all {
            op.push_str("visit = \"all\"\n");
        }
        for (name, time) in [("timeout", self.timeout), ("ttl", self.ttl)] {
            if let Some(time) = time {
                op.push_str(&format!("{name} = \"{time}ms\"\n"));
            }
        }
        op
    }
}

/// A state, its timer and its end in milliseconds.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    sum: i64,
    count: i64,
    timer: Option<i64>,
    expires: Option<i64>,
}

/// Rows of both ports as text: user, sum, values, timed out; user, count.
#[derive(Clone, Debug, Default, PartialEq)]
struct Out {
    told: Vec<String>,
    gone: Vec<String>,
    refused: Vec<String>,
}

fn named(user: &User) -> String {
    user.clone().unwrap_or_else(|| "nobody".to_owned())
}

/// What `track` of the plugin and the job's settings should do, written plainly.
fn model(states: &mut BTreeMap<User, Kept>, values: &Values, now: i64, how: How) -> Out {
    let mut out = Out::default();
    let mut by_user: BTreeMap<User, Vec<i64>> = BTreeMap::new();
    for (user, n) in values {
        by_user.entry(user.clone()).or_default().push(*n);
    }
    states.retain(|_, kept| match (kept.expires, kept.timer) {
        (Some(end), timer) => end > now || timer.is_some_and(|timer| timer <= end),
        _ => true,
    });
    for (user, kept) in states.iter() {
        if how.all || kept.timer.is_some_and(|timer| timer <= now) {
            by_user.entry(user.clone()).or_default();
        }
    }
    for (user, values) in by_user {
        visit(states, (&user, &values), (now, how), &mut out);
    }
    for list in [&mut out.told, &mut out.gone, &mut out.refused] {
        list.sort();
    }
    out
}

fn visit(
    states: &mut BTreeMap<User, Kept>,
    (user, values): (&User, &[i64]),
    (now, how): (i64, How),
    out: &mut Out,
) {
    let before = states.get(user).cloned();
    let timed_out = before.as_ref().and_then(|kept| kept.timer).is_some_and(|timer| timer <= now);
    let (mut sum, mut set) = (before.as_ref().map(|kept| (kept.sum, kept.count)), false);
    let (mut said, mut rejected) = (None, Vec::new());
    if timed_out && !how.keep {
        sum = None;
    }
    let mut refused = false;
    for n in values {
        match n {
            0 => sum = None,
            -1 => said = Some(None),
            -2 => said = Some(Some(0)),
            -3 => said = Some(Some(now + 10_000)),
            700..=799 => rejected.push(format!("{n}")),
            800..=999 => {
                refused = true;
                break;
            }
            n => {
                let (held, count) = sum.unwrap_or_default();
                (sum, set) = (Some((held + n, count + 1)), true);
            }
        }
    }
    if refused {
        // As if the function had done nothing: only what the job says goes on.
        out.refused.extend(values.iter().map(ToString::to_string));
        (sum, set, said) = (before.as_ref().map(|kept| (kept.sum, kept.count)), false, None);
    } else {
        out.refused.extend(rejected);
        if timed_out {
            out.gone.push(format!("{} {}", named(user), before.as_ref().unwrap().count));
        }
        let shown = sum.map_or("none".to_owned(), |(sum, _)| sum.to_string());
        out.told.push(format!("{} {shown} {} {timed_out}", named(user), values.len()));
    }
    let Some((sum, count)) = sum else {
        states.remove(user);
        return;
    };
    let held = before.as_ref().and_then(|kept| kept.timer).filter(|_| !timed_out);
    let timer = match (said, how.timeout) {
        (Some(said), _) => said,
        (None, Some(timeout)) if !values.is_empty() || (set && !timed_out) => Some(now + timeout),
        (None, _) => held,
    };
    let expires = match how.ttl {
        Some(ttl) if set => Some(now + ttl),
        _ => before.and_then(|kept| kept.expires),
    };
    states.insert(user.clone(), Kept { sum, count, timer, expires });
}

/// Rows that were refused, by their values.
#[derive(Default)]
struct Kind(Mutex<usize>);

impl Letters for Kind {
    fn skip(&self, _: &Refused) {
        *self.0.lock().unwrap() += 1;
    }

    fn put(&self, _: Refused) -> Result<(), LettersError> {
        panic!("the policy is to skip")
    }
}

/// A job that runs batch after batch.
struct Running {
    plan: JobPlan,
    source: Arc<dyn Source>,
    store: Arc<dyn StateStore>,
    resources: Resources,
    how: How,
    _spill: tempfile::TempDir,
}

impl Running {
    fn new(batches: &[Values], how: How, parallelism: usize) -> Self {
        let row = |(user, n): &(User, i64)| match user {
            Some(user) => format!("{{ user = \"{user}\", n = {n} }}"),
            None => format!("{{ n = {n} }}"),
        };
        let lists: Vec<String> = batches
            .iter()
            .map(|rows| format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", ")))
            .collect();
        let job = parsed(&text(&how.op(), &format!("[{}]", lists.join(", ")), ""));
        let source: Arc<dyn Source> =
            Arc::from(source::open(&job.sources[0], &job.folder).unwrap());
        let schema = source.schema().unwrap().unwrap();
        let schemas = HashMap::from([(NodeId::new("values"), schema)]);
        let plan = plan::build(&job, &LOADED.0, &schemas, &Settings { parallelism }).unwrap();
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new(KEY_GROUPS, 1));
        for state in &plan.states {
            store.open(&state.op, &state.schema).unwrap();
        }
        let spill = tempfile::tempdir().unwrap();
        let resources = Resources::new(64 << 20, spill.path().to_owned()).unwrap();
        Self { plan, source, store, resources, how, _spill: spill }
    }

    /// Runs one batch at a time in milliseconds.
    fn batch(&self, list: usize, now: i64) -> (Out, usize) {
        let (collected, refused) = self.collected(list, now);
        (collected.out(), refused)
    }

    /// The same, with rows in their order.
    fn collected(&self, list: usize, now: i64) -> (Arc<BySink>, usize) {
        let batch = BatchId(list as u64 + 1);
        let mut bindings = Bindings::default();
        let range = SourceRange::Rows { list };
        bindings.bind(NodeId::new("values"), Arc::clone(&self.source), range);
        let letters = Arc::new(Kind::default());
        let now = Micros(now * 1_000);
        let mark = BatchNow {
            job: JobName::new("keyed"),
            batch,
            time: now,
            interrupt: Interrupt::default(),
            log: Arc::new(|_| {}),
            aside: Aside::new(
                letters.clone(),
                Arc::new(|_| String::new()),
                true,
                std::collections::BTreeMap::new(),
            ),
        };
        let states =
            Arc::new(BatchStates::new(Arc::clone(&self.store), batch, now, Times::default()));
        let bound = self.plan.bind(bindings, mark, Arc::clone(&states), &self.resources).unwrap();
        let collected = Arc::new(BySink::default());
        let deliver: Arc<dyn Deliver> = collected.clone();
        self.plan.run(&bound, &deliver, &self.resources).unwrap();
        for staged in states.take() {
            self.store.stage(batch, staged).unwrap();
        }
        self.store.commit(batch).unwrap();
        let refused = *letters.0.lock().unwrap();
        (collected, refused)
    }

    /// What is stored.
    fn states(&self) -> BTreeMap<User, Kept> {
        let view = self.store.view(&NodeId::new("it")).unwrap();
        let mut all = BTreeMap::new();
        for group in 0..KEY_GROUPS {
            let rows = view.scan(group).unwrap();
            let users = rows.keys.column(0).as_string::<i32>();
            let number =
                |at: usize, row| rows.state.column(at).as_primitive::<Int64Type>().value(row);
            for row in 0..users.len() {
                let user = users.is_valid(row).then(|| users.value(row).to_owned());
                let last = rows.state.column(2).as_string::<i32>();
                assert_eq!(last.is_valid(row).then(|| last.value(row).to_owned()), user);
                // When it was set, and the function's timer, if states have an end.
                let times = rows.state.column(3).as_binary::<i32>();
                let moment = |at: usize| {
                    let bytes = times.value(row).get(at..at + 8)?;
                    Some(i64::from_le_bytes(bytes.try_into().unwrap()) / 1_000)
                };
                let due = rows.due.is_valid(row).then(|| rows.due.value(row) / 1_000);
                assert_eq!(times.is_valid(row), self.how.ttl.is_some());
                let (timer, expires) = match self.how.ttl {
                    None => (due, None),
                    Some(ttl) => (moment(8), moment(0).map(|set| set + ttl)),
                };
                assert_eq!(due, timer.into_iter().chain(expires).min());
                let kept = Kept { sum: number(0, row), count: number(1, row), timer, expires };
                all.insert(user, kept);
            }
        }
        all
    }
}

/// Rows of the two sinks.
#[derive(Clone, Default)]
struct BySink(Arc<Mutex<Vec<(usize, RecordBatch)>>>);

struct OfSink(usize, BySink);

impl Deliver for BySink {
    fn open(&self, sink: usize, _: usize) -> Result<Box<dyn RowsOut>, ReceiverError> {
        Ok(Box::new(OfSink(sink, self.clone())))
    }
}

impl RowsOut for OfSink {
    fn take(&mut self, rows: &RecordBatch) -> Result<(), ReceiverError> {
        self.1.0.lock().unwrap().push((self.0, rows.clone()));
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), ReceiverError> {
        Ok(())
    }
}

impl BySink {
    /// The rows of a sink, in their order where there is one lane.
    fn lines(&self, sink: usize) -> Vec<String> {
        let parts = self.0.lock().unwrap();
        let rows: Vec<&RecordBatch> =
            parts.iter().filter(|(at, _)| *at == sink).map(|(_, rows)| rows).collect();
        let Some(first) = rows.first() else { return Vec::new() };
        let rows = concat_batches(&first.schema(), rows.iter().copied()).unwrap();
        let users = rows.column(0).as_string::<i32>();
        let user = |row| users.is_valid(row).then(|| users.value(row).to_owned());
        let number = |at: usize, row| {
            let column = rows.column(at).as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row).to_string())
        };
        let line = |row| {
            let first = number(1, row).unwrap_or_else(|| "none".to_owned());
            let mut line = format!("{} {first}", named(&user(row)));
            if sink == 0 {
                let timed_out = rows.column(3).as_boolean().value(row);
                line.push_str(&format!(" {} {timed_out}", number(2, row).unwrap()));
            }
            line
        };
        (0..rows.num_rows()).map(line).collect()
    }

    fn out(&self) -> Out {
        let sorted = |sink| {
            let mut lines = self.lines(sink);
            lines.sort();
            lines
        };
        Out { told: sorted(0), gone: sorted(1), refused: Vec::new() }
    }
}

/// Runs batches at times and holds each of them against the model.
fn agrees(batches: &[Values], times: &[i64], how: How, parallelism: usize) {
    let running = Running::new(batches, how, parallelism);
    let mut states = BTreeMap::new();
    for (list, (values, now)) in batches.iter().zip(times).enumerate() {
        let mut expected = model(&mut states, values, *now, how);
        let (got, refused) = running.batch(list, *now);
        assert_eq!(refused, expected.refused.len(), "batch {list}, {how:?}, {expected:?}");
        expected.refused.clear();
        assert_eq!(got, expected, "batch {list} at {now}, {how:?}, {parallelism} lanes");
        assert_eq!(running.states(), states, "after batch {list} at {now}, {how:?}");
    }
}

fn user() -> impl Strategy<Value = User> {
    prop::option::weighted(0.9, (0..9_u8).prop_map(|user| format!("u{user}")))
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 1_i64..600,
        1 => Just(0),
        2 => -3_i64..0,
        1 => 700_i64..710,
        1 => 800_i64..805,
        1 => 900_i64..903,
    ]
}

fn how() -> impl Strategy<Value = How> {
    let time = || prop::option::of(1_i64..6);
    (any::<bool>(), time(), time(), any::<bool>()).prop_map(|(all, timeout, more, keep)| {
        // A state may not be dropped before its timeout.
        let ttl = more.map(|more| timeout.unwrap_or(0) + more);
        How { all, timeout, ttl, keep }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_values_leave_what_the_model_leaves(
        batches in prop::collection::vec(prop::collection::vec((user(), value()), 0..14), 1..7),
        steps in prop::collection::vec(1_i64..5, 7),
        how in how(),
        lanes in 1_usize..5,
    ) {
        let times: Vec<i64> = steps
            .iter()
            .scan(1_000_i64, |now, step| {
                *now += step;
                Some(*now)
            })
            .collect();
        agrees(&batches, &times, how, lanes);
    }
}

fn values(of: &[(&str, i64)]) -> Values {
    of.iter().map(|(user, n)| (Some((*user).to_owned()), *n)).collect()
}

#[test]
fn a_key_without_values_for_so_long_is_told_once() {
    let how = How { timeout: Some(10), ..How::default() };
    let batches = vec![values(&[("a", 1), ("b", 2)]), values(&[("a", 3)]), vec![], vec![], vec![]];
    let running = Running::new(&batches, how, 2);
    let told = |list, now| running.batch(list, now).0;
    assert_eq!(told(0, 100).told, ["a 1 1 false", "b 2 1 false"]);
    assert_eq!(told(1, 105).told, ["a 4 1 false"]);
    let third = told(2, 110);
    assert_eq!((third.told, third.gone), (vec!["b none 0 true".into()], vec!["b 1".to_owned()]));
    assert_eq!(told(3, 114), Out::default());
    assert_eq!(told(4, 115).gone, ["a 2"]);
    assert_eq!(running.states(), BTreeMap::new());
}

#[test]
fn states_that_were_not_set_for_so_long_are_gone_without_a_call() {
    let how = How { ttl: Some(10), ..How::default() };
    let batches = vec![values(&[("a", 1), ("b", 2)]), values(&[("a", -1)]), values(&[("b", 5)])];
    let running = Running::new(&batches, how, 2);
    running.batch(0, 100);
    // A value that changes nothing does not keep the state.
    assert_eq!(running.batch(1, 105).0.told, ["a 1 1 false"]);
    assert_eq!(running.batch(2, 110).0.told, ["b 5 1 false"]);
    let left: Vec<User> = running.states().into_keys().collect();
    assert_eq!(left, [Some("b".to_owned())]);
}

#[test]
fn many_keys_cross_in_chunks_and_come_out_in_the_order_of_their_first_values() {
    let key = |n: usize| format!("{}", n * 7_919 % 9_000);
    let batch: Values = (0..9_000).chain(0..9_000).map(|n| (Some(key(n)), 1)).collect();
    let running = Running::new(&[batch.clone(), batch[..9_000].to_vec()], How::default(), 1);
    let collected = running.collected(0, 1).0;
    let order: Vec<String> = (0..9_000).map(|n| format!("{} 2 2 false", key(n))).collect();
    assert!(collected.lines(0) == order);
    let again = running.batch(1, 2).0;
    assert!(again.told.iter().all(|line| line.ends_with(" 3 1 false")));
    assert_eq!(running.states().len(), 9_000);
}
