//! The derive and the attributes of the Weir SDK. Use them through the crate `weir`.

mod aggregator;
mod attributes;
mod function;
mod lifetimes;
mod row;
mod updater;

use proc_macro::TokenStream;

/// Makes a struct a row: its fields are columns. A lifetime of the struct is that of the columns.
///
/// `#[weir(name = "…")]` on a field names a column that can't be the name of a field.
#[proc_macro_derive(Row, attributes(weir))]
pub fn row(input: TokenStream) -> TokenStream {
    answer(syn::parse(input).and_then(row::derive))
}

/// One row out for a row in: `fn(Row[, &Config]) -> Row` or `-> Result<Row, RowError>`.
///
/// Arguments: `pure`, `name = "…"`, `needs_host = "…"`, `config_schema = "…"`.
#[proc_macro_attribute]
pub fn mapper(arguments: TokenStream, item: TokenStream) -> TokenStream {
    answer(function::mapper(arguments.into(), item.into()))
}

/// Keep a row or not: `fn(Row[, &Config]) -> bool` or `-> Result<bool, RowError>`.
///
/// Arguments: those of `mapper`, and `where = "…"`, an SQL condition that may be tested before.
#[proc_macro_attribute]
pub fn predicate(arguments: TokenStream, item: TokenStream) -> TokenStream {
    answer(function::predicate(arguments.into(), item.into()))
}

/// Any number of rows out for a row in: `fn(Row, &mut Out<Row>[, &mut Out<Row> …][, &Config])`,
/// with nothing or `Result<(), RowError>` as result. Further `Out`s are ports with the names of the
/// parameters. With `&Columns<'_, Row>` first it is called with whole chunks.
///
/// Arguments: those of `predicate`.
#[proc_macro_attribute]
pub fn flat_mapper(arguments: TokenStream, item: TokenStream) -> TokenStream {
    answer(function::flat_mapper(arguments.into(), item.into()))
}

/// All rows of a batch in, rows out: `fn(Vec<Row>, &mut Out<Row>[, …][, &Config])`.
///
/// Arguments: those of `mapper`.
#[proc_macro_attribute]
pub fn transformer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    answer(function::transformer(arguments.into(), item.into()))
}

/// Many rows of a key to one: on a `fn(Row, Row[, &Config]) -> Row` or `-> Result<Row, RowError>`
/// that is associative, or on an `impl weir::Aggregator for …`.
///
/// Arguments: those of `mapper`.
#[proc_macro_attribute]
pub fn aggregator(arguments: TokenStream, item: TokenStream) -> TokenStream {
    answer(aggregator::expand(arguments.into(), item.into()))
}

/// A state for each key, which the host keeps from batch to batch:
/// `fn(Key, Values<'_, Row>, &mut State<S>, &mut Out<Row>[, …][, &Config])`, with nothing or
/// `Result<(), RowError>` as result. The fields of `Key` are columns that the job names in `key`,
/// all or some of them. `S` is a row that owns what it holds. It is called for each key that has
/// values in a batch or whose timer went off; with an error its state stays as it was.
///
/// Arguments: those of `mapper`, and `state_version = N`: to be raised when the same columns of a
/// state come to mean something else.
#[proc_macro_attribute]
pub fn updater(arguments: TokenStream, item: TokenStream) -> TokenStream {
    answer(updater::expand(arguments.into(), item.into()))
}

fn answer(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
