//! From a component to an open function: instantiate, find the functions of its kind, open.

use wasmtime::Store;
use wasmtime::component::{Instance as WasmInstance, ResourceAny};

use super::abi::v0_1::exports::weir::operator as exports;
use super::abi::v0_1::weir::operator::schema::FieldParam;
use super::describe::Kind;
use super::grant::GuestState;
use super::instance::Opening;
use super::load::Plugin;
use crate::types;

/// The functions of the kind of an instance.
pub(super) enum Calls {
    Mapper(exports::mapper::Guest),
    Predicate(exports::predicate::Guest),
    FlatMapper(exports::flat_mapper::Guest),
    Aggregator(exports::aggregator::Guest),
    Transformer(exports::transformer::Guest),
    Updater(exports::updater::Guest),
}

/// The guest, the functions of its kind, and what `open` said.
pub(super) type Entered =
    (exports::guest::Guest, Calls, Result<ResourceAny, exports::guest::Refusal>);

/// Instantiates, finds the functions of the kind and calls `open`.
pub(super) fn enter(
    store: &mut Store<GuestState>,
    plugin: &Plugin,
    opening: &Opening<'_>,
) -> wasmtime::Result<Entered> {
    let function = &plugin.functions()[opening.function];
    let pre = plugin.pre();
    let instance = pre.instantiate(&mut *store)?;
    let guest = exports::guest::GuestIndices::new(pre)?.load(&mut *store, &instance)?;
    let calls = calls(function.kind, store, plugin, &instance)?;
    let names: Vec<String> =
        opening.input.fields().iter().map(|field| types::describe(field.data_type())).collect();
    let input: Vec<FieldParam<'_>> = opening
        .input
        .fields()
        .iter()
        .zip(&names)
        .map(|(field, data_type)| FieldParam {
            name: field.name(),
            data_type,
            nullable: field.is_nullable(),
        })
        .collect();
    let setup = exports::guest::Setup {
        function: &function.name,
        config: opening.config,
        input: &input,
        parents: opening.parents,
    };
    let opened = guest.call_open(&mut *store, setup)?;
    Ok((guest, calls, opened))
}

/// Finds the functions of a kind; an error says what is missing or of another type.
pub(super) fn calls(
    kind: Kind,
    store: &mut Store<GuestState>,
    plugin: &Plugin,
    instance: &WasmInstance,
) -> wasmtime::Result<Calls> {
    let pre = plugin.pre();
    Ok(match kind {
        Kind::Mapper => {
            Calls::Mapper(exports::mapper::GuestIndices::new(pre)?.load(store, instance)?)
        }
        Kind::Predicate => {
            Calls::Predicate(exports::predicate::GuestIndices::new(pre)?.load(store, instance)?)
        }
        Kind::FlatMapper => {
            Calls::FlatMapper(exports::flat_mapper::GuestIndices::new(pre)?.load(store, instance)?)
        }
        Kind::Aggregator => {
            Calls::Aggregator(exports::aggregator::GuestIndices::new(pre)?.load(store, instance)?)
        }
        Kind::Transformer => {
            Calls::Transformer(exports::transformer::GuestIndices::new(pre)?.load(store, instance)?)
        }
        Kind::Updater => {
            Calls::Updater(exports::updater::GuestIndices::new(pre)?.load(store, instance)?)
        }
    })
}
