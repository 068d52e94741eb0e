//! The attribute of updaters.

use proc_macro2::TokenStream;
use quote::quote;

use crate::function::{Parsed, changed, inner, ports};
use crate::lifetimes::of_static;

const SHAPE: &str = "an updater is `fn(Key, Values<Row>, &mut State<S>, &mut Out<Row>)`, with one \
                     to four `Out`s and `&Config` as a last parameter if needed";

/// Expands `#[updater]`.
pub fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let parsed = Parsed::parse(arguments, item)?;
    let [(_, key), (_, values), (_, state), _, ..] = parsed.inputs.as_slice() else {
        return parsed.error(SHAPE);
    };
    let (Some(row), Some(state)) = (inner(values, "Values"), changed(state, "State")) else {
        return parsed.error(SHAPE);
    };
    let (outs, names) = ports(&parsed, 3, SHAPE)?;
    let places: Vec<syn::Index> = (0..outs.len()).map(syn::Index::from).collect();
    let (key, row, state) = (of_static(key), of_static(&row), of_static(&state));
    let name = &parsed.item.sig.ident;
    let (config, argument) = (parsed.config(), parsed.config_argument());
    let kind = quote! {
        impl ::weir::UpdateFn for #name {
            type Key = #key;
            type Row = #row;
            type State = #state;
            type Outs = (#(::weir::Out<#outs>,)*);
            type Config = #config;

            #[inline]
            fn call<'r>(
                key: <#key as ::weir::Row>::At<'r>,
                values: ::weir::Values<'r, #row>,
                state: &mut ::weir::State<#state>,
                outs: &mut Self::Outs,
                config: &Self::Config,
            ) -> ::core::result::Result<(), ::weir::RowError> {
                let _ = config;
                let called = #name(key, values, state, #(&mut outs.#places),* #argument);
                ::weir::Outcome::<()>::outcome(called)
            }
        }
    };
    Ok(parsed.expand(kind, "update", &names))
}
