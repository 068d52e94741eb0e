//! Bindings to version 0.1 of the WIT package. Private to the plugin room: everything else sees
//! Arrow rows.

#![allow(
    missing_docs,
    elided_lifetimes_in_paths,
    reason = "generated; the documentation is in wit/"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "operator",
    ownership: Borrowing { duplicate_if_necessary: true },
});
