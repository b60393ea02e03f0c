//! What the macro writes.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::field::{Property, doc};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "the properties of a twin are a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            "the properties of a twin are a struct with named fields",
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "the properties of a twin have no parameters"));
    }
    let properties = fields.named.iter().map(Property::of).collect::<Result<Vec<_>>>()?;
    let mut keys = BTreeSet::new();
    for property in &properties {
        if !keys.insert(property.key.value()) {
            return Err(Error::new(property.key.span(), "another property has this key"));
        }
    }
    Ok(write(input, &properties))
}

fn write(input: &DeriveInput, properties: &[Property<'_>]) -> TokenStream {
    let (name, visibility) = (&input.ident, &input.vis);
    let change = format_ident!("{name}Change");
    let change_doc = format!("A change of one property of [`{name}`].");
    let description = doc(&input.attrs);
    let idents: Vec<_> = properties.iter().map(|property| property.ident).collect();
    let types: Vec<_> = properties.iter().map(|property| property.ty).collect();
    let keys: Vec<_> = properties.iter().map(|property| &property.key).collect();
    let variants: Vec<_> = properties.iter().map(|property| &property.variant).collect();
    let variant_docs = properties.iter().map(|property| format!("The new value of `{}`.", property.ident));
    let defaults: Vec<_> = properties.iter().map(default).collect();
    let checks = properties.iter().map(check);
    let schemas = properties.iter().map(schema);
    quote! {
        #[doc = #change_doc]
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::exhaustive_enums)]
        #visibility enum #change {
            #(#[doc = #variant_docs] #variants(#types),)*
        }

        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#idents: #defaults,)* }
            }
        }

        impl ::edge_twin::typed::TwinProperties for #name {
            type Change = #change;

            fn read(members: &::edge_twin::Map) -> ::core::result::Result<Self, ::edge_twin::typed::TypedError> {
                #(
                    let #idents: #types = match members.get(#keys) {
                        ::core::option::Option::None => #defaults,
                        ::core::option::Option::Some(value) => ::edge_twin::typed::Property::read(value)
                            .map_err(|error| ::edge_twin::typed::TypedError::within(error, #keys))?,
                    };
                )*
                #(#checks)*
                ::core::result::Result::Ok(Self { #(#idents,)* })
            }

            fn write(&self) -> ::edge_twin::Map {
                let mut members = ::edge_twin::Map::new();
                #(
                    if let ::core::option::Option::Some(value) = ::edge_twin::typed::Property::write(&self.#idents) {
                        members.insert(#keys.into(), value);
                    }
                )*
                members
            }

            fn changes(&self, before: &Self) -> ::std::vec::Vec<#change> {
                let mut changes = ::std::vec::Vec::new();
                #(
                    if self.#idents != before.#idents {
                        changes.push(#change::#variants(::core::clone::Clone::clone(&self.#idents)));
                    }
                )*
                changes
            }

            fn schema() -> ::edge_twin::Value {
                let mut properties = ::edge_twin::Map::new();
                #(properties.insert(#keys.into(), #schemas);)*
                ::edge_twin::typed::object_schema(#description, properties)
            }
        }

        impl ::edge_twin::typed::Property for #name {
            fn read(
                value: &::edge_twin::Value,
            ) -> ::core::result::Result<Self, ::edge_twin::typed::TypedError> {
                match value.as_object() {
                    ::core::option::Option::Some(members) => {
                        <Self as ::edge_twin::typed::TwinProperties>::read(members)
                    }
                    ::core::option::Option::None => {
                        ::core::result::Result::Err(::edge_twin::typed::TypedError::expected("an object", value))
                    }
                }
            }

            fn write(&self) -> ::core::option::Option<::edge_twin::Value> {
                ::core::option::Option::Some(<Self as ::edge_twin::typed::TwinProperties>::write(self).into())
            }

            fn schema() -> ::edge_twin::Value {
                <Self as ::edge_twin::typed::TwinProperties>::schema()
            }
        }
    }
}

fn default(property: &Property<'_>) -> TokenStream {
    match &property.default {
        Some(default) => quote! { (#default).into() },
        None => quote! { ::core::default::Default::default() },
    }
}

fn check(property: &Property<'_>) -> TokenStream {
    let (ident, key) = (property.ident, &property.key);
    let Some(range) = &property.range else { return TokenStream::new() };
    let text = quote!(#range).to_string().replace(' ', "");
    quote! {
        if !::core::ops::RangeBounds::contains(&(#range), &#ident) {
            let error = ::edge_twin::typed::TypedError::out_of_range(#text, &#ident.to_string());
            return ::core::result::Result::Err(error.within(#key));
        }
    }
}

fn schema(property: &Property<'_>) -> TokenStream {
    let (ty, description) = (property.ty, &property.doc);
    let default = default(property);
    let bounds = property.range.as_ref().map(|range| {
        quote! { let schema = ::edge_twin::typed::bounded_schema(schema, &(#range)); }
    });
    quote! {{
        let schema = <#ty as ::edge_twin::typed::Property>::schema();
        #bounds
        let default: #ty = #default;
        ::edge_twin::typed::described_schema(schema, #description, ::edge_twin::typed::Property::write(&default))
    }}
}
