//! The attributes on functions: mapper, predicate, flat-mapper, transformer.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    FnArg, GenericArgument, Ident, ItemFn, Pat, PathArguments, ReturnType, Type, TypeReference,
};

use crate::attributes::Attributes;
use crate::lifetimes::of_static;

/// A function that an attribute stands on.
pub struct Parsed {
    /// The function.
    pub item: ItemFn,
    /// What the attribute says.
    pub attributes: Attributes,
    /// Parameters before the config.
    pub inputs: Vec<(String, Type)>,
    /// The config's type, if it takes one.
    pub config: Option<Type>,
}

impl Parsed {
    /// Reads a function; its last parameter is the config when it is a shared reference and not the
    /// first.
    pub fn parse(arguments: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let attributes = Attributes::parse(arguments)?;
        let item: ItemFn = syn::parse2(item)?;
        let mut inputs = Vec::new();
        for input in &item.sig.inputs {
            let FnArg::Typed(input) = input else {
                return Err(syn::Error::new_spanned(input, "a function of a plugin has no `self`"));
            };
            let name = match input.pat.as_ref() {
                Pat::Ident(name) => name.ident.to_string(),
                _ => String::new(),
            };
            inputs.push((name.trim_start_matches('_').to_owned(), (*input.ty).clone()));
        }
        let config = match inputs.last() {
            Some((_, Type::Reference(TypeReference { mutability: None, elem, .. })))
                if inputs.len() > 1 =>
            {
                Some(of_static(elem))
            }
            _ => None,
        };
        if config.is_some() {
            inputs.pop();
        }
        Ok(Self { item, attributes, inputs, config })
    }

    fn name(&self) -> &Ident {
        &self.item.sig.ident
    }

    /// An error at the function's name.
    pub fn error<T>(&self, message: &str) -> syn::Result<T> {
        Err(syn::Error::new_spanned(self.name(), message))
    }

    fn only_row(&self, shape: &str) -> syn::Result<Type> {
        match self.inputs.as_slice() {
            [(_, row)] => Ok(of_static(row)),
            _ => self.error(shape),
        }
    }

    /// The type of the config.
    pub fn config(&self) -> TokenStream {
        match &self.config {
            Some(config) => quote!(#config),
            None => quote!(::weir::NoConfig),
        }
    }

    /// The config as an argument of a call.
    pub fn config_argument(&self) -> TokenStream {
        if self.config.is_some() { quote!(, config) } else { TokenStream::new() }
    }

    /// The item, the type of its name, and the two impls.
    pub fn expand(&self, kind: TokenStream, of: &str, ports: &[String]) -> TokenStream {
        let (item, name, vis) = (&self.item, self.name(), &self.item.vis);
        if of != "update"
            && let Err(error) = self.attributes.no_state_version(name)
        {
            return error.into_compile_error();
        }
        let attributes = self.attributes.tokens(&name.to_string(), &item.attrs, ports);
        let describe = Ident::new(&format!("describe_{of}"), name.span());
        let open = Ident::new(&format!("open_{of}"), name.span());
        quote! {
            #item

            #[allow(non_camel_case_types, missing_docs)]
            #[doc(hidden)]
            #vis struct #name {}

            #kind

            impl ::weir::Function for #name {
                fn describe() -> ::weir::bindings::exports::weir::operator::guest::Function {
                    ::weir::adapter::#describe::<Self>(#attributes)
                }

                fn open(
                    setup: &::weir::bindings::exports::weir::operator::guest::Setup,
                ) -> ::core::result::Result<
                    ::std::boxed::Box<dyn ::weir::adapter::Open>,
                    ::weir::bindings::exports::weir::operator::guest::Refusal,
                > {
                    ::weir::adapter::#open::<Self>(setup, <Self as ::weir::Function>::describe)
                }
            }
        }
    }
}

/// What a function gives, without the `Result` around it.
pub fn given(output: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, ty) = output else { return None };
    Some(inner(ty, "Result").unwrap_or_else(|| (**ty).clone()))
}

/// `T` of `Outer<T, …>`.
pub fn inner(ty: &Type, outer: &str) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident != outer {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}

/// Expands `#[mapper]`.
pub fn mapper(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const SHAPE: &str =
        "a mapper is `fn(Row) -> Row`, with `&Config` as a second parameter if needed";
    let parsed = Parsed::parse(arguments, item)?;
    let row = parsed.only_row(SHAPE)?;
    let Some(given) = given(&parsed.item.sig.output) else { return parsed.error(SHAPE) };
    let given = of_static(&given);
    let (name, config, argument) = (parsed.name(), parsed.config(), parsed.config_argument());
    let kind = quote! {
        impl ::weir::MapFn for #name {
            type Row = #row;
            type Given = #given;
            type Config = #config;

            #[inline]
            fn call<'r>(
                row: <#row as ::weir::Row>::At<'r>,
                config: &'r Self::Config,
            ) -> ::core::result::Result<<#given as ::weir::Row>::At<'r>, ::weir::RowError> {
                let _ = config;
                ::weir::Outcome::<<#given as ::weir::Row>::At<'r>>::outcome(#name(row #argument))
            }
        }
    };
    Ok(parsed.expand(kind, "map", &[]))
}

/// Expands `#[predicate]`.
pub fn predicate(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const SHAPE: &str =
        "a predicate is `fn(Row) -> bool`, with `&Config` as a second parameter if needed";
    let parsed = Parsed::parse(arguments, item)?;
    let row = parsed.only_row(SHAPE)?;
    let (name, config, argument) = (parsed.name(), parsed.config(), parsed.config_argument());
    let kind = quote! {
        impl ::weir::PredicateFn for #name {
            type Row = #row;
            type Config = #config;

            #[inline]
            fn call(
                row: <#row as ::weir::Row>::At<'_>,
                config: &Self::Config,
            ) -> ::core::result::Result<bool, ::weir::RowError> {
                let _ = config;
                ::weir::Outcome::<bool>::outcome(#name(row #argument))
            }
        }
    };
    Ok(parsed.expand(kind, "predicate", &[]))
}

/// `T` of `&mut Outer<T>`.
pub fn changed(ty: &Type, outer: &str) -> Option<Type> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            inner(&reference.elem, outer)
        }
        _ => None,
    }
}

/// The ports of a function from a parameter on: the types of its `Out`s and their names.
pub fn ports(parsed: &Parsed, first: usize, shape: &str) -> syn::Result<(Vec<Type>, Vec<String>)> {
    let mut types = Vec::new();
    let mut names = Vec::new();
    for (name, ty) in parsed.inputs.iter().skip(first) {
        let Some(out) = changed(ty, "Out") else { return parsed.error(shape) };
        types.push(of_static(&out));
        names.push(name.clone());
    }
    if types.is_empty() || types.len() > 4 {
        return parsed.error(shape);
    }
    Ok((types, names))
}

/// Expands `#[flat_mapper]`.
pub fn flat_mapper(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const SHAPE: &str = "a flat-mapper is `fn(Row, &mut Out<Row>)`, with one to four `Out`s and \
                         `&Config` as a last parameter if needed";
    let parsed = Parsed::parse(arguments, item)?;
    let Some((_, first)) = parsed.inputs.first() else { return parsed.error(SHAPE) };
    let (outs, names) = ports(&parsed, 1, SHAPE)?;
    let places: Vec<syn::Index> = (0..outs.len()).map(syn::Index::from).collect();
    let columns = match first {
        Type::Reference(reference) => inner(&reference.elem, "Columns"),
        _ => None,
    };
    let (name, config, argument) = (parsed.name(), parsed.config(), parsed.config_argument());
    let row = of_static(columns.as_ref().unwrap_or(first));
    let body = if columns.is_some() {
        quote! {
            let columns = ::weir::Columns::<#row>::new(rows);
            let called = #name(&columns, #(&mut outs.#places),* #argument);
            if let Err(error) = ::weir::Outcome::<()>::outcome(called) {
                reject(0, error);
            }
        }
    } else {
        quote! {
            let reader = <#row as ::weir::Row>::reader(rows);
            for row in 0..rows.count as usize {
                ::weir::Outs::parent(outs, row);
                let taken = <#row as ::weir::Row>::get(&reader, row);
                let called = #name(taken, #(&mut outs.#places),* #argument);
                if let Err(error) = ::weir::Outcome::<()>::outcome(called) {
                    reject(row, error);
                }
            }
        }
    };
    let kind = quote! {
        impl ::weir::FlatMapFn for #name {
            type Row = #row;
            type Outs = (#(::weir::Out<#outs>,)*);
            type Config = #config;

            fn chunk(
                rows: &::weir::bindings::weir::operator::rows::Rows,
                outs: &mut Self::Outs,
                config: &Self::Config,
                reject: &mut dyn FnMut(usize, ::weir::RowError),
            ) {
                let _ = config;
                #body
            }
        }
    };
    Ok(parsed.expand(kind, "flat_map", &names))
}

/// Expands `#[transformer]`.
pub fn transformer(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    const SHAPE: &str = "a transformer is `fn(Vec<Row>, &mut Out<Row>)`, with one to four \
                         `Out`s and `&Config` as a last parameter if needed";
    let parsed = Parsed::parse(arguments, item)?;
    let first = parsed.inputs.first().and_then(|(_, ty)| inner(ty, "Vec"));
    let Some(first) = first else { return parsed.error(SHAPE) };
    let (outs, names) = ports(&parsed, 1, SHAPE)?;
    let places: Vec<syn::Index> = (0..outs.len()).map(syn::Index::from).collect();
    let row = of_static(&first);
    let (name, config, argument) = (parsed.name(), parsed.config(), parsed.config_argument());
    let kind = quote! {
        impl ::weir::TransformFn for #name {
            type Row = #row;
            type Outs = (#(::weir::Out<#outs>,)*);
            type Config = #config;

            fn call<'r>(
                rows: ::std::vec::Vec<<#row as ::weir::Row>::At<'r>>,
                outs: &mut Self::Outs,
                config: &Self::Config,
            ) -> ::core::result::Result<(), ::weir::RowError> {
                let _ = config;
                ::weir::Outcome::<()>::outcome(#name(rows, #(&mut outs.#places),* #argument))
            }
        }
    };
    Ok(parsed.expand(kind, "transform", &names))
}
