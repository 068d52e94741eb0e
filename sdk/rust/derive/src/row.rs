//! `#[derive(Row)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, GenericParam, Lifetime, LitStr, Type};

use crate::lifetimes::of_static;

struct Column {
    member: syn::Ident,
    name: String,
    ty: Type,
}

/// Expands the derive.
pub fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    let columns = columns(&input)?;
    let name = &input.ident;
    let (lifetime, other) = split_generics(&input)?;
    if let Some(other) = other {
        return Err(syn::Error::new_spanned(
            other,
            "a row can have a lifetime, but no type parameter",
        ));
    }
    let (any, at) = match lifetime {
        Some(_) => (quote!(#name<'_>), quote!(#name<'r>)),
        None => (quote!(#name), quote!(#name)),
    };
    let row = row_impl(&any, &at, name, &columns);
    let field = field_impl(&any, &at, name, &columns);
    let members: Vec<_> = columns.iter().map(|column| &column.member).collect();
    let types: Vec<_> = columns.iter().map(|column| &column.ty).collect();
    Ok(quote! {
        #[allow(
            missing_docs,
            non_camel_case_types,
            single_use_lifetimes,
            clippy::all,
            clippy::pedantic,
        )]
        const _: () = {
            pub struct __RowReader<'r> {
                #(#members: (<#types as ::weir::Field>::Reader<'r>, usize),)*
                __of: ::core::marker::PhantomData<&'r ()>,
            }

            pub struct __FieldReader<'r> {
                #(#members: <#types as ::weir::Field>::Reader<'r>,)*
                __of: ::core::marker::PhantomData<&'r ()>,
            }

            #[derive(Default)]
            pub struct __Writer {
                #(#members: <#types as ::weir::Field>::Writer,)*
                __count: usize,
            }

            #row
            #field
        };
    })
}

fn columns(input: &DeriveInput) -> syn::Result<Vec<Column>> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "a row is a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(&input.ident, "the fields of a row have names"));
    };
    let column = |field: &syn::Field| {
        let Some(member) = field.ident.clone() else {
            return Err(syn::Error::new_spanned(field, "the fields of a row have names"));
        };
        let mut name = member.to_string().trim_start_matches("r#").to_owned();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("weir")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("name") {
                    return Err(meta.error("known here: `name = \"…\"`"));
                }
                name = meta.value()?.parse::<LitStr>()?.value();
                Ok(())
            })?;
        }
        Ok(Column { member, name, ty: of_static(&field.ty) })
    };
    fields.named.iter().map(column).collect()
}

fn split_generics(input: &DeriveInput) -> syn::Result<(Option<Lifetime>, Option<GenericParam>)> {
    let (mut lifetime, mut other) = (None, None);
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => {
                lifetime = Some(parameter.lifetime.clone());
            }
            GenericParam::Lifetime(parameter) => {
                return Err(syn::Error::new_spanned(parameter, "a row has one lifetime at most"));
            }
            parameter => other = Some(parameter.clone()),
        }
    }
    Ok((lifetime, other))
}

fn row_impl(
    any: &TokenStream,
    at: &TokenStream,
    name: &syn::Ident,
    columns: &[Column],
) -> TokenStream {
    let members: Vec<_> = columns.iter().map(|column| &column.member).collect();
    let types: Vec<_> = columns.iter().map(|column| &column.ty).collect();
    let names: Vec<_> = columns.iter().map(|column| &column.name).collect();
    let places = 0..columns.len();
    let places2 = 0..columns.len();
    quote! {
        impl ::weir::Row for #any {
            type At<'r> = #at;
            type Reader<'r> = __RowReader<'r>;
            type Writer = __Writer;

            fn columns() -> ::std::vec::Vec<::weir::bindings::weir::operator::schema::Field> {
                ::std::vec![#(::weir::bindings::weir::operator::schema::Field {
                    name: #names.to_owned(),
                    data_type: <#types as ::weir::Field>::type_name(),
                    nullable: <#types as ::weir::Field>::NULLABLE,
                }),*]
            }

            fn reader(rows: &::weir::bindings::weir::operator::rows::Rows) -> __RowReader<'_> {
                __RowReader {
                    #(#members: (
                        <#types as ::weir::Field>::reader(
                            &mut ::weir::Buffers::new(&rows.columns[#places]),
                        ),
                        ::weir::adapter::stride(rows, #places2),
                    ),)*
                    __of: ::core::marker::PhantomData,
                }
            }

            #[inline]
            fn get<'r>(
                reader: &<Self as ::weir::Row>::Reader<'r>,
                row: usize,
            ) -> <Self as ::weir::Row>::At<'r> {
                #name {
                    #(#members: <#types as ::weir::Field>::get(
                        &reader.#members.0,
                        row * reader.#members.1,
                    ),)*
                }
            }

            #[inline]
            fn put(row: &<Self as ::weir::Row>::At<'_>, writer: &mut __Writer) {
                writer.__count += 1;
                #(<#types as ::weir::Field>::put(&row.#members, &mut writer.#members);)*
            }

            fn put_nothing(writer: &mut __Writer) {
                writer.__count += 1;
                #(<#types as ::weir::Field>::put_nothing(&mut writer.#members);)*
            }

            fn finish(writer: &mut __Writer) -> ::std::vec::Vec<::weir::ColumnOut> {
                writer.__count = 0;
                ::std::vec![#({
                    let mut column = ::weir::ColumnOut::default();
                    <#types as ::weir::Field>::finish(&mut writer.#members, &mut column);
                    column
                }),*]
            }
        }
    }
}

/// The same struct as the value of one column.
fn field_impl(
    any: &TokenStream,
    at: &TokenStream,
    name: &syn::Ident,
    columns: &[Column],
) -> TokenStream {
    let members: Vec<_> = columns.iter().map(|column| &column.member).collect();
    let types: Vec<_> = columns.iter().map(|column| &column.ty).collect();
    let names: Vec<_> = columns.iter().map(|column| &column.name).collect();
    quote! {
        impl ::weir::Field for #any {
            type At<'r> = #at;
            type Reader<'r> = __FieldReader<'r>;
            type Writer = __Writer;

            fn type_name() -> ::std::string::String {
                let fields: ::std::vec::Vec<::std::string::String> = ::std::vec![#(::std::format!(
                    "{}: {}{}",
                    #names,
                    <#types as ::weir::Field>::type_name(),
                    if <#types as ::weir::Field>::NULLABLE { "?" } else { "" },
                )),*];
                ::std::format!("struct{{{}}}", fields.join(", "))
            }

            fn reader<'r>(buffers: &mut ::weir::Buffers<'r>) -> __FieldReader<'r> {
                let _validity = buffers.take();
                __FieldReader {
                    #(#members: <#types as ::weir::Field>::reader(buffers),)*
                    __of: ::core::marker::PhantomData,
                }
            }

            fn get<'r>(
                reader: &<Self as ::weir::Field>::Reader<'r>,
                row: usize,
            ) -> <Self as ::weir::Field>::At<'r> {
                #name { #(#members: <#types as ::weir::Field>::get(&reader.#members, row),)* }
            }

            fn put(value: &<Self as ::weir::Field>::At<'_>, writer: &mut __Writer) {
                <Self as ::weir::Row>::put(value, writer);
            }

            fn put_nothing(writer: &mut __Writer) {
                <Self as ::weir::Row>::put_nothing(writer);
            }

            fn finish(writer: &mut __Writer, column: &mut ::weir::ColumnOut) {
                <Self as ::weir::Field>::all_valid(column);
                let count = ::core::mem::take(&mut writer.__count);
                #(::weir::adapter::nested::<#types>(&mut writer.#members, count, column);)*
            }
        }
    }
}
