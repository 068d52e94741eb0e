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
                _ => return Err(syn::Error::new_spanned(meta, UNKNOWN)),
            }
        }
        Ok(attributes)
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
        quote! {
            &::weir::adapter::Attributes {
                name: #name,
                doc: #doc,
                pure: #pure,
                condition: #condition,
                needs_host: #needs_host,
                config_schema: #config_schema,
                ports: &[#(#ports),*],
            }
        }
    }
}

const UNKNOWN: &str = "known here: `pure`, `name = \"…\"`, `where = \"…\"`, `needs_host = \"…\"`, \
                       `config_schema = \"…\"`";

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
