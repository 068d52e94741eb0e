//! A store beside a map, over random batches, with restores at every version.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::kit::*;
use super::value::{Row, any_row, canonical};
use crate::id::BatchId;
use crate::state::part::fold;
use crate::state::*;

/// What happens in one batch.
#[derive(Clone, Debug)]
struct Step {
    /// Keys of the pool with their new states, a None is a removal.
    changes: Vec<(prop::sample::Index, NewState)>,
    lanes: u32,
    /// It is staged once more, after a first try with these was dropped.
    aborted: bool,
    /// Key groups of which a snapshot is begun after the batch, to be ready a batch later.
    snapshot: Option<Vec<u32>>,
    /// So many bytes of the deltas so far are folded, to be ready a batch later.
    fold: Option<u64>,
}

fn step(schema: &StateSchema) -> impl Strategy<Value = Step> + use<> {
    let due = prop::option::of(-5_i64..10);
    let state = (any_row(schema.state().fields()), due);
    let change = (any::<prop::sample::Index>(), prop::option::weighted(0.8, state));
    let groups = prop::collection::btree_set(0..GROUPS, 1..GROUPS as usize);
    let groups = groups.prop_map(|groups| groups.into_iter().collect());
    let snapshot = prop::option::weighted(0.4, groups);
    let changes = prop::collection::vec(change, 0..25);
    let fold = prop::option::of(200_u64..4_000);
    (changes, 1_u32..=5, any::<bool>(), snapshot, fold).prop_map(
        |(changes, lanes, aborted, snapshot, fold)| Step {
            changes,
            lanes,
            aborted,
            snapshot,
            fold,
        },
    )
}

fn schemas() -> Vec<StateSchema> {
    let deep = "struct{a: int32?, b: list<string?>, c: list<struct{x: float64?, y: bool}>?}";
    vec![
        numbers(),
        schema(
            &[("k", "string?"), ("x", "float64?")],
            &[("text", "string"), ("price", "decimal(20,2)?"), ("seen", "list<int64?>?")],
        ),
        schema(
            &[("s", &format!("{deep}?")), ("b", "binary?"), ("d", "date")],
            &[
                ("s", &format!("{deep}?")),
                ("t", "timestamp?"),
                ("yes", "bool"),
                ("l", "list<list<binary?>>"),
            ],
        ),
        schema(&[("b", "bool?"), ("p", "decimal(38,0)?"), ("i", "int32")], &[]),
        schema(&[("f", "list<float64?>?")], &[("f", "float64"), ("g", "float64?")]),
    ]
}

pub fn agrees_with_the_model(make: &Make, cases: u32) {
    for schema in schemas() {
        let steps = prop::collection::vec(step(&schema), 1..8);
        let pool = prop::collection::vec(any_row(schema.key().fields()), 1..20);
        let config =
            Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
        TestRunner::new(config)
            .run(&(pool, steps), |(pool, steps)| {
                run(make, &schema, &pool, &steps);
                Ok(())
            })
            .unwrap();
    }
}

fn run(make: &Make, schema: &StateSchema, pool: &[Row], steps: &[Step]) {
    let (store, blobs) = (make(), memory_blobs());
    store.open(&op(), schema).unwrap();
    let mut models = vec![Model::new()];
    let mut orders = vec![Vec::new()];
    let mut records: Vec<StateRefsV1> = Vec::new();
    let mut ready: Vec<PartRefV1> = Vec::new();
    let mut live = Live::new(&op(), GROUPS);
    for step in steps {
        let before = store.view(&op()).unwrap();
        let model = models.last().unwrap();
        let changes = changes_of(step, pool);
        let next = store.version().next();
        if step.aborted {
            let other: Vec<Change> = changes.iter().map(|(key, _)| (key.clone(), None)).collect();
            stage(&*store, next, &other, step.lanes, &*blobs);
            store.abort(next).unwrap();
        }
        let mut parts = stage(&*store, next, &changes, step.lanes, &*blobs);
        check(&store.view(&op()).unwrap(), model, pool);
        store.commit(next).unwrap();
        check(&before, model, pool);
        parts.append(&mut ready);
        records.push(refs(parts));
        live.apply(&records[records.len() - 1]).unwrap();
        let mut model = model.clone();
        change(&mut model, &changes);
        let view = store.view(&op()).unwrap();
        check(&view, &model, pool);
        orders.push(everything(&view));
        models.push(model);
        ready.extend(snapshot(&view, step, &*blobs));
        ready.extend(step.fold.and_then(|bytes| fold_some(&view, &live, bytes, &*blobs)));
    }
    restores(make, schema, &records, &*blobs, |version, view| {
        check(view, &models[version], pool);
        assert_eq!(everything(view), orders[version], "the order of keys is of no history");
    });
}

/// Looks at the states restored after each batch.
fn restores(
    make: &Make,
    schema: &StateSchema,
    records: &[StateRefsV1],
    blobs: &dyn Blobs,
    look: impl Fn(usize, &View),
) {
    for version in 0..=records.len() {
        let store = restored(make, schema, &records[..version], blobs);
        assert_eq!(store.version(), BatchId(version as u64));
        look(version, &store.view(&op()).unwrap());
    }
}

fn changes_of(step: &Step, pool: &[Row]) -> Vec<Change> {
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for (key, state) in &step.changes {
        let key = key.get(pool).clone();
        if seen.insert(key.iter().map(canonical).collect::<Row>()) {
            changes.push((key, state.clone()));
        }
    }
    changes
}

fn snapshot(view: &View, step: &Step, blobs: &dyn Blobs) -> Option<PartRefV1> {
    let groups = step.snapshot.as_ref()?;
    let part = view.narrow(groups).snapshot(groups).unwrap();
    Some(kept(&part, &format!("s{}", view.batch()), blobs))
}

/// A delta in place of several, if there are such.
fn fold_some(view: &View, live: &Live, bytes: u64, blobs: &dyn Blobs) -> Option<PartRefV1> {
    let deltas = live.foldable_from(2, bytes)?;
    let folded = fold(view.schema(), live, &deltas, blobs).unwrap();
    Some(kept(&folded, &format!("f{}", view.batch()), blobs))
}

fn kept(part: &Part, attempt: &str, blobs: &dyn Blobs) -> PartRefV1 {
    let name = part_name(part, attempt);
    blobs.put(&name, part.bytes()).unwrap();
    PartRefV1::new(part, PlaceV1::Blob(name))
}
