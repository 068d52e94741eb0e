//! The exports of a component.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::{Open, Plugin};
use crate::bindings::exports::weir::operator::guest::{
    Function as Described, GuestInstance, Instance, InstanceBorrow, Layout, Refusal, Setup,
};
use crate::bindings::exports::weir::operator::{
    aggregator, flat_mapper, guest, mapper, predicate, transformer, updater,
};
use crate::bindings::weir::operator::rows::{Output, Rows};
use crate::bindings::weir::operator::schema::Field;

/// The exports of a plugin.
pub struct Guest<P>(PhantomData<P>);

/// An open function behind a handle of the host.
pub struct Opened(RefCell<Box<dyn Open>>);

impl GuestInstance for Opened {
    fn layout(&self) -> Layout {
        self.0.borrow().layout()
    }
}

impl<P: Plugin> guest::Guest for Guest<P> {
    type Instance = Opened;

    fn describe() -> Vec<Described> {
        P::functions().iter().map(|function| function.describe()).collect()
    }

    fn open(setup: Setup) -> Result<Instance, Refusal> {
        let named = |entry: &&&dyn super::Entry| entry.describe().name == setup.function;
        match P::functions().iter().find(named) {
            Some(entry) => Ok(Instance::new(Opened(RefCell::new(entry.open(&setup)?)))),
            None => Err(Refusal {
                setting: None,
                message: format!("there is no function `{}`", setup.function),
            }),
        }
    }
}

fn with<T>(this: &InstanceBorrow<'_>, call: impl FnOnce(&mut dyn Open) -> T) -> T {
    call(this.get::<Opened>().0.borrow_mut().as_mut())
}

impl<P: Plugin> mapper::Guest for Guest<P> {
    fn map_rows(this: InstanceBorrow<'_>, input: Rows) -> Result<mapper::Mapped, String> {
        with(&this, |open| open.map(&input))
    }
}

impl<P: Plugin> predicate::Guest for Guest<P> {
    fn test_rows(this: InstanceBorrow<'_>, input: Rows) -> Result<predicate::Verdict, String> {
        with(&this, |open| open.test(&input))
    }
}

impl<P: Plugin> flat_mapper::Guest for Guest<P> {
    fn flat_map_rows(this: InstanceBorrow<'_>, input: Rows) -> Result<Output, String> {
        with(&this, |open| open.flat_map(&input))
    }
}

impl<P: Plugin> aggregator::Guest for Guest<P> {
    fn update(
        this: InstanceBorrow<'_>,
        groups: Vec<u32>,
        total: u32,
        input: Rows,
    ) -> Result<aggregator::Updated, String> {
        with(&this, |open| open.update(&groups, total, &input))
    }

    fn merge(
        this: InstanceBorrow<'_>,
        groups: Vec<u32>,
        total: u32,
        states: Rows,
    ) -> Result<aggregator::Updated, String> {
        with(&this, |open| open.merge(&groups, total, &states))
    }

    fn state(this: InstanceBorrow<'_>, first: u32, count: u32) -> Result<Rows, String> {
        with(&this, |open| open.state(first, count))
    }

    fn finish(this: InstanceBorrow<'_>, first: u32, count: u32) -> Result<Rows, String> {
        with(&this, |open| open.finish(first, count))
    }

    fn forget(this: InstanceBorrow<'_>, count: u32) -> Result<(), String> {
        with(&this, |open| open.forget(count))
    }
}

impl<P: Plugin> transformer::Guest for Guest<P> {
    fn push(this: InstanceBorrow<'_>, input: Rows) -> Result<(), String> {
        with(&this, |open| open.push(input))
    }

    fn pull(this: InstanceBorrow<'_>) -> Result<Option<Output>, String> {
        with(&this, |open| open.pull())
    }
}

impl<P: Plugin> updater::Guest for Guest<P> {
    fn begin(this: InstanceBorrow<'_>, key: Vec<Field>) -> Result<(), String> {
        with(&this, |open| open.begin(&key))
    }

    fn visit(this: InstanceBorrow<'_>, keys: updater::Visits) -> Result<updater::Visited, String> {
        with(&this, |open| open.visit(&keys))
    }
}
