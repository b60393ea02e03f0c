//! What a field says of itself.

use quote::format_ident;
use syn::{Attribute, Error, Expr, Field, Ident, Lit, LitStr, Meta, Result, Type};

/// A field, and the property that it is.
pub(crate) struct Property<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) key: LitStr,
    pub(crate) variant: Ident,
    pub(crate) default: Option<Expr>,
    pub(crate) range: Option<Expr>,
    pub(crate) doc: String,
}

impl<'a> Property<'a> {
    pub(crate) fn of(field: &'a Field) -> Result<Self> {
        let Some(ident) = &field.ident else {
            return Err(Error::new_spanned(field, "a property needs a name"));
        };
        let plain = ident.to_string();
        let plain = plain.strip_prefix("r#").unwrap_or(&plain);
        let mut property = Self {
            ident,
            ty: &field.ty,
            key: LitStr::new(plain, ident.span()),
            variant: format_ident!("{}", pascal(plain), span = ident.span()),
            default: None,
            range: None,
            doc: doc(&field.attrs),
        };
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("twin")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    property.key = meta.value()?.parse()?;
                } else if meta.path.is_ident("default") {
                    property.default = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("range") {
                    property.range = Some(meta.value()?.parse()?);
                } else {
                    return Err(meta.error("a field of a twin says `name`, `default` or `range`"));
                }
                Ok(())
            })?;
        }
        check_key(&property.key)?;
        Ok(property)
    }
}

/// Refuses keys that no twin can hold.
fn check_key(key: &LitStr) -> Result<()> {
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '$' | '#');
    match key.value().chars().find(|&c| is_bad(c)) {
        Some(c) => Err(Error::new(key.span(), format!("the key of a property cannot hold {c:?}"))),
        None if key.value().len() > 1024 => {
            Err(Error::new(key.span(), "the key of a property has at most 1024 bytes"))
        }
        None => Ok(()),
    }
}

/// Returns the documentation as one text.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(line).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    name.split('_').map(word).collect()
}
