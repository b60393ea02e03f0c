//! Types that a property can have.

use std::collections::BTreeMap;

use super::TypedError;
use super::schema::schema_of;
use crate::{Map, Value};

/// A type that a property can have.
///
/// # Examples
/// ```
/// use edge_twin::Value;
/// use edge_twin::typed::Property;
///
/// assert_eq!(u8::read(&Value::Integer(7)), Ok(7));
/// assert_eq!(u8::read(&Value::Integer(700)).unwrap_err().found, "700");
/// assert_eq!(Vec::<bool>::schema().to_string(), r#"{"items":{"type":"boolean"},"type":"array"}"#);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a property of a twin",
    note = "properties are bool, integers, f32, f64, String, Option, Vec, BTreeMap<String, _>, and structs that derive `TwinProperties`"
)]
pub trait Property: Clone + PartialEq {
    /// Reads a value.
    ///
    /// # Errors
    /// [`TypedError`] when it does not fit.
    fn read(value: &Value) -> Result<Self, TypedError>;

    /// Writes the value; `None` for one that is not there.
    fn write(&self) -> Option<Value>;

    /// Returns a JSON Schema of the type.
    fn schema() -> Value;
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Property for $type {
            fn read(value: &Value) -> Result<Self, TypedError> {
                let fits = |number: i64| Self::try_from(number).ok();
                let expected = || format!("an integer from {} to {}", Self::MIN, Self::MAX);
                value.as_integer().and_then(fits).ok_or_else(|| TypedError::expected(&expected(), value))
            }

            fn write(&self) -> Option<Value> {
                Some(Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX)))
            }

            fn schema() -> Value {
                const HIGHEST: i64 = (1 << 52) - 1;
                let min = i64::try_from(Self::MIN).unwrap_or_default().max(-HIGHEST - 1);
                let max = i64::try_from(Self::MAX).unwrap_or(HIGHEST).min(HIGHEST);
                schema_of("integer", [("minimum", Value::Integer(min)), ("maximum", Value::Integer(max))])
            }
        })*
    };
}

integers! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize }

impl Property for bool {
    fn read(value: &Value) -> Result<Self, TypedError> {
        match value {
            Value::Bool(truth) => Ok(*truth),
            other => Err(TypedError::expected("true or false", other)),
        }
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }

    fn schema() -> Value {
        schema_of("boolean", [])
    }
}

impl Property for f64 {
    fn read(value: &Value) -> Result<Self, TypedError> {
        match value {
            Value::Float(number) => Ok(*number),
            Value::Integer(number) => Ok(*number as Self),
            other => Err(TypedError::expected("a number", other)),
        }
    }

    /// Writes a number; one that is not finite cannot be said, and is left out.
    fn write(&self) -> Option<Value> {
        self.is_finite().then_some(Value::Float(*self))
    }

    fn schema() -> Value {
        schema_of("number", [])
    }
}

impl Property for f32 {
    fn read(value: &Value) -> Result<Self, TypedError> {
        f64::read(value).map(|number| number as Self)
    }

    fn write(&self) -> Option<Value> {
        f64::from(*self).write()
    }

    fn schema() -> Value {
        f64::schema()
    }
}

impl Property for String {
    fn read(value: &Value) -> Result<Self, TypedError> {
        value.as_str().map(ToOwned::to_owned).ok_or_else(|| TypedError::expected("a text", value))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::from(self.as_str()))
    }

    fn schema() -> Value {
        schema_of("string", [("maxLength", Value::Integer(4096))])
    }
}

impl<T: Property> Property for Option<T> {
    fn read(value: &Value) -> Result<Self, TypedError> {
        match value {
            Value::Null => Ok(None),
            value => T::read(value).map(Some),
        }
    }

    fn write(&self) -> Option<Value> {
        self.as_ref().and_then(T::write)
    }

    fn schema() -> Value {
        T::schema()
    }
}

impl<T: Property> Property for Vec<T> {
    fn read(value: &Value) -> Result<Self, TypedError> {
        let Value::Array(items) = value else { return Err(TypedError::expected("an array", value)) };
        let read = |(at, item): (usize, &Value)| T::read(item).map_err(|error| error.within(&at.to_string()));
        items.iter().enumerate().map(read).collect()
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(T::write).collect()))
    }

    fn schema() -> Value {
        schema_of("array", [("items", T::schema())])
    }
}

impl<T: Property> Property for BTreeMap<String, T> {
    fn read(value: &Value) -> Result<Self, TypedError> {
        let Value::Object(members) = value else { return Err(TypedError::expected("an object", value)) };
        let mut read = Self::new();
        for (key, value) in members {
            let value = T::read(value).map_err(|error| error.within(key))?;
            read.insert(key.to_string(), value);
        }
        Ok(read)
    }

    fn write(&self) -> Option<Value> {
        let member = |(key, value): (&String, &T)| Some((key.as_str().into(), value.write()?));
        Some(Value::Object(self.iter().filter_map(member).collect::<Map>()))
    }

    fn schema() -> Value {
        schema_of("object", [("additionalProperties", T::schema())])
    }
}
