//! Types of elements.

use std::fmt;
use std::ops::Range;

use super::F16;

mod sealed {
    /// Keeps the set of elements closed.
    #[allow(unnameable_types, reason = "nobody is to name it")]
    pub trait Sealed {}
}

macro_rules! elements {
    ($($(#[$doc:meta])* $name:ident $type:ty, $text:literal, $bytes:literal;)*) => {
        /// The type of a tensor's elements.
        ///
        /// # Source
        /// ONNX, `TensorProto.DataType`; the names are ours.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ElementType {
            $($(#[$doc])* $name,)*
        }

        impl ElementType {
            /// All types.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the type's name, for instance `f32`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Returns how many bytes an element has; 0 for text, whose length varies.
            #[must_use]
            pub const fn size_bytes(self) -> usize {
                match self {
                    $(Self::$name => $bytes,)*
                }
            }
        }

        /// The elements of a tensor.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(unnameable_types, missing_docs, clippy::exhaustive_enums, reason = "it is in a sealed trait that nobody calls")]
        pub enum Data {
            $($name(Vec<$type>),)*
        }

        /// Borrowed elements.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(unnameable_types, missing_docs, clippy::exhaustive_enums, reason = "it is in a sealed trait that nobody calls")]
        pub enum View<'a> {
            $($name(&'a [$type]),)*
        }

        impl Data {
            pub(crate) fn view(&self) -> View<'_> {
                match self {
                    $(Self::$name(values) => View::$name(values),)*
                }
            }

            /// Appends the elements of `more`; returns whether they are of the same type.
            pub(crate) fn extend(&mut self, more: View<'_>) -> bool {
                match (self, more) {
                    $((Self::$name(values), View::$name(more)) => values.extend_from_slice(more),)*
                    _ => return false,
                }
                true
            }
        }

        impl<'a> View<'a> {
            pub(crate) fn element_type(self) -> ElementType {
                match self {
                    $(Self::$name(_) => ElementType::$name,)*
                }
            }

            pub(crate) fn len(self) -> usize {
                match self {
                    $(Self::$name(values) => values.len(),)*
                }
            }

            pub(crate) fn to_data(self) -> Data {
                match self {
                    $(Self::$name(values) => Data::$name(values.to_vec()),)*
                }
            }

            pub(crate) fn slice(self, range: Range<usize>) -> Option<View<'a>> {
                Some(match self {
                    $(Self::$name(values) => View::$name(values.get(range)?),)*
                })
            }
        }

        $(
            impl sealed::Sealed for $type {}

            impl Element for $type {
                const TYPE: ElementType = ElementType::$name;

                fn own(values: Vec<Self>) -> Data {
                    Data::$name(values)
                }

                fn lend(values: &[Self]) -> View<'_> {
                    View::$name(values)
                }

                fn look(view: View<'_>) -> Option<&[Self]> {
                    match view {
                        View::$name(values) => Some(values),
                        _ => None,
                    }
                }

                fn take(data: Data) -> Result<Vec<Self>, Data> {
                    match data {
                        Data::$name(values) => Ok(values),
                        other => Err(other),
                    }
                }
            }
        )*
    };
}

elements! {
    /// 32-bit floating point.
    F32 f32, "f32", 4;
    /// 64-bit floating point.
    F64 f64, "f64", 8;
    /// 16-bit floating point.
    F16 F16, "f16", 2;
    /// Signed 8-bit integer.
    I8 i8, "i8", 1;
    /// Signed 16-bit integer.
    I16 i16, "i16", 2;
    /// Signed 32-bit integer.
    I32 i32, "i32", 4;
    /// Signed 64-bit integer.
    I64 i64, "i64", 8;
    /// Unsigned 8-bit integer.
    U8 u8, "u8", 1;
    /// Unsigned 16-bit integer.
    U16 u16, "u16", 2;
    /// Unsigned 32-bit integer.
    U32 u32, "u32", 4;
    /// Unsigned 64-bit integer.
    U64 u64, "u64", 8;
    /// True or false.
    Bool bool, "bool", 1;
    /// Text.
    Text String, "text", 0;
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that can be an element of a tensor; the set is closed.
pub trait Element: sealed::Sealed + Clone + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// The type's description.
    const TYPE: ElementType;

    #[doc(hidden)]
    fn own(values: Vec<Self>) -> Data
    where
        Self: Sized;

    #[doc(hidden)]
    fn lend(values: &[Self]) -> View<'_>
    where
        Self: Sized;

    #[doc(hidden)]
    fn look(view: View<'_>) -> Option<&[Self]>
    where
        Self: Sized;

    #[doc(hidden)]
    fn take(data: Data) -> Result<Vec<Self>, Data>
    where
        Self: Sized;
}
