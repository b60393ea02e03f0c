//! The derive macro `TwinProperties` of the crate `edge-twin`, which describes it and exports it.

mod expand;
mod field;

use proc_macro::TokenStream;

/// Makes a struct with named fields the properties of a twin: one property for each field, and an enum
/// `<Struct>Change` with one variant for each field.
///
/// A field may say `#[twin(name = "…")]` for another key than its own name, `#[twin(default = …)]` for what it is where
/// the twin has none, and `#[twin(range = …)]` for the values that are taken. The documentation of struct and fields
/// stands in the JSON Schema.
#[proc_macro_derive(TwinProperties, attributes(twin))]
pub fn twin_properties(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
