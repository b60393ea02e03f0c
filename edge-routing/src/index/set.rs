//! Sets of values of one leaf: what a condition demands of it.

use alloc::boxed::Box;

#[cfg(test)]
use crate::value::Value;

/// The values of a leaf with which a condition can be true. Every kind of value has its own part; undefined is never
/// in the set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueSet {
    pub(crate) number: Option<Interval>,
    pub(crate) text: Text,
    /// Whether a property without a value is in.
    pub(crate) null_text: bool,
    /// Whether false and true are in.
    pub(crate) bools: [bool; 2],
    /// Whether null is in, a missing body member among it.
    pub(crate) null: bool,
}

/// A set of texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Text {
    None,
    Is(Box<str>),
    Prefix(Box<str>),
    /// Texts that read as a number in the interval.
    Reads(Interval),
    Any,
}

/// Numbers between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) low_in: bool,
    pub(crate) high_in: bool,
}

impl Interval {
    pub(crate) const ALL: Self =
        Self { low: f64::NEG_INFINITY, high: f64::INFINITY, low_in: true, high_in: true };

    pub(crate) const fn point(value: f64) -> Self {
        Self { low: value, high: value, low_in: true, high_in: true }
    }

    pub(crate) fn contains(&self, value: f64) -> bool {
        let above = if self.low_in { value >= self.low } else { value > self.low };
        let below = if self.high_in { value <= self.high } else { value < self.high };
        above && below
    }

    pub(crate) fn is_point(&self) -> bool {
        self.low == self.high
    }

    /// Whether both ends are bounded.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.low > f64::NEG_INFINITY && self.high < f64::INFINITY
    }

    /// The numbers in both, or `None` when there is none.
    pub(crate) fn and(&self, other: &Self) -> Option<Self> {
        let (low, low_in) = if self.low == other.low {
            (self.low, self.low_in && other.low_in)
        } else if self.low > other.low {
            (self.low, self.low_in)
        } else {
            (other.low, other.low_in)
        };
        let (high, high_in) = if self.high == other.high {
            (self.high, self.high_in && other.high_in)
        } else if self.high < other.high {
            (self.high, self.high_in)
        } else {
            (other.high, other.high_in)
        };
        (low < high || (low == high && low_in && high_in)).then_some(Self { low, high, low_in, high_in })
    }
}

impl Text {
    /// The texts in both; where that cannot be told exactly, more.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Any, set) | (set, Self::Any) => set,
            (Self::Is(text), set) | (set, Self::Is(text)) => {
                if set.contains(&text) {
                    Self::Is(text)
                } else {
                    Self::None
                }
            }
            (Self::Reads(a), Self::Reads(b)) => a.and(&b).map_or(Self::None, Self::Reads),
            (Self::Prefix(a), Self::Prefix(b)) => {
                if a.starts_with(&*b) {
                    Self::Prefix(a)
                } else if b.starts_with(&*a) {
                    Self::Prefix(b)
                } else {
                    Self::None
                }
            }
            (Self::Prefix(prefix), Self::Reads(_)) | (Self::Reads(_), Self::Prefix(prefix)) => {
                Self::Prefix(prefix)
            }
        }
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        match self {
            Self::None => false,
            Self::Is(is) => **is == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Reads(interval) => {
                crate::number::parse(text).is_some_and(|number| interval.contains(number))
            }
            Self::Any => true,
        }
    }
}

impl ValueSet {
    pub(crate) const NONE: Self =
        Self { number: None, text: Text::None, null_text: false, bools: [false; 2], null: false };

    /// Everything but undefined.
    pub(crate) const DEFINED: Self =
        Self { number: Some(Interval::ALL), text: Text::Any, null_text: true, bools: [true; 2], null: true };

    /// The values in both; where that cannot be told exactly, more.
    pub(crate) fn and(self, other: Self) -> Self {
        let [f, t] = self.bools;
        let [other_f, other_t] = other.bools;
        Self {
            number: match (self.number, other.number) {
                (Some(a), Some(b)) => a.and(&b),
                _ => None,
            },
            text: self.text.and(other.text),
            null_text: self.null_text && other.null_text,
            bools: [f && other_f, t && other_t],
            null: self.null && other.null,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether `value` is in the set.
    #[cfg(test)]
    pub(crate) fn contains(&self, value: Value<'_>) -> bool {
        match value {
            Value::Undefined => false,
            Value::Null | Value::Missing => self.null,
            Value::Bool(value) => self.bools.get(usize::from(value)).copied().unwrap_or(false),
            Value::Number(value) => self.number.is_some_and(|interval| interval.contains(value)),
            Value::Str(text) => self.text.contains(text),
            Value::NullStr => self.null_text,
        }
    }

    /// How many messages will pass, roughly: the smaller the better to look up routes by.
    pub(crate) fn breadth(&self) -> u32 {
        let interval = |interval: &Interval| match () {
            () if interval.is_point() => 1,
            () if interval.is_bounded() => 20,
            () => 100,
        };
        let text = match &self.text {
            Text::None => 0,
            Text::Is(_) => 1,
            Text::Prefix(prefix) => {
                40_u32.saturating_sub(u32::try_from(prefix.len()).unwrap_or(u32::MAX)).max(5)
            }
            Text::Reads(range) => interval(range),
            Text::Any => 1000,
        };
        let flag = |is_in: bool, breadth: u32| if is_in { breadth } else { 0 };
        self.number.as_ref().map_or(0, interval)
            + text
            + flag(self.null_text, 10)
            + self.bools.iter().map(|&is_in| flag(is_in, 50)).sum::<u32>()
            + flag(self.null, 200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: Text) -> ValueSet {
        ValueSet { text, ..ValueSet::NONE }
    }

    #[test]
    fn intersections() {
        let above = ValueSet {
            number: Some(Interval { low: 3.0, low_in: false, ..Interval::ALL }),
            ..ValueSet::DEFINED
        };
        let below =
            ValueSet { number: Some(Interval { high: 5.0, ..Interval::ALL }), null: false, ..ValueSet::NONE };
        let both = above.and(below);
        for (value, is_in) in [(3.0, false), (4.0, true), (5.0, true), (6.0, false)] {
            assert_eq!(both.contains(Value::Number(value)), is_in, "{value}");
        }
        assert!(!both.contains(Value::Missing));
        let prefix = |prefix: &str| text(Text::Prefix(prefix.into()));
        assert!(prefix("ab").and(prefix("b")).is_empty());
        assert_eq!(prefix("ab").and(prefix("a")), prefix("ab"));
        assert_eq!(prefix("ab").and(text(Text::Is("abc".into()))), text(Text::Is("abc".into())));
        assert!(text(Text::Is("a".into())).and(text(Text::Is("b".into()))).is_empty());
        let reads =
            |low: f64, high: f64| text(Text::Reads(Interval { low, high, low_in: true, high_in: true }));
        assert!(reads(1.0, 2.0).and(reads(3.0, 4.0)).is_empty());
        assert!(reads(1.0, 2.0).contains(Value::Str(" 1.5 ")));
        assert!(reads(1.0, 2.0).and(text(Text::Is("7".into()))).is_empty());
    }

    #[test]
    fn narrow_sets_are_preferred() {
        let one = text(Text::Is("a".into())).breadth();
        let prefix = text(Text::Prefix("abc".into())).breadth();
        assert!(one < prefix && prefix < ValueSet::DEFINED.breadth());
    }
}
