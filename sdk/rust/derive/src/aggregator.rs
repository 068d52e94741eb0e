//! The attribute of aggregators, on a function or on an impl.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Item, ItemImpl, Type};

use crate::attributes::Attributes;
use crate::function::{Parsed, given};
use crate::lifetimes::of_static;

/// Expands `#[aggregator]`.
pub fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    match syn::parse2(item.clone())? {
        Item::Impl(block) => of_impl(arguments, &block),
        _ => of_function(arguments, item),
    }
}

fn of_function(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const SHAPE: &str =
        "a reduce is `fn(Row, Row) -> Row`, with `&Config` as a third parameter if needed";
    let parsed = Parsed::parse(arguments, item)?;
    let row = match parsed.inputs.as_slice() {
        [(_, a), _] => of_static(a),
        _ => return parsed.error(SHAPE),
    };
    if given(&parsed.item.sig.output).is_none() {
        return parsed.error(SHAPE);
    }
    let name = &parsed.item.sig.ident;
    let (config, argument) = (parsed.config(), parsed.config_argument());
    let kind = quote! {
        impl ::weir::ReduceFn for #name {
            type Row = #row;
            type Config = #config;

            #[inline]
            fn call(
                a: #row,
                b: #row,
                config: &Self::Config,
            ) -> ::core::result::Result<#row, ::weir::RowError> {
                let _ = config;
                ::weir::Outcome::<#row>::outcome(#name(a, b #argument))
            }

            fn nothing() -> #row {
                ::core::default::Default::default()
            }
        }
    };
    Ok(parsed.expand(kind, "reduce", &[]))
}

fn of_impl(arguments: TokenStream, block: &ItemImpl) -> syn::Result<TokenStream> {
    let attributes = Attributes::parse(arguments)?;
    let ty = &block.self_ty;
    attributes.no_state_version(ty)?;
    let name = match ty.as_ref() {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    };
    let Some(name) = name else {
        return Err(syn::Error::new_spanned(ty, "`impl weir::Aggregator for` a struct"));
    };
    let attributes = attributes.tokens(&snake_case(&name), &block.attrs, &[]);
    Ok(quote! {
        #block

        impl ::weir::AggregateFn for #ty {}

        impl ::weir::Function for #ty {
            fn describe() -> ::weir::bindings::exports::weir::operator::guest::Function {
                ::weir::adapter::describe_aggregate::<Self>(#attributes)
            }

            fn open(
                setup: &::weir::bindings::exports::weir::operator::guest::Setup,
            ) -> ::core::result::Result<
                ::std::boxed::Box<dyn ::weir::adapter::Open>,
                ::weir::bindings::exports::weir::operator::guest::Refusal,
            > {
                ::weir::adapter::open_aggregate::<Self>(setup, <Self as ::weir::Function>::describe)
            }
        }
    })
}

/// `MeanOf` is `mean_of` in a job.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_uppercase() && at > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
