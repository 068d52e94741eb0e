//! The arguments of an attribute, and the doc comment of its item.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

/// What an attribute says.
#[derive(Default)]
pub struct Attributes {
    pure: bool,
    name: Option<String>,
    condition: Option<String>,
    needs_host: String,
    config_schema: String,
    state_version: Option<u32>,
}

impl Attributes {
    /// Reads the arguments of an attribute.
    pub fn parse(arguments: TokenStream) -> syn::Result<Self> {
        let mut attributes = Self::default();
        // `where` is a keyword, so it is read under another name.
        let arguments = renamed(arguments);
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated.parse2(arguments)? {
            let Some(name) = meta.path().get_ident().map(ToString::to_string) else {
                return Err(syn::Error::new_spanned(meta, UNKNOWN));
            };
            match (name.as_str(), &meta) {
                ("pure", Meta::Path(_)) => attributes.pure = true,
                ("name", _) => attributes.name = Some(text(&meta)?),
                ("condition", _) => attributes.condition = Some(text(&meta)?),
                ("needs_host", _) => attributes.needs_host = text(&meta)?,
                ("config_schema", _) => attributes.config_schema = text(&meta)?,
                ("state_version", _) => attributes.state_version = Some(number(&meta)?),
                _ => return Err(syn::Error::new_spanned(meta, UNKNOWN)),
            }
        }
        Ok(attributes)
    }

    /// Only the states of updaters have a version that the author counts.
    pub fn no_state_version(&self, at: &impl quote::ToTokens) -> syn::Result<()> {
        match self.state_version {
            None => Ok(()),
            Some(_) => Err(syn::Error::new_spanned(at, "only an updater has a `state_version`")),
        }
    }

    /// The expression of `adapter::Attributes`.
    pub fn tokens(&self, name: &str, docs: &[Attribute], ports: &[String]) -> TokenStream {
        let name = self.name.as_deref().unwrap_or(name);
        let doc = doc(docs);
        let condition = match &self.condition {
            Some(condition) => quote!(Some(#condition)),
            None => quote!(None),
        };
        let Self { pure, needs_host, config_schema, .. } = self;
        let state_version = self.state_version.unwrap_or(1);
        quote! {
            &::weir::adapter::Attributes {
                name: #name,
                doc: #doc,
                pure: #pure,
                condition: #condition,
                needs_host: #needs_host,
                config_schema: #config_schema,
                ports: &[#(#ports),*],
                state_version: #state_version,
            }
        }
    }
}

const UNKNOWN: &str = "known here: `pure`, `name = \"…\"`, `where = \"…\"`, `needs_host = \"…\"`, \
                       `config_schema = \"…\"`; on updaters `state_version = N`";

fn renamed(arguments: TokenStream) -> TokenStream {
    arguments
        .into_iter()
        .map(|token| match token {
            proc_macro2::TokenTree::Ident(ident) if ident == "where" => {
                proc_macro2::Ident::new("condition", ident.span()).into()
            }
            other => other,
        })
        .collect()
}

fn text(meta: &Meta) -> syn::Result<String> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
    {
        return Ok(text.value());
    }
    Err(syn::Error::new_spanned(meta, "a text in quotes is expected"))
}

fn number(meta: &Meta) -> syn::Result<u32> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &pair.value
        && let Ok(number @ 1..) = number.base10_parse()
    {
        return Ok(number);
    }
    Err(syn::Error::new_spanned(meta, "a number from 1 on is expected"))
}

/// The doc comment.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}
