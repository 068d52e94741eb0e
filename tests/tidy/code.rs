//! What the rules need to know of a Rust file: its functions, the names it gives, its test code.

use std::ops::RangeInclusive;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::tree::{Fault, File};

/// A Rust file, taken apart. Lines count from 1.
#[derive(Default)]
pub struct Code {
    /// Its functions and methods with a body.
    pub functions: Vec<Function>,
    /// The names that it gives, not those that it uses.
    pub names: Vec<(String, usize)>,
    /// The lines of items that exist in tests only.
    pub tests: Vec<RangeInclusive<usize>>,
    /// The lines of modules that are written inside it.
    pub modules: Vec<RangeInclusive<usize>>,
    owners: Vec<String>,
}

/// A function from its signature to its closing brace.
pub struct Function {
    /// `name`, `Type::name` or `outer::name`.
    pub name: String,
    /// The line of its signature.
    pub first: usize,
    /// How many lines it has.
    pub lines: usize,
}

impl Code {
    /// Takes a file apart, or says why it can't.
    pub fn read(file: &File) -> Result<Self, Fault> {
        let parsed = syn::parse_file(&file.text).map_err(|error| {
            let line = error.span().start().line;
            file.fault(line, format!("this is not Rust: {error}"), "`cargo build` says more")
        })?;
        let mut code = Self::default();
        code.visit_file(&parsed);
        Ok(code)
    }

    /// Whether a line belongs to test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    fn named(&mut self, name: &syn::Ident) {
        self.names.push((name.to_string(), name.span().start().line));
    }

    fn function(&mut self, start: usize, name: &syn::Ident, block: &syn::Block) {
        let mut path = self.owners.clone();
        path.push(name.to_string());
        let lines = block.span().end().line + 1 - start;
        self.functions.push(Function { name: path.join("::"), first: start, lines });
    }

    /// Visits what stands inside something that has a name.
    fn within(&mut self, owner: String, inside: impl FnOnce(&mut Self)) {
        self.owners.push(owner);
        inside(self);
        self.owners.pop();
    }

    fn note_tests(&mut self, attributes: &[syn::Attribute], whole: proc_macro2::Span) {
        if attributes.iter().any(is_for_tests) {
            self.tests.push(whole.start().line..=whole.end().line);
        }
    }
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    if attribute.path().is_ident("test") {
        return true;
    }
    match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => asks_for_test(list.tokens.clone()),
        _ => false,
    }
}

fn asks_for_test(condition: TokenStream) -> bool {
    let mut refused = false;
    condition.into_iter().any(|token| match token {
        TokenTree::Ident(word) => {
            refused = word == "not";
            word == "test"
        }
        TokenTree::Group(group) => !refused && asks_for_test(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

fn name_of(kind: &syn::Type) -> String {
    match kind {
        syn::Type::Path(path) => {
            path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
        }
        syn::Type::Reference(reference) => name_of(&reference.elem),
        _ => "impl".into(),
    }
}

fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item::{Const, Enum, Fn, Impl, Macro, Mod, Static, Struct, Trait, Type, Union, Use};
    match item {
        Const(item) => &item.attrs,
        Enum(item) => &item.attrs,
        Fn(item) => &item.attrs,
        Impl(item) => &item.attrs,
        Macro(item) => &item.attrs,
        Mod(item) => &item.attrs,
        Static(item) => &item.attrs,
        Struct(item) => &item.attrs,
        Trait(item) => &item.attrs,
        Type(item) => &item.attrs,
        Union(item) => &item.attrs,
        Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The first line of a function without its docs and attributes.
fn start_of(visibility: &syn::Visibility, signature: &syn::Signature) -> usize {
    match visibility {
        syn::Visibility::Inherited => signature.span().start().line,
        shown => shown.span().start().line,
    }
}

impl<'a> Visit<'a> for Code {
    fn visit_item(&mut self, item: &'a syn::Item) {
        self.note_tests(attributes_of(item), item.span());
        visit::visit_item(self, item);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(start_of(&item.vis, &item.sig), &item.sig.ident, &item.block);
        self.within(item.sig.ident.to_string(), |code| visit::visit_item_fn(code, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.note_tests(&item.attrs, item.span());
        self.function(start_of(&item.vis, &item.sig), &item.sig.ident, &item.block);
        self.within(item.sig.ident.to_string(), |code| visit::visit_impl_item_fn(code, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(item.sig.span().start().line, &item.sig.ident, block);
        }
        self.within(item.sig.ident.to_string(), |code| visit::visit_trait_item_fn(code, item));
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        self.within(name_of(&item.self_ty), |code| visit::visit_item_impl(code, item));
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.named(&item.ident);
        self.within(item.ident.to_string(), |code| visit::visit_item_trait(code, item));
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.named(&item.ident);
        if item.content.is_some() {
            self.modules.push(item.span().start().line..=item.span().end().line);
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_signature(&mut self, signature: &'a syn::Signature) {
        self.named(&signature.ident);
        visit::visit_signature(self, signature);
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.named(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.named(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_variant(&mut self, variant: &'a syn::Variant) {
        self.named(&variant.ident);
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        if let Some(name) = &field.ident {
            self.named(name);
        }
        visit::visit_field(self, field);
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        self.named(&item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_item_const(&mut self, item: &'a syn::ItemConst) {
        self.named(&item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'a syn::ItemStatic) {
        self.named(&item.ident);
        visit::visit_item_static(self, item);
    }

    fn visit_item_macro(&mut self, item: &'a syn::ItemMacro) {
        if let Some(name) = &item.ident {
            self.named(name);
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_pat_ident(&mut self, pattern: &'a syn::PatIdent) {
        self.named(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_use_rename(&mut self, rename: &'a syn::UseRename) {
        self.named(&rename.rename);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Code {
        Code::read(&File::sample("host/src/a.rs", text)).expect("the sample is Rust")
    }

    #[test]
    fn functions_are_counted_from_the_signature_to_the_brace() {
        let code = read(
            "/// Doc.\n#[inline]\npub fn a(\n) {\n}\nimpl B { fn c() {\n fn d() {} } }\n\
             trait E { fn f();\n fn g() {} }",
        );
        let found: Vec<_> = code
            .functions
            .iter()
            .map(|function| (function.name.as_str(), function.first, function.lines))
            .collect();
        assert_eq!(found, [("a", 3, 3), ("B::c", 6, 2), ("B::c::d", 7, 1), ("E::g", 9, 1)]);
    }

    #[test]
    fn test_code_is_what_only_tests_compile() {
        let code = read(
            "#[cfg(test)]\nmod tests {\n}\n#[cfg(not(test))]\nfn a() {}\n#[test]\nfn b() {}\n\
             #[cfg(all(test, unix))]\nuse x;\nimpl C {\n#[cfg(test)]\nfn d() {}\n}",
        );
        assert_eq!(code.tests, [1..=3, 6..=7, 8..=9, 11..=12]);
        assert!(code.is_test(2) && !code.is_test(5));
    }

    #[test]
    fn names_are_those_that_a_file_gives() {
        let code = read(
            "mod a; use b::common as c; struct D { e: common::F }\nenum G { H }\n\
             fn i(j: u8) { let k = other(); }\nconst L: u8 = 0; macro_rules! m { () => {} }",
        );
        let names: String = code.names.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, "acDeGHijkLm");
    }

    #[test]
    fn what_is_not_rust_is_a_fault_with_its_line() {
        let Err(fault) = Code::read(&File::sample("a.rs", "fn a() {}\nfn }")) else {
            panic!("the sample is not Rust");
        };
        assert!(fault.to_string().starts_with("a.rs:2: this is not Rust"), "{fault}");
    }
}
