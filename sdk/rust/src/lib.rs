//! Write stream operators for Weir as plain Rust functions.
//!
//! ```
//! use weir::{Out, Row};
//!
//! #[derive(Row)]
//! struct Line<'a> {
//!     line: &'a str,
//! }
//!
//! #[derive(Row)]
//! struct Word<'a> {
//!     word: &'a str,
//!     n: i64,
//! }
//!
//! /// Splits a line into words.
//! #[weir::flat_mapper(pure)]
//! fn split(row: Line<'_>, out: &mut Out<Word<'_>>) {
//!     for word in row.line.split_whitespace() {
//!         out.push(Word { word, n: 1 });
//!     }
//! }
//!
//! weir::export!(split);
//!
//! let lines = vec![Line { line: "to be" }];
//! let words = weir::testkit::flat_map::<split, Word>("{}", lines).unwrap();
//! assert_eq!((words.len(), words[1].word), (2, "be"));
//! ```
//!
//! A function is an ordinary function over a row that derives [`Row`]; an attribute says what kind
//! it is: [`macro@mapper`], [`macro@predicate`], [`macro@flat_mapper`], [`macro@aggregator`],
//! [`macro@transformer`], [`macro@updater`]. [`export!`] makes the component. A last parameter
//! `config: &C` gets the `config` of the op in job.toml, for any `C: serde::Deserialize`.

extern crate self as weir;

#[doc(hidden)]
pub mod bindings;

#[doc(hidden)]
pub mod adapter;

mod aggregate;
mod buffer;
mod config;
pub mod context;
mod function;
pub mod log;
pub mod metrics;
mod out;
mod row;
mod scalar;
pub mod testkit;
mod update;
mod value;

pub use aggregate::Aggregator;
#[doc(hidden)]
pub use buffer::{Buffers, ColumnOut};
pub use config::NoConfig;
#[doc(hidden)]
pub use function::{
    AggregateFn, FlatMapFn, Function, MapFn, Outcome, PredicateFn, ReduceFn, TransformFn, UpdateFn,
};
pub use function::{Disposition, RowError};
#[doc(hidden)]
pub use out::Outs;
pub use out::{Columns, Out};
pub use row::Row;
pub use scalar::{Bytes, BytesBuf, Date, Decimal, Timestamp};
pub use update::{State, Timer, Values};
pub use value::Field;
#[doc(hidden)]
pub use wit_bindgen::rt as wit_bindgen_rt;

pub use weir_derive::{Row, aggregator, flat_mapper, mapper, predicate, transformer, updater};

/// Makes a component of functions.
///
/// Call it once in the crate of a plugin, with the names of all its functions.
#[macro_export]
macro_rules! export {
    ($($function:ty),+ $(,)?) => {
        #[doc(hidden)]
        pub struct __WeirPlugin;

        impl $crate::adapter::Plugin for __WeirPlugin {
            fn functions() -> &'static [&'static dyn $crate::adapter::Entry] {
                &[$(&$crate::adapter::EntryOf::<$function>::NEW),+]
            }
        }

        #[cfg(target_arch = "wasm32")]
        mod __weir_export {
            use super::__WeirPlugin;
            type Guest = $crate::adapter::Guest<__WeirPlugin>;
            $crate::bindings::export_bindings!(Guest with_types_in $crate::bindings);
        }
    };
}
